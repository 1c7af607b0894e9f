"""bitsandbytes: two 4-bit codes to the byte."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.masks.packed.bits import (
    Result,
    json_of,
    present,
    unusable,
)
from topograph.masks.weights import Stored

NF4 = np.array(
    [
        *(-1.0, -0.69619280, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0),
        *(0.07958030, 0.16093020, 0.24611230, 0.33791524, 0.44070983, 0.56261700, 0.72295684, 1.0),
    ],
    dtype=np.float32,
)
"""The sixteen values of bitsandbytes' normal float."""


FP4 = np.array(
    [0, 0.0052083, 0.6666667, 1, 0.3333333, 0.5, 0.1666667, 0.25, 0, -0.0052083, -0.6666667, -1, -0.3333333, -0.5,
     -0.1666667, -0.25], dtype=np.float32,
)  # fmt: skip


def bitsandbytes(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """Two 4-bit codes to the byte, the first in the upper half; shape and kind in a JSON text beside it."""
    states = [f".quant_state.bitsandbytes__{kind}" for kind in ("nf4", "fp4")]
    more = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", *states)
    weight, used = tensors.get(stem), present(stem, tensors, *more)
    if weight is None or weight.dtype != "U8" or weight.shape[-1:] != (1,):
        return None
    state = next((tensors[stem + end] for end in states if stem + end in tensors), None)
    about = json_of(state)
    kind, shape = about.get("quant_type"), about.get("shape")
    sides = (
        tuple(shape) if isinstance(shape, list) and all(isinstance(side, int) and side >= 0 for side in shape) else ()
    )
    if kind not in ("nf4", "fp4") or len(sides) != 2 or -(-math.prod(sides) // 2) != weight.shape[0]:
        return stem, unusable("bitsandbytes", weight, "its kind and shape are not told beside it"), used
    absmax, told = tensors.get(stem + ".absmax"), about.get("blocksize")
    block = told if isinstance(told, int) and told > 0 else 0
    table = NF4 if kind == "nf4" else FP4
    scaled = absmax is not None and absmax.dtype.startswith("F") and block > 0

    def read() -> Any:
        codes = np.asarray(weight.read()).ravel()
        values = table[np.stack([codes >> 4, codes & 15], axis=1).ravel()[: math.prod(sides)]]
        if scaled and absmax is not None:
            factors = np.repeat(np.asarray(absmax.read(), dtype=np.float32), block)[: values.size]
            if factors.size != values.size:
                raise InvalidMaskError(f"has {factors.size} block scales for {values.size} values")
            values = values * factors
        return values.reshape(sides)

    note = f"unpacked from {kind}{'' if scaled else ', without block scales'}"
    return stem, Stored(sides, read, dtype="F32", note=note), used
