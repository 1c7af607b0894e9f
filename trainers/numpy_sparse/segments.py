"""Compiled sorting of a layer's edges into segments."""

from __future__ import annotations

from typing import Any

from topograph.compiling import reordered


@reordered.in_place
def sort_edges(
    indptr: Any, indices: Any, by_input: bool, block: int, owners: int, starts: Any, other: Any, position: Any
) -> None:
    """Sort a layer's edges into segments: one for each block of the other side and each owner, in that order.

    ``position[e]`` becomes the position of edge number ``e`` of ``graph.edges()``; ``other`` the end that is not the
    owner; ``starts``, which must hold zeros, where each segment begins. A counting sort: linear in the edges.
    """
    for fill in range(2):
        for i in range(indptr.shape[0] - 1):
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                owner, far = (i, j) if by_input else (j, i)
                segment = (far // block) * owners + owner
                if fill:
                    free = starts[segment]
                    position[e], other[free] = free, far
                    starts[segment] = free + 1
                else:
                    starts[segment + 1] += 1
        if fill:  # every start has moved to its segment's end: move all on by one
            for segment in range(starts.shape[0] - 1, 0, -1):
                starts[segment] = starts[segment - 1]
            starts[0] = 0
        else:
            for segment in range(starts.shape[0] - 1):
                starts[segment + 1] += starts[segment]
