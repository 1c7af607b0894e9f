"""The door to JAX: masks on trees of parameters, and on the optimizers of optax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.masks.applying import tensor_masks
from topograph.masks.loading import live_source
from topograph.packages import require


def mask_tree(graphs: Mapping[str, BipartiteGraph], params: Any) -> Any:
    """A tree of booleans like ``params``: the masks where there are some, and True for every other leaf.

    Parameters
    ----------
    graphs
        Layer name → graph, under the names that `topograph.load` gives the leaves, such as
        ``"params.Dense_0.kernel"``.
    params
        A tree of arrays, as of Flax: dictionaries, lists and tuples.

    Raises
    ------
    UnknownNameError, TopologyMismatchError
        When a name or a shape does not fit.
    """
    tree = require("jax.tree_util", "jax")
    shapes = tree.tree_map(lambda leaf: np.broadcast_to(np.float32(1), np.shape(leaf)), params)
    if not isinstance(shapes, Mapping):
        raise InvalidParameterError(f"params must be a dictionary of arrays by name, but got {type(params).__name__}")
    masks = tensor_masks(graphs, live_source(_plain(shapes)))
    return tree.tree_map_with_path(lambda path, _: masks.get(_name(path), np.True_), params)


def apply_tree(graphs: Mapping[str, BipartiteGraph], params: Any) -> Any:
    """A copy of a tree of parameters, 0 where a mask has no edge; see `mask_tree`."""
    tree, jnp = require("jax.tree_util", "jax"), require("jax.numpy", "jax")
    masks = mask_tree(graphs, params)
    return tree.tree_map(lambda leaf, mask: leaf if mask.ndim == 0 else jnp.where(mask, leaf, 0), params, masks)


class MaskedState(NamedTuple):
    """The state of a masked optimizer: its masks, and what it remembers itself."""

    masks: Any
    inner: Any


def masked_optimizer(graphs: Mapping[str, BipartiteGraph], optimizer: Any) -> Any:
    """An optimizer of optax that keeps masks exactly.

    Gradients off the masks never reach the optimizer, so that it remembers nothing there, and after every step the
    parameters are exactly 0 there, whatever they were.

    Parameters
    ----------
    graphs
        Layer name → graph; see `mask_tree`.
    optimizer
        A gradient transformation of optax, chains and schedules too.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Its ``update`` needs the parameters: ``update(gradients, state, params)``.
    """
    optax = require("optax", "jax")
    tree, jnp = require("jax.tree_util", "jax"), require("jax.numpy", "jax")
    inner = optax.with_extra_args_support(optimizer)

    def init(params: Any) -> MaskedState:
        masks = tree.tree_map(jnp.asarray, mask_tree(graphs, params))
        return MaskedState(masks, inner.init(tree.tree_map(_masked, params, masks)))

    def _masked(leaf: Any, mask: Any) -> Any:
        return jnp.where(mask, leaf, jnp.zeros((), leaf.dtype))

    def update(updates: Any, state: MaskedState, params: Any = None, **extra: Any) -> tuple[Any, MaskedState]:
        if params is None:
            raise InvalidParameterError("a masked optimizer needs the parameters: update(gradients, state, params)")
        updates = tree.tree_map(_masked, updates, state.masks)
        updates, memory = inner.update(updates, state.inner, params, **extra)
        updates = tree.tree_map(lambda step, mask, leaf: jnp.where(mask, step, -leaf), updates, state.masks, params)
        return updates, MaskedState(state.masks, memory)

    return optax.GradientTransformationExtraArgs(init, update)


def _name(path: Any) -> str:
    """The name of a leaf, as `topograph.load` gives it."""
    keys = ("key", "name", "idx")
    return ".".join(str(next(getattr(part, key) for key in keys if hasattr(part, key))) for part in path)


def _plain(node: Any) -> Any:
    """Mappings of any class as dictionaries."""
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, (list, tuple)) else node
