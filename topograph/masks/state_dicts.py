"""Names of PyTorch's state dicts: which tensor is a weight, which its mask, which has gates in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.masks.layout import OUT_IN, Layout, layout_of, torch_layout
from topograph.masks.source import Entry

LSTM_GATES = ("input", "forget", "cell", "output")
GRU_GATES = ("reset", "update", "new")
ATTENTION = ("query", "key", "value")

_PARAMETRIZED = re.compile(r"(?P<module>.*?)(?P<dot>\.?)parametrizations\.(?P<weight>[^.]+)\.(?P<rest>.+)")
_RECURRENT = re.compile(r"(?P<prefix>.*)weight_(?P<kind>ih|hh|hr)_l(?P<layer>\d+)(?P<way>_reverse)?")
_OPTIMIZER = re.compile(r"(^|\.)(optim(izer)?s?(_state(_dict)?)?|lr_schedulers?|scheduler|scaler|ema_optimizer)(\.|$)")
_EMBEDDING = re.compile(r"(^|[._/])(\w*embed\w*|wte|wpe|pos_encoding|relative_attention_bias)([._/]|$)", re.IGNORECASE)
_MAYBE_DEPTHWISE = "if this is depthwise, pass geometry=Geometry(groups=…)"
_LEARNED_INPUT = re.compile(r"embed|token|query_tokens|latents|prompt", re.IGNORECASE)
_EXPERTS = re.compile(r"(^|[._])experts?([._]|$)")


@dataclass(frozen=True)
class Stored:
    """One tensor of a state dict: its shape, and the way to its values."""

    shape: tuple[int, ...]
    read: Callable[[], Any]
    problem: str = ""


Part = tuple[str, Layout]
"""The end of a layer's name, and the layout of its piece of the tensor."""
Describe = Callable[[str, tuple[int, ...]], "Sequence[Part] | str | None"]
"""What a live model knows of a tensor: its parts, a reason to set it aside, or None for nothing."""


@dataclass(frozen=True)
class Weight:
    """One weight under the name that the network knows it by, with its mask if it has one."""

    name: str
    values: Stored
    mask: Stored | None = None
    note: str = ""

    def entry(self, suffix: str, layout: Layout | None, set_aside: str = "") -> Entry:
        """The entry for the whole weight, or for the part of it whose name ends so."""
        name = self.name + suffix
        if self.mask is None:
            return Entry(name, self.values.read, layout, set_aside, note=self.note)
        values, mask = self.values.read, self.mask.read
        return Entry(name, mask, layout, set_aside, weights=lambda: _masked(values(), mask()), note=self.note)


def state_entries(
    tensors: Mapping[str, Stored], orientation: str = OUT_IN, describe: Describe | None = None
) -> Iterator[Entry]:
    """Entries for the tensors of a state dict.

    Parameters
    ----------
    tensors
        Name → tensor, in the order of the source.
    orientation
        How the format lays out a weight of which nothing else is known.
    describe
        What is known of the tensor of a name.
    """
    hidden = {name: stored.shape for name, stored in tensors.items() if len(stored.shape) == 2}
    for item in paired(tensors, _mask_names, _plain_name, _hopeless):
        if isinstance(item, Entry):
            yield item
            continue
        known = describe(item.name, item.values.shape) if describe is not None else None
        aside = known if isinstance(known, str) else "" if known is not None else _set_aside(item)
        parts = known if known is not None and not isinstance(known, str) else _parts(item, orientation, hidden)
        if known is None and len(item.values.shape) > 2 and item.values.shape[1] == 1 < item.values.shape[0]:
            item = replace(item, note=f"{item.note}; {_MAYBE_DEPTHWISE}".removeprefix("; "))
        for suffix, layout in parts:
            yield item.entry(suffix, layout, aside)


def _masked(values: Any, mask: Any) -> Any:
    if sp.issparse(values) or sp.issparse(mask):
        return sp.csr_array(values).multiply(sp.csr_array(mask) != 0)
    return np.where(mask != 0, values, np.zeros((), dtype=values.dtype))


def paired(
    tensors: Mapping[str, Stored],
    mask_names: Callable[[str, Mapping[str, Stored]], Iterator[str]],
    plain_name: Callable[[str], str],
    hopeless: Callable[[str], str],
) -> Iterator[Weight | Entry]:
    """Join weights with their masks; whatever cannot be a weight comes with the reason.

    Parameters
    ----------
    tensors
        Name → tensor.
    mask_names
        Names that the mask of the tensor of a name may have.
    plain_name
        The name without the marks of pruning.
    hopeless
        Why a tensor of this name is never a weight; empty when it may be one.
    """
    mask_of = {}
    for name, stored in tensors.items():
        if len(stored.shape) >= 2 and not stored.problem:
            partners = (mask for mask in mask_names(name, tensors) if _is_mask(tensors.get(mask), stored))
            mask_of[name] = next(partners, "")
    used = set(mask_of.values())
    for name, stored in tensors.items():
        if name in used:
            continue
        count = len(stored.shape)
        reason = hopeless(name) or stored.problem
        if not reason and count < 2:
            what = "bias: " if name.endswith("bias") else ""
            reason = f"{what}has {count} dimension{'s' * (count != 1)}, a mask has two or more"
        if not reason and 0 in stored.shape:
            reason = f"is empty: shape {stored.shape}"
        if reason:
            yield Entry.left_out(name, reason)
        elif mask_of[name]:
            yield Weight(plain_name(name), stored, tensors[mask_of[name]], f"edges of the mask {mask_of[name]}")
        elif "parametrizations" in name:
            yield Weight(plain_name(name), stored, note=f"read from {name}: the parametrization itself is code")
        else:
            yield Weight(plain_name(name), stored)


def _is_mask(mask: Stored | None, weight: Stored) -> bool:
    return mask is not None and mask.shape == weight.shape and not mask.problem


def _hopeless(name: str) -> str:
    return "is the optimizer's state" if _OPTIMIZER.search(name) else ""


def _mask_names(name: str, tensors: Mapping[str, Stored]) -> Iterator[str]:
    """Names that the mask of the tensor ``name`` may have."""
    if name.endswith("mask"):
        return
    if name.endswith("_orig"):  # torch.nn.utils.prune
        yield name.removesuffix("_orig") + "_mask"
    parametrized = _PARAMETRIZED.fullmatch(name)
    if parametrized and parametrized["rest"] in ("original", "original1"):
        stem = name.removesuffix(parametrized["rest"])
        yield from (other for other in tensors if other.startswith(stem) and "mask" in other.removeprefix(stem))
    module, dot, weight = name.rpartition(".")
    computed = f"{module}{dot}parametrizations.{weight}."  # of a live module
    yield from (other for other in tensors if other.startswith(computed) and "mask" in other.removeprefix(computed))
    if weight == "weight":
        yield from (f"{name}_mask", f"{module}{dot}mask", f"{module}{dot}weight.mask", f"{module}{dot}mask_weight")


def _plain_name(name: str) -> str:
    """The name of a weight without the marks of pruning and parametrization."""
    parametrized = _PARAMETRIZED.fullmatch(name)
    if parametrized and parametrized["rest"] in ("original", "original1"):
        return f"{parametrized['module']}{parametrized['dot']}{parametrized['weight']}"
    return name.removesuffix("_orig")


def _set_aside(item: Weight) -> str:
    name, ndim = item.name, len(item.values.shape)
    last = name.rpartition(".")[2]
    if last in ("bias", "masked_bias", "relative_position_bias_table"):
        return "bias: not a layer's weight"
    if last.endswith(("position_ids", "token_type_ids", "relative_position_index")):
        return "holds indices, not weights"
    if last in ("original0", "weight_g"):
        return "is the scale of a weight-normalised layer"
    if ndim > 2 and last != "weight" and _LEARNED_INPUT.search(last):
        return "is a learned input, no layer pair"
    if ndim == 3 and _EXPERTS.search(name):
        return "stacks the matrices of experts, in an orientation that the format does not say; see orientation="
    if ndim == 2 and _EMBEDDING.search(name):
        return "looks like an embedding, a table and no layer pair; include it by name to read it"
    return ""


def _parts(item: Weight, orientation: str, hidden: Mapping[str, tuple[int, ...]]) -> Sequence[Part]:
    """A weight's layout, cut into gates where its name says that it has them."""
    shape = item.values.shape
    layout = layout_of(orientation, len(shape))
    if orientation != OUT_IN or len(shape) != 2:
        return [("", layout)]
    recurrent = _RECURRENT.fullmatch(item.name)
    if recurrent and recurrent["kind"] != "hr":
        partner = f"{recurrent['prefix']}weight_hh_l{recurrent['layer']}{recurrent['way'] or ''}"
        state = hidden.get(partner) or hidden.get(partner + "_orig")
        return gate_parts(shape, _gates(state))
    if item.name.endswith("in_proj_weight") and shape[0] % 3 == 0:
        return gate_parts(shape, ATTENTION)
    return [("", layout)]


def _gates(state: tuple[int, ...] | None) -> tuple[str, ...]:
    """LSTM, GRU or plain: the hidden-to-hidden weight is (gates · hidden) × hidden."""
    if state is None or not state[1] or state[0] % state[1]:
        return ()
    return {4: LSTM_GATES, 3: GRU_GATES}.get(state[0] // state[1], ())


def gate_parts(shape: Sequence[int], gates: Sequence[str]) -> list[Part]:
    """One part for each gate along the outputs of an outputs × inputs weight."""
    layout = torch_layout(2)
    if not gates or shape[0] % len(gates):
        return [("", layout)]
    step = shape[0] // len(gates)
    return [
        (f":{gate}", replace(layout, part=(slice(number * step, (number + 1) * step),)))
        for number, gate in enumerate(gates)
    ]
