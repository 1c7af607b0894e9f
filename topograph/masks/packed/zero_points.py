"""8-bit integers with zero points beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.masks.packed.bits import (
    Result,
    present,
)
from topograph.masks.weights import Stored


def zero_points(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """8-bit integers with a zero point beside them."""
    weight, points = tensors.get(stem), tensors[stem + "_zero_point"]
    if weight is None or weight.dtype not in ("I8", "U8") or len(weight.shape) < 2:
        return None
    used = present(stem, tensors, "_zero_point", "_scale")

    def read() -> Any:
        centre = np.asarray(points.read(), dtype=np.int64)
        shape = centre.shape
        if centre.size == 1:
            centre = centre.reshape(())
        elif len(shape) == 1 and shape[0] == weight.shape[0]:
            centre = centre.reshape(-1, *[1] * (len(weight.shape) - 1))
        elif (
            len(shape) == 2
            and len(weight.shape) == 2
            and shape[0] == weight.shape[0]
            and not weight.shape[1] % shape[1]
        ):
            centre = np.repeat(centre, weight.shape[1] // shape[1], axis=1)
        else:
            raise InvalidMaskError(f"has zero points of shape {shape}, which do not fit shape {weight.shape}")
        return np.asarray(weight.read(), dtype=np.int64) - centre

    return stem, replace(weight, read=read, dtype="I64", note="zero is its zero point"), used
