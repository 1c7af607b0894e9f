"""Operations that only move elements: they are done on the units themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.errors import UnsupportedModelError
from topograph.packages import require

if TYPE_CHECKING:
    from topograph.model_graph.torch.reading import ModelReading

torch: Any = require("torch", "torch")
_tree: Any = require("torch.utils._pytree", "torch")
aten: Any = torch.ops.aten

_MOVED = (
    "cat", "stack", "clone", "_to_copy", "repeat", "flip", "roll", "index", "index_select", "gather", "tril", "triu",
    "slice_scatter", "select_scatter", "diagonal_scatter", "as_strided_scatter", "_unsafe_index", "_unsafe_view",
    "reshape", "_reshape_copy", "view_copy", "expand_copy", "permute_copy", "pixel_shuffle", "pixel_unshuffle",
    "channel_shuffle", "native_channel_shuffle", "contiguous", "diag_embed", "take", "rot90",
)  # fmt: skip
_AS_FLOATS = (
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "reflection_pad1d", "reflection_pad2d",
    "reflection_pad3d", "replication_pad1d", "replication_pad2d", "replication_pad3d", "im2col",
)  # fmt: skip
_FILLED = ("constant_pad_nd", "masked_fill", "where", "copy", "fill", "zero", "index_put", "scatter")

MOVES = frozenset((*_MOVED, *_AS_FLOATS, *_FILLED))
"""Names of the operations that `moved` does."""


def moved(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], numbers_of: Callable[[Any], Any]) -> Any:
    """The numbers of the result, from those of the arguments: the operation itself, done on them.

    Parameters
    ----------
    name
        The operation, without its underscore.
    args, kwargs
        Its arguments.
    numbers_of
        From a tensor to the numbers of its elements.
    """
    if name in _FILLED:
        return _filled(name, args, kwargs, numbers_of)
    if name in ("_to_copy", "contiguous"):
        return numbers_of(args[0])
    whole = name in ("cat", "stack")
    first, *rest = args
    moving: Any = [numbers_of(one) for one in first] if whole else numbers_of(first)
    if name in ("slice_scatter", "select_scatter", "diagonal_scatter", "as_strided_scatter"):
        rest = [numbers_of(rest[0]), *rest[1:]]
    rest = _tree.tree_map_only(torch.Tensor, lambda one: one.cpu(), rest)
    options = _tree.tree_map_only(torch.Tensor, lambda one: one.cpu(), dict(kwargs))
    options.pop("memory_format", None)
    if name in _AS_FLOATS:
        return getattr(aten, name)(moving.to(torch.float64), *rest, **options).round().to(torch.int64)
    return getattr(aten, name)(moving, *rest, **options)


def _filled(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], numbers_of: Callable[[Any], Any]) -> Any:
    """Operations that put constants beside elements."""
    if name == "where":
        return torch.where(args[0].cpu(), _numbers(args[1], numbers_of), _numbers(args[2], numbers_of))
    own = numbers_of(args[0])
    if name == "constant_pad_nd":
        return aten.constant_pad_nd(own, args[1], 0)
    if name == "masked_fill":
        return own.masked_fill(args[1].cpu(), 0) if not _has_numbers(args[2], numbers_of) else _refuse(name)
    if name == "copy":
        return numbers_of(args[1]).expand(own.shape)
    if name in ("fill", "zero"):
        return torch.zeros_like(own)
    if name == "index_put":
        if (len(args) > 3 and args[3]) or kwargs.get("accumulate"):
            return _refuse("index_put with accumulate=True")
        indices = [None if index is None else index.cpu() for index in args[1]]
        return aten.index_put(own, indices, _numbers(args[2], numbers_of))
    dimension, index, source = args[1], args[2].cpu(), args[3] if len(args) > 3 else kwargs.get("src", 0)
    if kwargs.get("reduce"):
        return _refuse("scatter with reduce=")
    values = _numbers(source, numbers_of)
    return aten.scatter(own, dimension, index, values if values.dim() else 0)


def _numbers(value: Any, numbers_of: Callable[[Any], Any]) -> Any:
    return numbers_of(value) if isinstance(value, torch.Tensor) else torch.zeros((), dtype=torch.int64)


def _has_numbers(value: Any, numbers_of: Callable[[Any], Any]) -> bool:
    return isinstance(value, torch.Tensor) and bool((numbers_of(value) != 0).any())


def _refuse(words: str) -> Any:
    raise UnsupportedModelError(f"the operation aten::{words} cannot be read as edges")


def _rule(name: str) -> Callable[..., None]:
    def move(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
        chosen = [leaf for leaf in _tree.tree_leaves((_choosing(name, args), kwargs)) if isinstance(leaf, torch.Tensor)]
        if any(reading.is_live(one) for one in chosen):
            if name in ("where", "masked_fill"):  # which of two: an edge from each, and from what decides
                units = [reading.units(one) for one in args if reading.is_live(one)]
                reading.set_units(results, np.broadcast_to(reading.builder.product(units), tuple(results.shape)))
                return
            _refuse(f"{name}{reading.place()}, whose places depend on the input,")
        reading.memory.write(results, moved(name, args, kwargs, reading.memory.read))

    return move


def _choosing(name: str, args: Sequence[Any]) -> Any:
    """The arguments that say where elements go."""
    if name in ("cat", "stack", "copy"):
        return ()
    if name == "where":
        return args[0]
    if name in ("index_put", "masked_fill"):
        return args[1]
    if name == "scatter":
        return args[2]
    return args[2:] if name.endswith("_scatter") else args[1:]


RULES = {name: _rule(name) for name in MOVES}
"""Rules by the name of the operation."""
