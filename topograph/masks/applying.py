"""Masks out again, onto somebody's own model: `apply_masks`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from topograph.checks import check_flag
from topograph.errors import InvalidParameterError, TopologyMismatchError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.masks.live import Mask, available_models, kind_of
from topograph.masks.maskable import MaskableLayer, layer_of
from topograph.masks.maskset import nothing_read
from topograph.masks.source import Entry, Source


def apply_masks(graphs: Mapping[str, BipartiteGraph], model: Any, sparse: bool = False) -> tuple[str, ...]:
    """Put masks on the layers of a PyTorch or Keras model, and keep them there while it trains.

    PyTorch: each weight becomes a parametrization, ``weight = original · mask``, so that neither gradient nor momentum
    nor weight decay can bring a removed edge back. The parameters stay the same objects: an optimizer may be made
    before or after. Keras: each kernel gets a constraint, which every optimizer applies after its step.
    `remove_masks` makes masks final. Nothing is changed by a call that fails.

    Parameters
    ----------
    graphs
        Layer name → graph. The names are those that `topograph.load` gives the model's layers, with or without their
        ``.weight`` or ``/kernel``. A convolution takes a graph of its kernel or channel unfolding.
    model
        The model, changed in place.
    sparse
        Whether to replace the layers, which must be ``torch.nn.Linear``, by `topograph.torch.SparseLinear`: time and
        memory in proportion to the edges. An optimizer must be made after this: the parameters are others.

    Returns
    -------
    tuple of str
        The names of the weights that are masked now.

    Raises
    ------
    UnknownNameError
        When the model has no layer of a name; the message lists those it has.
    TopologyMismatchError
        When a graph does not have the layer's shape.
    InvalidParameterError
        When this is not such a model, or a layer cannot be replaced by a sparse one; the model is then unchanged.
    """
    check_flag("sparse", sparse)
    kind = kind_of(model)
    if sparse and (kind is None or kind.swap_layers is None):
        raise InvalidParameterError(
            f"sparse=True needs a torch.nn.Module, but got {type(model).__name__}; a keras.Model needs sparse=False"
        )
    if kind is None or kind.fix_masks is None:
        raise _not_a_model(model)
    masks = tensor_masks(graphs, kind.source(model))
    change = kind.swap_layers if sparse else kind.fix_masks
    assert change is not None
    change(model, masks)
    return tuple(masks)


def remove_masks(names: Iterable[str], model: Any) -> tuple[str, ...]:
    """Make the masks on the layers of a model final: plain weights, 0 where there is no edge.

    The model has exactly the state-dict keys, in their order, of one that never had a mask. Its parameters stay the
    same objects, so that an optimizer goes on with them.

    Parameters
    ----------
    names
        Names of layers, as `apply_masks` takes them.
    model
        The model, changed in place.

    Returns
    -------
    tuple of str
        The names of the weights that are plain now.

    Raises
    ------
    UnknownNameError
        When the model has no layer of a name.
    InvalidParameterError
        When a layer has no mask, or something else is computed there, too; nothing is changed then.
    """
    kind = kind_of(model)
    if kind is None or kind.remove_masks is None:
        raise _not_a_model(model)
    entries = {entry.name: entry for entry in kind.source(model).entries if entry.read is not None}
    weights = tuple(dict.fromkeys(_full_name(name, entries).split(":")[0] for name in names))
    kind.remove_masks(model, weights)
    return weights


def _not_a_model(model: Any) -> InvalidParameterError:
    allowed = " or a ".join(known.type_name for known in available_models().values() if known.fix_masks is not None)
    return InvalidParameterError(f"masks go onto a {allowed}, but got {type(model).__name__}")


def tensor_masks(graphs: Mapping[str, BipartiteGraph], source: Source) -> dict[str, Mask]:
    """Name of a weight → the mask over its whole tensor: gates and heads joined, those without a graph whole.

    Raises
    ------
    UnknownNameError, TopologyMismatchError
    """
    masks: dict[str, Mask] = {}
    for name, layer in find_named_layers(graphs, source).items():
        mask = masks.get(layer.weight)
        if mask is None:
            mask = masks[layer.weight] = np.ones(layer.shape, dtype=bool)
        layer.draw(graphs[name], mask)
    return masks


def find_named_layers(names: Iterable[str], source: Source) -> dict[str, MaskableLayer]:
    """Name, as `apply_masks` takes it → the layer of a source.

    Raises
    ------
    UnknownNameError
    """
    entries = {entry.name: entry for entry in source.entries if entry.read is not None}
    return {name: layer_of(entries[_full_name(name, entries)]) for name in names}


def match_layers(
    graphs: Iterable[BipartiteGraph], model: Any, layers: Iterable[str] | None
) -> dict[str, BipartiteGraph]:
    """Name the layer of a model for each graph of a chain: those given, or all that can hold a mask, in order.

    Raises
    ------
    TopologyMismatchError
        When their numbers differ.
    InvalidParameterError
        When this is not a model of a kind that masks go onto.
    InvalidMaskError
        When nothing in the model can hold a mask.
    """
    chain = list(graphs)
    kind = kind_of(model)
    if kind is None or kind.fix_masks is None:
        raise _not_a_model(model)
    if layers is None:
        source = kind.source(model)
        names = [entry.name for entry in source.entries if entry.read is not None and not entry.reason]
        if not names:
            raise nothing_read(source.label, {entry.name: entry.reason for entry in source.entries})
    else:
        if not isinstance(layers, (str, Iterable)):
            raise InvalidParameterError(f"layers must be names of layers, but got layers={layers!r}")
        names = [layers] if isinstance(layers, str) else list(layers)
        repeated = next((name for number, name in enumerate(names) if name in names[:number]), None)
        if repeated is not None:
            raise TopologyMismatchError(
                f"layers= names {repeated!r} twice, but each graph of the topology needs a layer of its own"
            )
    if len(names) != len(chain):
        raise TopologyMismatchError(
            f"the topology has {len(chain)} layers, but {'the model has' if layers is None else 'layers= names'} "
            f"{len(names)}: {', '.join(names)}; name as many with layers=[…]"
        )
    return dict(zip(names, chain, strict=True))


def _full_name(name: str, entries: Mapping[str, Entry]) -> str:
    for candidate in (name, f"{name}.weight", f"{name}/kernel"):
        if candidate in entries:
            return candidate
    error = UnknownNameError.among("layer", name, entries)
    for known in entries:
        stem = known.removesuffix("/kernel").removesuffix(".weight")
        ending = next((known_as for known_as in (known, stem) if name.endswith(f".{known_as}")), "")
        if ending or stem.endswith(f".{name}") or known.endswith(f".{name}"):  # as by wrappers, and in checkpoints
            prefix = name.removesuffix(ending) if ending else known[: known.rindex(name)]
            renamed = f"name.removeprefix({prefix!r})" if ending else f"{prefix!r} + name"
            raise UnknownNameError(
                f"{error}. The model has it as {known!r}; rename the masks: "
                f"topograph.MaskSet({{{renamed}: graph for name, graph in masks.items()}})"
            )
    raise error
