"""Which positions of an image each output position of a convolution or a pooling reads."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]


def convolution_windows(
    image: Sequence[int],
    outputs: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    *,
    transposed: bool = False,
) -> Places:
    """For each output position and each tap the flat input position, −1 where there is none.

    Returns
    -------
    numpy.ndarray
        Shape ``(output positions, taps)``.

    Examples
    --------
    >>> convolution_windows([3], [3], [3], [1], [1], [1]).tolist()
    [[-1, 0, 1], [0, 1, 2], [1, 2, -1]]
    >>> convolution_windows([2], [4], [2], [2], [0], [1], transposed=True).tolist()
    [[0, -1], [-1, 0], [1, -1], [-1, 1]]
    """
    axes = []
    for size, out, taps, step, pad, spread in zip(image, outputs, kernel, stride, padding, dilation, strict=True):
        place, tap = np.arange(out)[:, None], np.arange(taps)[None, :]
        if transposed:
            read, rest = np.divmod(place + pad - tap * spread, step)
            read = np.where(rest == 0, read, -1)
        else:
            read = place * step - pad + tap * spread
        axes.append(np.where((read >= 0) & (read < size), read, -1))
    return _joined(axes, image)


def adaptive_windows(image: Sequence[int], outputs: Sequence[int]) -> Places:
    """As `convolution_windows`, for adaptive pooling.

    Examples
    --------
    >>> adaptive_windows([3], [2]).tolist()
    [[0, 1], [1, 2]]
    """
    axes = []
    for size, out in zip(image, outputs, strict=True):
        place = np.arange(out)
        start, end = place * size // out, -(-(place + 1) * size // out)
        read = start[:, None] + np.arange(int((end - start).max()))
        axes.append(np.where(read < end[:, None], read, -1))
    return _joined(axes, image)


def _joined(axes: Sequence[Places], image: Sequence[int]) -> Places:
    """Row-major positions of all combinations along the axes."""
    places = math.prod(len(axis) for axis in axes)
    taps = math.prod(axis.shape[1] for axis in axes)
    flat = np.zeros((1, 1), dtype=np.int64)
    for axis, size in zip(axes, image, strict=True):
        a, b = flat[:, None, :, None], axis[None, :, None, :]
        flat = np.where((a < 0) | (b < 0), -1, a * size + b)
        flat = flat.reshape(flat.shape[0] * flat.shape[1], -1)
    return flat.reshape(places, taps)
