"""MXFP4: blocks of 4-bit floats with one power of two each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from topograph.masks.packed.bits import (
    Result,
    pairs_of_floats,
)
from topograph.masks.weights import Stored


def mxfp4_blocks(stem: str, tensors: Mapping[str, Stored], settings: Mapping[str, Any]) -> Result:
    """MXFP4: blocks of 32 4-bit floats with one power of two each; outputs × inputs, for each expert."""
    blocks, scales = tensors[stem + "_blocks"], tensors.get(stem + "_scales")
    if scales is None or blocks.dtype != "U8" or blocks.shape[:-1] != scales.shape or blocks.shape[-1:] != (16,):
        return None
    shape = (*blocks.shape[:-2], blocks.shape[-2] * 32)

    def read() -> Any:
        powers = np.exp2(np.asarray(scales.read(), dtype=np.float32) - 127.0)
        values = pairs_of_floats(blocks).read() * powers[..., None]
        return values.reshape(shape)

    return stem, Stored(shape, read, dtype="F32", note="unpacked from MXFP4"), (stem + "_blocks", stem + "_scales")
