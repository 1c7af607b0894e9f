"""Compiled sorting: the edges of a layer into segments, the entries of samples that are not 0 into rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import reordered


@reordered
def sort_edges(
    indptr: Any, indices: Any, by_input: bool, block: int, owners: int, starts: Any, other: Any, place: Any
) -> None:
    """Sort a layer's edges into segments: one for each block of the other side and each owner, in that order.

    ``place[e]`` becomes the position of edge number ``e`` of ``graph.edges()``; ``other`` the end that is not the
    owner; ``starts``, which must hold zeros, where each segment begins. A counting sort: linear in the edges.
    """
    for fill in range(2):
        for i in range(indptr.shape[0] - 1):
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                own, far = (i, j) if by_input else (j, i)
                segment = (far // block) * owners + own
                if fill:
                    position = starts[segment]
                    place[e], other[position] = position, far
                    starts[segment] = position + 1
                else:
                    starts[segment + 1] += 1
        if fill:  # every start has moved to its segment's end: move all on by one
            for segment in range(starts.shape[0] - 1, 0, -1):
                starts[segment] = starts[segment - 1]
            starts[0] = 0
        else:
            for segment in range(starts.shape[0] - 1):
                starts[segment + 1] += starts[segment]


@reordered
def count_nonzero(rows: Any) -> Any:
    """Number of entries of each row that are not 0."""
    counts = np.zeros(rows.shape[0], np.int64)
    for row in range(rows.shape[0]):
        found = 0
        for i in range(rows.shape[1]):
            found += rows[row, i] != 0
        counts[row] = found
    return counts


@reordered
def compress(rows: Any, starts: Any, features: Any, entries: Any) -> None:
    """Write the features and entries that are not 0, row after row."""
    for row in range(rows.shape[0]):
        k = starts[row]
        for i in range(rows.shape[1]):
            if rows[row, i] != 0:
                features[k], entries[k] = i, rows[row, i]
                k += 1
