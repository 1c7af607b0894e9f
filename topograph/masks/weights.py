"""`Stored` and `Weight`: tensors by name, weights joined with their masks, and the gates within one weight."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.masks.layout import Layout, torch_layout
from topograph.masks.source import Entry

LSTM_GATES = ("input", "forget", "cell", "output")
GRU_GATES = ("reset", "update", "new")
ATTENTION = ("query", "key", "value")


@dataclass(frozen=True)
class Stored:
    """One named tensor: its shape, and the way to its values.

    Parameters
    ----------
    shape
        As stored.
    read
        Gives the values, only now touching the disk.
    problem
        Why it cannot be read; empty when it can.
    dtype
        The number format by its name in `topograph.masks.dtypes`; empty when unknown.
    note
        What the table should say of the values.
    """

    shape: tuple[int, ...]
    read: Callable[[], Any]
    problem: str = ""
    dtype: str = ""
    note: str = ""


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

    def entry(self, suffix: str, layout: Layout | None, reason: str = "", doubt: str = "") -> Entry:
        """The entry for the whole weight, or for the part of it whose name ends so."""
        name = self.name + suffix
        if self.mask is None:
            return Entry(name, self.values.read, layout, reason, note=self.note, doubt=doubt, shape=self.values.shape)
        values, mask = self.values.read, self.mask.read
        masked = partial(_masked, values, mask)
        return Entry(name, mask, layout, reason, weights=masked, note=self.note, doubt=doubt, shape=self.values.shape)


def join(name: str, stored: Stored, mask_name: str, mask: Stored, note: str = "") -> Weight:
    """A weight with the mask that lies beside it, spread over the weight's shape.

    Parameters
    ----------
    name
        The weight's name without the marks of pruning.
    stored, mask
        The weight and its mask; see `spread_shape` for the shapes that a mask may have.
    mask_name
        For the table and for errors.
    """
    shape = spread_shape(mask.shape, stored.shape)
    assert shape is not None

    def read() -> Any:
        values = mask.read()
        data = values.data if sp.issparse(values) else np.asarray(values)
        if not np.isin(data, (0, 1)).all():
            raise InvalidMaskError(f"its mask {mask_name} holds numbers other than 0 and 1")
        return values if mask.shape == stored.shape else np.broadcast_to(values.reshape(shape), stored.shape)

    words = f"edges of the mask {mask_name}"
    return Weight(name, stored, replace(mask, shape=stored.shape, read=read), "; ".join(filter(None, [words, note])))


def spread_shape(mask: tuple[int, ...], weight: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape in which a mask broadcasts over a weight; None when it does not.

    A mask has the weight's shape, or sides of 1 where it repeats. One number per output, or a matrix over the channels
    of a convolution, leaves the other axes out.

    Examples
    --------
    >>> spread_shape((64,), (64, 32)), spread_shape((1, 32), (64, 32)), spread_shape((7,), (64, 32))
    ((64, 1), (1, 32), None)
    """
    if len(mask) < len(weight):
        if len(mask) == 1 and mask[0] not in (1, weight[0]) and mask[0] == weight[-1]:
            mask = (*(1,) * (len(weight) - 1), *mask)
        else:
            mask = (*mask, *(1,) * (len(weight) - len(mask)))
    fits = len(mask) == len(weight) and all(a in (1, b) for a, b in zip(mask, weight, strict=True))
    return mask if fits and math.prod(mask) > 1 else None


def too_few_dimensions(name: str, stored: Stored) -> str:
    """Why a tensor cannot be a weight by its shape; empty when it can."""
    count = len(stored.shape)
    if count < 2:
        what = "bias: " if name.endswith("bias") else ""
        return f"{what}has {count} dimension{'s' * (count != 1)}, a mask has two or more"
    return f"is empty: shape {stored.shape}" if 0 in stored.shape else ""


def _masked(read_values: Callable[[], Any], read_mask: Callable[[], Any]) -> Any:
    values, mask = read_values(), read_mask()
    if sp.issparse(values) or sp.issparse(mask):
        return sp.csr_array(values).multiply(sp.csr_array(mask) != 0)
    return np.where(mask != 0, values, np.zeros((), dtype=values.dtype))


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
