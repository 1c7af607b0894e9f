"""MLX: codes with a scale and an offset per group of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from topograph.masks.packed.bits import (
    BITS,
    Result,
    codes_of_words,
    present,
    unusable,
    words,
)
from topograph.masks.weights import Stored


def mlx(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """MLX: value = scale · code + bias, for each group of inputs; the configuration tells bits and group size."""
    weight, scales, biases = (tensors.get(stem + end) for end in (".weight", ".scales", ".biases"))
    if weight is None or scales is None or biases is None or weight.dtype not in ("U32", "I32"):
        return None
    used, target = present(stem, tensors, ".scales", ".biases"), stem + ".weight"
    bits, size = (value if isinstance(value, int) else 0 for value in map(settings.get, ("bits", "group_size")))
    fits = (
        bits in BITS
        and size > 0
        and len(weight.shape) == 2
        and scales.shape == biases.shape == (weight.shape[0], weight.shape[1] * 32 // bits // size)
    )
    if not fits:
        return target, unusable("MLX", weight, "its bits and group size are told by a config.json beside it"), used

    def read() -> Any:
        codes = codes_of_words(words(weight.read()), bits).astype(np.float32)
        factors, offsets = (np.repeat(np.asarray(part.read(), np.float32), size, axis=1) for part in (scales, biases))
        values = codes * factors + offsets
        return np.where(np.abs(values) < np.abs(factors) / 64, 0, values).astype(np.float32)

    shape = (weight.shape[0], weight.shape[1] * 32 // bits)
    return target, Stored(shape, read, dtype="F32", note=f"unpacked from MLX's {bits} bits"), used
