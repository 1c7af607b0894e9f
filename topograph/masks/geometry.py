"""`Geometry`: stride, padding and image of a convolution, which its weights do not tell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.checks import check_integer
from topograph.errors import InvalidParameterError

Sizes = int | Sequence[int] | None
Padding = int | str | Sequence[int | Sequence[int]] | None
_SAME = ("same", "same_lower")


@dataclass(frozen=True)
class Geometry:
    """How a convolution lies over its image: needed for ``unfold="unrolled"``, and for grouped weights.

    A field that is None is unknown; what a file or a model says is then used, and 1 (stride, dilation, groups) or 0
    (padding) when it says nothing either. Only ``input_size`` has no default.

    Parameters
    ----------
    input_size
        Height and width (or as many numbers as the kernel has dimensions) of the layer's input.
    stride, dilation
        One number, or one for each dimension.
    padding
        One number, one for each dimension, a pair (before, after) for each dimension, ``"same"`` or ``"valid"``.
    groups
        Number of groups.
    transposed
        Whether the convolution is a transposed one.

    Examples
    --------
    >>> Geometry(input_size=(5, 5), stride=2).output_size((3, 3))
    (2, 2)
    """

    input_size: Sizes = None
    stride: Sizes = None
    padding: Padding = None
    dilation: Sizes = None
    groups: int | None = None
    transposed: bool = False

    def __post_init__(self) -> None:
        for name in ("input_size", "stride", "dilation"):
            value = getattr(self, name)
            if value is not None:
                values = [value] if isinstance(value, (int, np.integer)) else list(value)
                object.__setattr__(self, name, tuple(check_integer(name, size, low=1) for size in values))
        if self.groups is not None:
            object.__setattr__(self, "groups", check_integer("groups", self.groups, low=1))

    def updated(self, other: Geometry | None) -> Geometry:
        """The same geometry, with every field that ``other`` knows taken from there."""
        if other is None:
            return self
        known = {
            name: value
            for name in ("input_size", "stride", "padding", "dilation", "groups")
            if (value := getattr(other, name)) is not None
        }
        return replace(self, **known)

    # ------------------------------------------------------------------ positions

    def output_size(self, kernel: Sequence[int]) -> tuple[int, ...]:
        """Size of the output image for a kernel of the given size."""
        return tuple(
            output for output, _ in (self._dimension(axis, taps, len(kernel)) for axis, taps in enumerate(kernel))
        )

    def image_size(self, kernel: Sequence[int]) -> tuple[int, ...]:
        """Size of the input image, one number for each dimension of the kernel."""
        return _per_dimension("input_size", self.input_size, len(kernel), None)

    def tap_positions(self, kernel: Sequence[int]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """For each tap: the flat input positions it reads and the flat output positions it writes, padding removed."""
        dimensions = len(kernel)
        inputs, outputs = self.image_size(kernel), self.output_size(kernel)
        along = []
        for axis, taps in enumerate(kernel):
            _, before = self._dimension(axis, taps, dimensions)
            stride, dilation = self._steps(axis, dimensions)
            small, large = (inputs[axis], outputs[axis]) if self.transposed else (outputs[axis], inputs[axis])
            pairs = []
            for tap in range(taps):
                place = np.arange(small) * stride - before + tap * dilation
                inside = np.flatnonzero((place >= 0) & (place < large))
                pairs.append((inside, place[inside]) if self.transposed else (place[inside], inside))
            along.append(pairs)
        return [
            (_flat([pair[0] for pair in tap], inputs), _flat([pair[1] for pair in tap], outputs))
            for tap in itertools.product(*along)
        ]

    def _steps(self, axis: int, dimensions: int) -> tuple[int, int]:
        stride = _per_dimension("stride", self.stride, dimensions, 1)[axis]
        return stride, _per_dimension("dilation", self.dilation, dimensions, 1)[axis]

    def _dimension(self, axis: int, taps: int, dimensions: int) -> tuple[int, int]:
        """Output size along one dimension, and the padding before the first input."""
        size = _per_dimension("input_size", self.input_size, dimensions, None)[axis]
        stride, dilation = self._steps(axis, dimensions)
        span = dilation * (taps - 1) + 1
        if isinstance(self.padding, str):
            if self.padding == "valid":
                before, output = 0, ((size - 1) * stride + max(span, stride) if self.transposed else -1)
            elif self.padding in _SAME:
                output = size * stride if self.transposed else -(-size // stride)
                total = max(span - stride, 0) if self.transposed else max((output - 1) * stride + span - size, 0)
                before = total - total // 2 if self.padding == "same_lower" else total // 2
            else:
                raise InvalidParameterError(
                    f"padding must be numbers, 'same' or 'valid', but got padding={self.padding!r}"
                )
            if output < 0:
                output = (size - span) // stride + 1
        else:
            before, after = _padding_pairs(self.padding, dimensions)[axis]
            if self.transposed:
                output = (size - 1) * stride - before - after + span
            else:
                output = (size + before + after - span) // stride + 1
        if output < 1:
            raise InvalidParameterError(
                f"an input of size {size} is too small for a kernel of {taps} taps with {self}: no output is left"
            )
        return output, before


def _flat(places: Sequence[npt.NDArray[np.int64]], size: Sequence[int]) -> npt.NDArray[np.int64]:
    """Row-major numbers of the grid of all combinations of ``places``."""
    flat = np.zeros(1, dtype=np.int64)
    for place, length in zip(places, size, strict=True):
        flat = (flat[:, None] * length + place).ravel()
    return flat


def _per_dimension(name: str, value: Any, dimensions: int, default: int | None) -> tuple[int, ...]:
    if value is None:
        if default is None:
            raise InvalidParameterError(f"{name} is unknown; pass geometry=Geometry({name}=…)")
        return (default,) * dimensions
    values = tuple(value)
    if len(values) == 1:
        return values * dimensions
    if len(values) != dimensions:
        raise InvalidParameterError(f"{name} must hold 1 or {dimensions} numbers, but got {name}={values}")
    return values


def _padding_pairs(padding: Any, dimensions: int) -> list[tuple[int, int]]:
    if padding is None:
        return [(0, 0)] * dimensions
    values = [padding] * dimensions if isinstance(padding, (int, np.integer)) else list(padding)
    if len(values) == 1:
        values = values * dimensions
    pairs = [(value, value) if isinstance(value, (int, np.integer)) else tuple(value) for value in values]
    if len(pairs) != dimensions or any(len(pair) != 2 for pair in pairs):
        raise InvalidParameterError(f"padding must hold 1 or {dimensions} numbers or pairs, but got {padding!r}")
    # after a transposed convolution the padding may be negative: rows that are added
    return [(check_integer("padding", a, low=0), check_integer("padding", b, low=-(2**31))) for a, b in pairs]
