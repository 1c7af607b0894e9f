"""Kernels that Keras quantized to 4 bits: two numbers in one byte, with or without zero points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.masks.keras.layers import KerasLayer
from topograph.masks.weights import Stored


def unpack_kernel(path: str, variables: Mapping[str, Stored], layer: KerasLayer) -> Stored:
    """A kernel with its packed numbers unpacked; itself when it is not packed.

    Keras packs along the outputs, its older versions along the inputs: the sizes of the scale and of the layer's input
    tell. Zero is the zero point where there is one.
    """
    stored = variables[path]
    scale = variables.get(f"{path}_scale")
    if stored.dtype != "I8" or scale is None or len(stored.shape) < 2 or not scale.shape:
        return stored
    outputs, inputs = scale.shape[-1], layer.input_shape[-1] if layer.input_shape else None
    rows, columns = stored.shape[0], stored.shape[-1]
    if len(stored.shape) == 2 and columns != outputs and columns == -(-outputs // 2):
        zero, index = variables.get(f"{path}_zero"), variables.get(f"{path.rpartition('/')[0]}/g_idx")
        return replace(stored, shape=(rows, outputs), read=lambda: _values(stored, outputs, 1, zero, index), note=_NOTE)
    if len(stored.shape) == 2 and isinstance(inputs, int) and rows != inputs and rows == -(-inputs // 2):
        return replace(stored, shape=(inputs, columns), read=lambda: _values(stored, inputs, 0, None, None), note=_NOTE)
    if "int4" in _mode(layer) or (isinstance(inputs, int) and len(stored.shape) == 2 and rows != inputs):
        return replace(stored, problem="is packed to 4 bits by Keras, in a shape that cannot be unpacked here")
    return stored


_NOTE = "unpacked from Keras's 4 bits"


def _mode(layer: KerasLayer) -> str:
    """The quantization mode in a layer's configuration, such as ``"int4/128"``."""
    policy = layer.config.get("dtype")
    config = policy.get("config") if isinstance(policy, Mapping) else None
    return str(config.get("mode", "")) if isinstance(config, Mapping) else str(policy or "")


def _values(stored: Stored, length: int, axis: int, zero: Stored | None, index: Stored | None) -> Any:
    packed = np.asarray(stored.read()).view(np.uint8)
    low, high = (((half ^ 8).astype(np.int16) - 8) for half in (packed & 15, packed >> 4))  # signed 4-bit numbers
    both = np.stack([low, high], axis=axis + 1)
    whole = both.reshape(-1, packed.shape[1]) if axis == 0 else both.reshape(len(packed), -1)
    values = whole[:length] if axis == 0 else whole[:, :length]
    if zero is None:
        return values
    centre = np.asarray(zero.read()).astype(np.int16)
    groups = np.arange(len(values)) * len(centre) // len(values)
    if index is not None:
        groups = np.asarray(index.read()).astype(np.int64)
    if groups.shape != (len(values),) or groups.min(initial=0) < 0 or groups.max(initial=0) >= len(centre):
        raise InvalidMaskError("its index of groups does not fit its zero points")
    return values - centre[groups]
