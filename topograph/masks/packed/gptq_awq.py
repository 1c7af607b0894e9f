"""GPTQ and AWQ: integers of a few bits in 32-bit words, with scales and zero points per group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.masks.packed.bits import (
    BITS,
    Array,
    Result,
    codes_of_words,
    present,
    unusable,
    words,
)
from topograph.masks.weights import Stored

Values = Callable[[], Any]


_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)


def qweight(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """GPTQ packs along the inputs, AWQ along the outputs; both have a zero point for each group."""
    weight, scales, zeros = (tensors.get(stem + end) for end in (".qweight", ".scales", ".qzeros"))
    used = present(stem, tensors, ".qweight", ".scales", ".qzeros", ".g_idx", ".qweight_type")
    target = stem + ".weight"
    assert weight is not None
    if scales is None or zeros is None or any(len(part.shape) != 2 for part in (weight, scales, zeros)):
        return target, unusable("", weight, "its scales and zero points are not beside it"), used
    index = tensors.get(stem + ".g_idx")
    rows, columns = weight.shape
    n_groups, outputs = scales.shape
    if columns == outputs and rows:  # GPTQ
        n_inputs = index.shape[0] if index is not None and len(index.shape) == 1 else 0
        bits = settings.get("bits") or (32 * rows // n_inputs if n_inputs else 0)
        if bits not in BITS or 32 % bits or zeros.shape != (n_groups, -(-outputs * bits // 32)):
            return target, unusable("GPTQ", weight, "the number of bits is not told, or not 2, 4 or 8"), used
        n_inputs = rows * 32 // bits
        version = 2 if settings.get("checkpoint_format") == "gptq_v2" else 1
        read = _gptq(weight, scales, zeros, index, bits, version)
        note = f"unpacked from GPTQ's {bits} bits: zero is its zero point"
    elif columns * 8 == outputs:  # AWQ has four bits only
        n_inputs = rows
        if zeros.shape != (n_groups, columns) or not n_groups:
            return target, unusable("AWQ", weight, "its zero points do not fit"), used
        read = _awq(weight, scales, zeros)
        note = "unpacked from AWQ's 4 bits: zero is its zero point"
    else:
        return target, unusable("", weight, "its scales fit neither GPTQ nor AWQ"), used
    return target, Stored((outputs, n_inputs), read, dtype="F32", note=note), used


def _gptq(weight: Stored, scales: Stored, zeros: Stored, index: Stored | None, bits: int, version: int) -> Values:
    def read() -> Any:
        quantized = codes_of_words(words(weight.read()).T, bits).T  # inputs × outputs
        points = codes_of_words(words(zeros.read()), bits)[:, : quantized.shape[1]].astype(np.int64)
        middle = 1 << (bits - 1)
        if version == 1 and not (points == middle).all():  # the first version stores one less
            points = points + 1
        factors = np.asarray(scales.read(), dtype=np.float32)
        n_inputs = quantized.shape[0]
        if index is None:
            groups = np.arange(n_inputs) // max(1, -(-n_inputs // len(factors)))
        else:
            groups = np.asarray(index.read()).astype(np.int64)
        if groups.shape != (n_inputs,) or groups.min() < 0 or groups.max() >= len(factors):
            raise InvalidMaskError("its index of groups does not fit its scales")
        return ((quantized - points[groups]) * factors[groups]).astype(np.float32).T

    return read


def _awq(weight: Stored, scales: Stored, zeros: Stored) -> Values:
    def unshuffled(stored: Stored) -> Array:
        plain = codes_of_words(words(stored.read()), 4)
        return plain.reshape(len(plain), -1, 8)[:, :, _AWQ_ORDER].reshape(plain.shape).astype(np.int64)

    def read() -> Any:
        quantized, points = unshuffled(weight), unshuffled(zeros)
        factors = np.asarray(scales.read(), dtype=np.float32)
        groups = np.arange(len(quantized)) // max(1, -(-len(quantized) // len(factors)))
        return ((quantized - points[groups]) * factors[groups]).astype(np.float32).T

    return read
