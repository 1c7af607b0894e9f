"""Live PyTorch models: each module tells the layout of its own weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

from topograph.masks.geometry import Geometry
from topograph.masks.layout import IN_OUT, OUT_IN, expert_layout, keras_layout, torch_layout
from topograph.masks.live import ModelKind, root_packages
from topograph.masks.source import Entry, Source
from topograph.masks.state_dicts import state_entries
from topograph.masks.torch.imposed import imposed_masks
from topograph.masks.torch.masking import fix_masks, fixed_mask, remove_masks
from topograph.masks.torch.swapping import swap_layers
from topograph.masks.torch.tensors import stored_tensor
from topograph.masks.weights import ATTENTION, GRU_GATES, LSTM_GATES, Part, Stored, gate_parts
from topograph.matrices import tensor_values
from topograph.packages import require

Parts = Sequence[Part] | str | None


def module_source(module: Any) -> Source:
    """Every parameter and buffer of a model; pruned and parametrized weights as the model computes them."""
    tensors: dict[str, Stored] = {}
    owners: dict[str, Any] = {}
    seen: dict[Any, str] = {}
    twins: dict[str, str] = {}
    for path, tensor, owner in _tensors(module):
        if isinstance(tensor, Stored):
            tensors[path], owners[path] = tensor, owner
            original = _original(owner, path.rpartition(".")[2])
            key = path if original is None else id(original)
        else:
            tensors[path], key = stored_tensor(tensor), id(tensor)
            owners[path.removesuffix("_orig")] = owner
        first = seen.setdefault(key, path)
        if first != path:
            twins[path] = first

    def describe(name: str, shape: tuple[int, ...]) -> Parts:
        owner = owners.get(name)
        return None if owner is None else _describe(owner, name.rpartition(".")[2], shape)

    return Source(type(module).__name__, tuple(_once(state_entries(tensors, describe=describe), twins)))


def _once(entries: Iterable[Entry], twins: Mapping[str, str]) -> Iterator[Entry]:
    """Of a tensor that has several names, the first that is a layer is read; the others can be included by name."""
    listed = list(entries)
    layers = {entry.name.split(":")[0] for entry in listed if entry.read is not None and not entry.reason}
    read: dict[str, str] = {}
    for name in [*dict.fromkeys(twins.values()), *twins]:
        if name in layers:
            read.setdefault(twins.get(name, name), name)
    for entry in listed:
        name = entry.name.split(":")[0]
        first = twins.get(name, name)
        chosen = read.get(first, first)
        if name == chosen:
            shared = [other for other in (first, *twins) if other != name and twins.get(other, other) == first]
            note = f"the same tensor as {', '.join(shared)}" if shared and name in {*twins, *twins.values()} else ""
            yield replace(entry, note="; ".join(filter(None, [entry.note, note])))
        elif name in twins or first in twins.values():
            reason = entry.reason or f"is the same tensor as {chosen}; include it by name to read it"
            yield replace(entry, reason=reason, same_as=chosen)
        else:
            yield entry


def _tensors(module: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, tensor and owning module; a parametrized weight is computed only when it is read."""
    parametrize = require("torch.nn.utils.parametrize", "torch")
    inner: tuple[str, ...] = ()
    for path, owner in module.named_modules(remove_duplicate=False):
        prefix = f"{path}." if path else ""
        if parametrize.is_parametrized(owner):
            inner = (*inner, f"{prefix}parametrizations")
            for name in owner.parametrizations:
                shape = tuple(getattr(owner, name).shape)
                yield prefix + name, Stored(shape, partial(_computed, owner, name)), owner
                for place, buffer in owner.parametrizations[name].named_buffers():
                    if "mask" in place and tuple(buffer.shape) == shape:
                        yield f"{prefix}parametrizations.{name}.{place}", stored_tensor(buffer), owner
        if path.startswith(inner):
            continue  # the originals that the computed weight is made of
        own = {**owner._parameters, **owner._buffers}
        if type(owner).__module__ == "topograph.torch.layer":  # the rest of its buffers follows from the pattern
            own = {name: tensor for name, tensor in own.items() if name not in owner._non_persistent_buffers_set}
        for name, tensor in own.items():
            if tensor is not None:
                yield prefix + name, tensor, owner
        if "quantized" in type(owner).__module__.split("."):
            yield from _quantized(prefix, owner)


def _quantized(prefix: str, owner: Any) -> Iterator[tuple[str, Any, Any]]:
    """The weight of a quantized module of PyTorch, which keeps it packed outside of its parameters and buffers."""
    if callable(getattr(owner, "weight", None)):
        yield f"{prefix}weight", owner.weight(), owner
    elif type(owner).__name__ == "PackedParameter":  # the weights of a recurrent layer, for one place each
        problem = "is packed for the quantized product; read the model before it is quantized"
        yield f"{prefix}param", Stored((), lambda: None, problem), owner


def _original(owner: Any, name: str) -> Any:
    """The parameter that our mask lies on; None where anything else is computed from it."""
    if name not in getattr(owner, "parametrizations", ()):
        return None
    steps = owner.parametrizations[name]
    return steps.original if len(steps) == 1 and isinstance(steps[0], fixed_mask()) else None


def _computed(owner: Any, name: str) -> Any:
    return tensor_values(getattr(owner, name))


def _describe(owner: Any, weight: str, shape: tuple[int, ...]) -> Parts:
    nn = require("torch.nn", "torch")
    for kind, rule in _RULES:
        if isinstance(owner, attrgetter(kind)(nn)):
            return rule(owner, weight, shape)
    if type(owner).__name__ == "Conv1D" and hasattr(owner, "nf") and weight == "weight":
        return [("", keras_layout(2, words="inputs × outputs (Conv1D of transformers)"))]
    if "Experts" in type(owner).__name__ and len(shape) == 3:
        return [("", expert_layout(_experts_orientation(owner, weight, shape)))]
    return None


def _experts_orientation(owner: Any, weight: str, shape: tuple[int, ...]) -> str:
    """What the module says, or how wide it says that the network around it is; else PyTorch's own."""
    said = getattr(owner, "is_transposed", None)
    if isinstance(said, bool):
        return IN_OUT if said else OUT_IN
    width = getattr(owner, "hidden_size", getattr(owner, "hidden_dim", None))
    if width in shape[1:] and shape[1] != shape[2]:
        leaves = "down" in weight or weight.startswith("w2")  # back to the width of the network
        return OUT_IN if (shape[1] == width) == leaves else IN_OUT
    return OUT_IN


def _linear(owner: Any, weight: str, shape: tuple[int, ...]) -> Parts:
    if weight != "weight":
        return None
    expected = (owner.out_features, owner.in_features)
    if shape != expected:
        return f"holds packed bytes: its shape is {list(shape)}, the layer's is {list(expected)}"
    return [("", torch_layout(2))]


def _convolution(owner: Any, weight: str, shape: tuple[int, ...]) -> Parts:
    if weight != "weight":
        return None
    padding = owner.padding
    if owner.transposed:  # the extra rows at the end are padding taken back
        padding = [(p, p - extra) for p, extra in zip(padding, owner.output_padding, strict=True)]
    geometry = Geometry(
        stride=owner.stride,
        padding=padding,
        dilation=owner.dilation,
        groups=owner.groups,
        transposed=owner.transposed,
    )
    return [("", torch_layout(len(shape), geometry))]


def _recurrent(owner: Any, weight: str, shape: tuple[int, ...]) -> Parts:
    if not weight.startswith(("weight_ih", "weight_hh")) or len(shape) != 2:
        return None
    kind = type(owner).__name__.upper()
    return gate_parts(shape, LSTM_GATES if "LSTM" in kind else GRU_GATES if "GRU" in kind else ())


def _attention(owner: Any, weight: str, shape: tuple[int, ...]) -> Parts:
    if weight in ("bias_k", "bias_v"):
        return "bias: not a layer's weight"
    if weight == "in_proj_weight":
        thirds = gate_parts(shape, ATTENTION)
        return [part for suffix, layout in thirds for part in _heads(owner, suffix, layout.part[0])]
    if weight in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        return _heads(owner, "", slice(0, shape[0]))
    return None


def _heads(owner: Any, suffix: str, rows: slice) -> list[Part]:
    step = (rows.stop - rows.start) // owner.num_heads
    starts = [rows.start + head * step for head in range(owner.num_heads)]
    layout = torch_layout(2)
    return [
        (f"{suffix}:head{head}", replace(layout, part=(slice(start, start + step),)))
        for head, start in enumerate(starts)
    ]


def _table(owner: Any, weight: str, shape: tuple[int, ...]) -> Parts:
    return "is an embedding table, not a layer; include it by name to read it"


def _bilinear(owner: Any, weight: str, shape: tuple[int, ...]) -> Parts:
    return "is a bilinear form between three groups of neurons, not a layer"


def _norm(owner: Any, weight: str, shape: tuple[int, ...]) -> Parts:
    return "belongs to a normalisation: one number per element, not a layer"


_RULES: tuple[tuple[str, Callable[[Any, str, tuple[int, ...]], Parts]], ...] = (
    ("Linear", _linear),
    ("modules.conv._ConvNd", _convolution),
    ("RNNBase", _recurrent),
    ("RNNCellBase", _recurrent),
    ("MultiheadAttention", _attention),
    ("Embedding", _table),
    ("EmbeddingBag", _table),
    ("Bilinear", _bilinear),
    ("LayerNorm", _norm),
    ("RMSNorm", _norm),
)


def _is_module(value: Any) -> bool:
    packages = root_packages(value)  # on its PyTorch backend a Keras model is a module, too
    return "torch" in packages and not packages & {"keras", "tf_keras"} and hasattr(value, "named_modules")


TORCH = ModelKind(
    "torch",
    "torch.nn.Module",
    "a live model, pruned or parametrized ones too; each module tells its orientation",
    _is_module,
    module_source,
    fix_masks,
    remove_masks,
    imposed_masks,
    swap_layers,
    extra="torch",
)
