"""From the weights of one layer to its graph: kernel, channel or unrolled, groups on the diagonal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.graph import BipartiteGraph
from topograph.masks.geometry import Geometry

_BLOCK = 1 << 20  # entries looked at together
_COLUMNS = 256  # of these, copied together
_MOST_UNROLLED_EDGES = 200_000_000
_MOST_UNROLLED_NODES = 1 << 26


def over_taps(blocks: npt.NDArray[Any], unfold: str) -> npt.NDArray[Any]:
    """The weights that an edge rule judges: each tap's own, or for ``"channel"`` the ℓ2 norm over the taps.

    Parameters
    ----------
    blocks
        Shape (groups, inputs, taps, outputs).
    """
    if unfold != "channel" or blocks.shape[2] == 1:
        return blocks
    if blocks.dtype.kind == "b":
        return np.asarray(blocks.any(axis=2, keepdims=True))
    wide = blocks.astype(np.float64)
    # scaled by the largest, so that a square neither overflows nor vanishes: non-zero taps give a non-zero norm
    largest = np.abs(wide).max(axis=2, keepdims=True, initial=0.0)
    scaled = np.divide(wide, largest, out=np.zeros_like(wide), where=largest > 0)
    norms: npt.NDArray[Any] = largest * np.sqrt(np.square(scaled).sum(axis=2, keepdims=True))
    return norms


def block_graph(keep: npt.NDArray[np.bool_]) -> BipartiteGraph:
    """Kept edges as a graph: inputs are (group, input, tap), outputs (group, output).

    Parameters
    ----------
    keep
        Shape (groups, inputs, taps, outputs).

    Examples
    --------
    >>> import numpy as np
    >>> block_graph(np.ones((2, 1, 1, 2), dtype=bool)).to_mask().astype(int).tolist()
    [[1, 1, 0, 0], [0, 0, 1, 1]]
    """
    groups, inputs, taps, outputs = keep.shape
    n_left, n_right = groups * inputs * taps, groups * outputs
    check_sides(n_left, n_right)
    if groups == taps == 1 and _is_turned(keep[0, :, 0]) and np.count_nonzero(keep) < keep.size / 8:
        # To turn the few edges is faster than to turn the whole mask.
        return block_graph(keep.transpose(0, 3, 2, 1)).transpose()
    rows = keep.reshape(n_left, outputs)
    indptr = np.zeros(n_left + 1, dtype=np.int64)
    np.add.reduce(rows, axis=1, dtype=np.int64, out=indptr[1:])
    np.add.accumulate(indptr, out=indptr)
    indices = np.empty(indptr[-1], dtype=np.int32)
    step = max(1, _BLOCK // outputs)
    for start in range(0, n_left, step):
        row = np.arange(start, min(start + step, n_left))
        before = (row - start - row // (inputs * taps)) * outputs  # entries of the block before a row's first column
        begin, end = indptr[start], indptr[row[-1] + 1]
        columns = _in_order(rows[start : start + step]).nonzero()[0]
        columns -= np.repeat(before, np.diff(indptr[start : row[-1] + 2]))
        indices[begin:end] = columns
    indices.flags.writeable = False  # so that the graph takes it as it is, without a copy of the largest thing here
    return BipartiteGraph(n_left, n_right, indptr, indices)


def _is_turned(rows: npt.NDArray[Any]) -> bool:
    return rows.flags.f_contiguous and not rows.flags.c_contiguous


def _in_order(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The entries row by row; copied some columns at a time, since each column of a turned array lies on a page."""
    if rows.flags.c_contiguous:
        return rows.ravel()
    ordered = np.empty(rows.shape, rows.dtype)
    for start in range(0, rows.shape[1], _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        ordered[:, columns] = rows[:, columns]
    return ordered.ravel()


def unrolled_graph(keep: npt.NDArray[np.bool_], kernel: Sequence[int], geometry: Geometry) -> BipartiteGraph:
    """Kept edges laid over the image: inputs are (channel, pixel), outputs (channel, pixel), padding removed.

    Parameters
    ----------
    keep
        Shape (groups, inputs, taps, outputs).
    kernel
        Sizes of the tap dimensions.
    geometry
        Stride, padding, dilation and the size of the image.

    Raises
    ------
    InvalidParameterError
        When the image's size is unknown or too small.
    InvalidMaskError
        When the graph would be too large to hold.

    Examples
    --------
    >>> import numpy as np
    >>> unrolled_graph(np.ones((1, 1, 3, 1), dtype=bool), [3], Geometry(input_size=4, padding=1)).n_edges
    10
    """
    groups, inputs, _, outputs = keep.shape
    image, produced = math.prod(geometry.image_size(kernel)), math.prod(geometry.output_size(kernel))
    largest = max(groups * inputs * image, groups * outputs * produced)
    if largest > _MOST_UNROLLED_NODES:
        raise InvalidMaskError(
            f"unrolled it would have {largest} nodes on a side, more than {_MOST_UNROLLED_NODES}; "
            "use unfold='kernel' or 'channel'"
        )
    counts = np.count_nonzero(keep, axis=(0, 1, 3)).tolist()
    if sum(counts) * min(image, produced) > _MOST_UNROLLED_EDGES:
        raise InvalidMaskError(
            f"unrolled over an image of {geometry.input_size} it would have up to {sum(counts) * min(image, produced)} "
            f"edges, more than {_MOST_UNROLLED_EDGES}; use unfold='kernel' or 'channel'"
        )
    rows, columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for tap, (reads, writes) in enumerate(geometry.tap_positions(kernel)):
        group, left, right = np.nonzero(keep[:, :, tap, :])
        rows.append(((group * inputs + left)[:, None] * image + reads).ravel())
        columns.append(((group * outputs + right)[:, None] * produced + writes).ravel())
    row, column = np.concatenate(rows), np.concatenate(columns)
    shape = (groups * inputs * image, groups * outputs * produced)
    matrix = sp.csr_array((np.ones(row.size, dtype=bool), (row, column)), shape=shape)
    return BipartiteGraph.from_mask(matrix)


def check_sides(n_left: int, n_right: int) -> None:
    """Refuse an empty side, and one that no array can number."""
    if not (0 < n_left < 2**31 and 0 < n_right < 2**31):
        raise InvalidMaskError(f"a layer has 1 to {2**31 - 1} nodes on each side, but this is {n_left} × {n_right}")
