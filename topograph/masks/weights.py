"""`Stored` and `Weight`: tensors by name, weights joined with their masks, and the gates within one weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.masks.layout import Layout, torch_layout
from topograph.masks.source import Entry

LSTM_GATES = ("input", "forget", "cell", "output")
GRU_GATES = ("reset", "update", "new")
ATTENTION = ("query", "key", "value")


@dataclass(frozen=True)
class Stored:
    """One tensor of a state dict: its shape, and the way to its values."""

    shape: tuple[int, ...]
    read: Callable[[], Any]
    problem: str = ""


Part = tuple[str, Layout]
"""The end of a layer's name, and the layout of its piece of the tensor."""
Describe = Callable[[str, tuple[int, ...]], "Sequence[Part] | str | None"]
"""Describes a tensor of a live model: its parts, a reason to leave it out, or None when nothing is known."""


@dataclass(frozen=True)
class Weight:
    """One weight under the name that the network knows it by, with its mask if it has one."""

    name: str
    values: Stored
    mask: Stored | None = None
    note: str = ""

    def entry(self, suffix: str, layout: Layout | None, reason: str = "") -> Entry:
        """The entry for the whole weight, or for the part of it whose name ends so."""
        name = self.name + suffix
        if self.mask is None:
            return Entry(name, self.values.read, layout, reason, note=self.note)
        values, mask = self.values.read, self.mask.read
        return Entry(name, mask, layout, reason, weights=lambda: _masked(values(), mask()), note=self.note)


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
