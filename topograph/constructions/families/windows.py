"""Local receptive fields: each output looks at a window of an image."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from topograph.checks import check_integer
from topograph.constructions.guarantees import EXACT_EDGES, RIGHT_REGULAR
from topograph.constructions.registry import construction
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph


@construction(
    "local_windows",
    summary="the outputs whose window of `window` pixels, on an image of `grid` pixels, holds pixel i",
    guarantees=(EXACT_EDGES, RIGHT_REGULAR),
    reference="LeCun et al. (1989), Backpropagation applied to handwritten zip code recognition (local receptive "
    "fields, here without shared weights)",
    sized_by="fixed",
    implied_degree=True,
    examples=(
        (36, 10, {"window": 3}),
        (36, 9, {"degree": 1}),
        (20, 7, {"grid": (4, 5), "window": (2, 3)}),
        (30, 8, {"grid": (1, 30), "window": (1, 7)}),
    ),
)
def local_windows(
    n_left: int,
    n_right: int,
    degree: float | None,
    generator: np.random.Generator,
    window: int | tuple[int, int] | None = None,
    grid: tuple[int, int] | None = None,
) -> BipartiteGraph:
    """Windows of one size, laid evenly over the image, the first and the last touching its borders.

    Parameters
    ----------
    window
        Height and width of the receptive field, or one number for a square; without it, the square whose area is
        n · degree / m, which must be a whole one.
    grid
        Height and width of the image, n = height · width (``(1, n)`` for a signal); a square by default.

    The outputs stand in about √m rows of equal or nearly equal length.
    """
    height, width = _grid(n_left, grid)
    if window is None:
        window = _side(n_left, n_right, degree, min(height, width))
    elif degree is not None:
        raise InvalidParameterError(f"give window or a degree, not both: got window={window!r}, degree={degree}")
    tall, wide = (window, window) if isinstance(window, (int, np.integer)) else _pair("window", window)
    tall = check_integer("window height", tall, low=1, high=height)
    wide = check_integer("window width", wide, low=1, high=width)
    tops, lefts = _corners(n_right, height - tall, width - wide)
    rows = (tops[:, None] + np.arange(tall))[:, :, None]
    columns = (lefts[:, None] + np.arange(wide))[:, None, :]
    pixels = (rows * width + columns).reshape(n_right, tall * wide)
    indptr = np.arange(n_right + 1, dtype=np.int64) * (tall * wide)
    return BipartiteGraph(n_right, n_left, indptr, pixels.reshape(-1)).transpose()


def _grid(n_left: int, grid: tuple[int, int] | None) -> tuple[int, int]:
    if grid is None:
        side = math.isqrt(n_left)
        if side * side != n_left:
            raise InvalidParameterError(
                f"n_left={n_left} is not a square image (the nearest are {side**2} and {(side + 1) ** 2} pixels); "
                f"give grid=(height, width), such as {_most_square(n_left)}"
            )
        return side, side
    height, width = (check_integer("grid", size, low=1) for size in _pair("grid", grid))
    if height * width != n_left:
        raise InvalidParameterError(f"grid={grid} has {height * width} pixels, but n_left={n_left}")
    return height, width


def _most_square(n: int) -> tuple[int, int]:
    height = next(h for h in range(math.isqrt(n), 0, -1) if n % h == 0)
    return height, n // height


def _pair(name: str, value: object) -> tuple[int, int]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise InvalidParameterError(f"{name} must be two whole numbers, height and width, but got {name}={value!r}")
    return value[0], value[1]


def _side(n_left: int, n_right: int, degree: float | None, longest: int) -> int:
    if degree is None:
        raise InvalidParameterError(
            f"local_windows needs window=, such as {min(5, longest)}, or the degree of a square one"
        )
    area = n_left * degree / n_right
    side = max(1, min(longest, round(math.sqrt(area))))
    if abs(side * side - area) > 1e-6 * area:
        low = min(max(1, math.isqrt(int(area))), longest)
        near = sorted({low, min(low + 1, longest)})
        options = (f"window={s} (degree {s * s * n_right / n_left:.6g}, {s * s * n_right} edges)" for s in near)
        raise InvalidParameterError(
            f"a mean degree of {degree:.6g} means {area:.6g} pixels for each output, which is not a square of at most "
            f"{longest} × {longest}; the nearest are {' and '.join(options)}; window=(height, width) gives others"
        )
    return side


def _corners(count: int, tallest: int, widest: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Upper left corners of the windows: ``count`` places spread over 0 … tallest by 0 … widest."""
    n_rows = 1 if not tallest else count if not widest else max(1, round(math.sqrt(count)))
    bounds = np.arange(n_rows + 1) * count // n_rows
    row = np.repeat(np.arange(n_rows), np.diff(bounds))
    within, length = np.arange(count) - bounds[row], np.diff(bounds)[row]

    def place(index: npt.NDArray[np.int64], out_of: npt.NDArray[np.int64], span: int) -> npt.NDArray[np.int64]:
        # a lone window stands in the middle
        return np.where(out_of > 1, (2 * index * span + out_of - 1) // np.maximum(2 * (out_of - 1), 1), span // 2)

    return place(row, np.full_like(row, n_rows), tallest), place(within, length, widest)
