"""The bits of packed tensors: codes in words, pairs of 4-bit floats, and what lies beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError
from topograph.masks.weights import Stored

Array = npt.NDArray[Any]
Result = tuple[str, Stored, tuple[str, ...]] | None
"""Name and tensor after unpacking, and the names of what it was made of."""
BITS = (2, 4, 8)
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], dtype=np.float32)
"""The sixteen values of a 4-bit float."""


def present(stem: str, tensors: Mapping[str, Stored], *ends: str) -> tuple[str, ...]:
    """Those names with a stem that there are."""
    return tuple(stem + end for end in ends if stem + end in tensors)


def unusable(name: str, stored: Stored, reason: str) -> Stored:
    """A packed tensor that cannot be unpacked, and why."""
    return Stored(stored.shape, stored.read, f"is packed{f' ({name})' if name else ''}: {reason}")


def words(values: Any) -> npt.NDArray[np.uint32]:
    """32-bit words as unsigned integers."""
    found = np.ascontiguousarray(values)
    if found.dtype.itemsize != 4 or found.dtype.kind not in "iu":
        raise InvalidMaskError(f"is packed in {found.dtype}, but 32-bit words were expected")
    return found.view(np.uint32)


def codes_of_words(packed: npt.NDArray[np.uint32], bits: int) -> npt.NDArray[np.int64]:
    """The codes of ``bits`` bits in each word, lowest bits first, along the last axis."""
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    codes = (packed[..., None] >> shifts) & np.uint32((1 << bits) - 1)
    return codes.reshape(*packed.shape[:-1], -1).astype(np.int64)


def pairs_of_floats(packed: Stored) -> Stored:
    """Two 4-bit floats to the byte, the first in the lower half."""

    def read() -> Any:
        codes = np.asarray(packed.read()).view(np.uint8)
        return E2M1[np.stack([codes & 15, codes >> 4], axis=-1).reshape(*codes.shape[:-1], -1)]

    return Stored((*packed.shape[:-1], 2 * packed.shape[-1]), read, dtype="F32")


def unpacked_floats(packed: Stored) -> Stored:
    """A tensor of pairs of 4-bit floats, unpacked along its last axis."""
    return replace(pairs_of_floats(packed), note="unpacked from 4-bit floats")


def shape_of(stored: Stored | None) -> tuple[int, ...] | None:
    """A shape that is stored as a tensor; None where it is none."""
    if stored is None or stored.problem or len(stored.shape) != 1 or stored.shape[0] > 8:
        return None
    sides = np.asarray(stored.read())
    return tuple(int(side) for side in sides) if sides.dtype.kind in "iu" and (sides >= 0).all() else None


def json_of(stored: Stored | None) -> dict[str, Any]:
    """A JSON object that is stored as the bytes of a tensor; empty where it is none."""
    if stored is None or stored.problem or stored.dtype != "U8" or math.prod(stored.shape) > 1 << 16:
        return {}
    try:
        parsed = json.loads(np.asarray(stored.read()).astype(np.uint8).tobytes().rstrip(b"\0"))
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
