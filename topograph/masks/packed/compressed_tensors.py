"""compressed-tensors: values beside a bitmask, packed integers, and 4-bit floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.masks.packed.bits import (
    BITS,
    Result,
    codes_of_words,
    pairs_of_floats,
    present,
    shape_of,
    unusable,
    words,
)
from topograph.masks.weights import Stored


def bitmask(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """compressed-tensors' sparse-bitmask: the non-zero values, and one bit per entry."""
    used = present(stem, tensors, ".compressed", ".bitmask", ".shape", ".row_offsets")
    if stem + ".compressed" not in tensors:
        return None
    bits, values = tensors[stem + ".bitmask"], tensors[stem + ".compressed"]
    shape = shape_of(tensors.get(stem + ".shape"))
    if shape is None or len(shape) != 2 or bits.dtype != "U8" or bits.shape != (shape[0], -(-shape[1] // 8)):
        return stem, unusable("sparse-bitmask", bits, "its bitmask does not fit its shape"), used

    def read() -> Any:
        mask = np.unpackbits(np.asarray(bits.read()), axis=1, count=shape[1], bitorder="little").astype(bool)
        kept = np.asarray(values.read()).ravel()
        if kept.size != np.count_nonzero(mask):
            raise InvalidMaskError(f"has {kept.size} values for {np.count_nonzero(mask)} bits of its bitmask")
        dense = np.zeros(shape, dtype=kept.dtype)
        dense[mask] = kept
        return dense

    return stem, Stored(shape, read, dtype=values.dtype, note="unpacked from a sparse bitmask"), used


def weight_packed(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """compressed-tensors' pack-quantized (integers with an offset) and nvfp4-pack-quantized (4-bit floats)."""
    ends = ("_packed", "_scale", "_shape", "_zero_point", "_g_idx", "_global_scale")
    used, packed = present(stem, tensors, *ends), tensors[stem + "_packed"]
    scale, shape = tensors.get(stem + "_scale"), shape_of(tensors.get(stem + "_shape"))
    if len(packed.shape) != 2 or scale is None:
        return stem, unusable("compressed-tensors", packed, "its scale is not beside it"), used
    if packed.dtype == "U8":
        return stem, replace(pairs_of_floats(packed), note="unpacked from 4-bit floats, without their scales"), used
    if shape is None or len(shape) != 2 or shape[0] != packed.shape[0] or not shape[1]:
        return stem, unusable("compressed-tensors", packed, "its shape is not beside it"), used
    bits = 32 * packed.shape[1] // shape[1]
    if bits not in BITS or -(-shape[1] * bits // 32) != packed.shape[1]:
        return stem, unusable("compressed-tensors", packed, f"{bits} bits cannot be unpacked"), used
    points = tensors.get(stem + "_zero_point")
    if points is not None and (len(points.shape) != 2 or points.shape[0] != -(-shape[0] * bits // 32)):
        return stem, unusable("compressed-tensors", packed, "its zero points do not fit"), used

    def read() -> Any:
        quantized = codes_of_words(words(packed.read()), bits)[:, : shape[1]].astype(np.int64)
        factors = np.asarray(scale.read(), dtype=np.float32).reshape(shape[0], -1)
        groups = np.arange(shape[1]) * factors.shape[1] // shape[1]
        if points is None:
            centred = quantized - (1 << (bits - 1))
        else:
            centre = codes_of_words(words(points.read()).T, bits).T[: shape[0]].astype(np.int64)
            centred = quantized - centre[:, np.arange(shape[1]) * centre.shape[1] // shape[1]]
        return (centred * factors[:, groups]).astype(np.float32)

    note = f"unpacked from compressed-tensors' {bits} bits"
    return stem, Stored(shape, read, dtype="F32", note=note), used
