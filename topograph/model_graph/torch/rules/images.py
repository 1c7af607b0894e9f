"""Convolutions and poolings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.errors import UnsupportedModelError
from topograph.model_graph.operators import Pattern
from topograph.model_graph.references import Ids
from topograph.model_graph.windows import adaptive_windows, convolution_windows
from topograph.packages import require

if TYPE_CHECKING:
    from topograph.model_graph.torch.reading import ModelReading

torch: Any = require("torch", "torch")

_INTERPOLATIONS = (
    "upsample_linear1d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "upsample_trilinear3d",
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
)


@cache
def kernels(groups: int, transposed: bool) -> Any:
    """From a kernel as PyTorch keeps it to ``groups × (inputs, taps) × outputs``."""

    def arrange(values: Any) -> Any:
        if transposed:  # inputs × outputs of a group × taps
            inputs, outputs = values.shape[:2]
            split = values.reshape(groups, inputs // groups, outputs, -1)
            return split.transpose(0, 1, 3, 2).reshape(groups, -1, outputs)
        outputs, inputs = values.shape[:2]
        split = values.reshape(groups, outputs // groups, inputs, -1)
        return split.transpose(0, 2, 3, 1).reshape(groups, -1, outputs // groups)

    return arrange


def _windows_of(units: Ids, windows: Ids) -> Ids:
    """Units of an image ``batch × channels × …`` in windows: ``batch × channels × positions × taps``."""
    flat = units.reshape(*units.shape[:2], -1)
    padded = np.concatenate([flat, np.zeros((*flat.shape[:2], 1), dtype=np.int64)], axis=2)
    return padded[:, :, windows]


def _spread(value: Any, dimensions: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * dimensions if len(values) == 1 else values


def _convolution(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
    image, kernel, _, stride, padding, dilation, transposed, _, groups = args[:9]
    if reading.is_live(kernel):
        raise UnsupportedModelError(
            f"the kernel of a convolution{reading.place()} depends on the input: this cannot be read as edges"
        )
    dimensions = kernel.dim() - 2
    units = reading.units(image)
    if units.ndim == dimensions + 1:
        units = units[None]
    windows = convolution_windows(
        units.shape[2:],
        results.shape[results.dim() - dimensions :],
        kernel.shape[2:],
        *(_spread(value, dimensions) for value in (stride, padding, dilation)),
        transposed=transposed,
    )
    batch, channels = units.shape[:2]
    positions = len(windows)
    sources = _windows_of(units, windows).reshape(batch, groups, channels // groups, positions, -1)
    sources = sources.transpose(0, 3, 1, 2, 4).reshape(batch * positions, groups, -1)
    targets = reading.builder.contract(sources, reading.weights.pattern(kernel, kernels(groups, transposed)))
    reading.set_units(results, targets.reshape(batch, positions, -1).transpose(0, 2, 1))


def _pool(dimensions: int) -> Any:
    """Largest or mean of each window."""

    def rule(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
        result = results[0] if isinstance(results, (tuple, list)) else results
        named = ("kernel_size", "stride", "padding", "dilation")
        given = dict(zip(named, args[1:], strict=False)) | {name: kwargs[name] for name in named if name in kwargs}
        size = _spread(given["kernel_size"], dimensions)
        stride = given.get("stride") or size
        is_mean = not isinstance(results, (tuple, list))
        spread = 1 if is_mean else given.get("dilation", 1)
        units = _with_batch(reading.units(args[0]), dimensions)
        windows = convolution_windows(
            units.shape[2:],
            result.shape[result.dim() - dimensions :],
            size,
            _spread(stride, dimensions),
            _spread(given.get("padding", 0), dimensions),
            _spread(spread, dimensions),
        )
        reading.set_units(result, reading.builder.reduce(_windows_of(units, windows)))

    return rule


def _adaptive(dimensions: int) -> Any:
    def rule(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
        result = results[0] if isinstance(results, (tuple, list)) else results
        units = _with_batch(reading.units(args[0]), dimensions)
        windows = adaptive_windows(units.shape[2:], result.shape[result.dim() - dimensions :])
        reading.set_units(result, reading.builder.reduce(_windows_of(units, windows)))

    return rule


def _with_batch(units: Ids, dimensions: int) -> Ids:
    missing = dimensions + 2 - units.ndim
    return units.reshape((1,) * missing + units.shape)


def _interpolation(name: str) -> Any:
    """An interpolation: which input position each output position takes from, by doing it on images of one pixel."""

    def rule(reading: ModelReading, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> None:
        units = reading.units(args[0])
        size, places = units.shape[2:], math.prod(units.shape[2:])
        images = torch.eye(places, dtype=torch.float64).reshape(places, 1, *size)
        edges = getattr(torch.ops.aten, name)(images, *args[1:]).reshape(places, -1) != 0
        targets = reading.builder.contract(units.reshape(-1, 1, places), Pattern(edges.numpy()[None]))
        reading.set_units(results, targets)

    return rule


RULES = {
    "convolution": _convolution,
    "_convolution": _convolution,
    **{name: _interpolation(name) for name in _INTERPOLATIONS},
    **{f"max_pool{n}d_with_indices": _pool(n) for n in (2, 3)},
    **{f"avg_pool{n}d": _pool(n) for n in (1, 2, 3)},
    **{f"_adaptive_avg_pool{n}d": _adaptive(n) for n in (2, 3)},
    **{f"adaptive_avg_pool{n}d": _adaptive(n) for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": _adaptive(n) for n in (1, 2, 3)},
}
"""Rules by the name of the operation."""
