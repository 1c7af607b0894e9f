"""Compiled work on the index arrays of a pattern alone: transposition and search."""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import compiled


@compiled
def transpose(indptr: Any, indices: Any, n_right: int) -> Any:
    """CSC of a CSR pattern by counting, inputs ascending within each output: ``(indptr, indices)``."""
    starts = np.zeros(n_right + 1, indptr.dtype)
    for e in range(indices.size):
        starts[np.int64(indices[e]) + 1] += 1
    for j in range(n_right):
        starts[j + 1] += starts[j]
    heads = starts[:-1].copy()
    rows = np.empty(indices.size, indices.dtype)
    for i in range(indptr.size - 1):
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = indices[e]
            rows[heads[j]] = i
            heads[j] += 1
    return starts, rows


@compiled
def transpose_data(indptr: Any, indices: Any, data: Any, starts: Any) -> Any:
    """The data of the CSC whose ``starts`` `transpose` found."""
    heads = starts[:-1].copy()
    moved = np.empty(data.size, np.float64)
    for i in range(indptr.size - 1):
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = indices[e]
            moved[heads[j]] = data[e]
            heads[j] += 1
    return moved


@compiled
def is_connected(indptr: Any, indices: Any, col_indptr: Any, col_indices: Any) -> bool:
    """Breadth-first search that stops as soon as every node has been seen."""
    n, m = indptr.size - 1, col_indptr.size - 1
    seen_left, seen_right = np.zeros(n, np.uint8), np.zeros(m, np.uint8)
    queue = np.empty(n + m, np.int64)
    queue[0] = 0
    seen_left[0] = 1
    head, tail = 0, 1
    while head < tail:
        node = queue[head]
        head += 1
        if node < n:
            for e in range(np.int64(indptr[node]), np.int64(indptr[node + 1])):
                j = indices[e]
                if seen_right[j] == 0:
                    seen_right[j] = 1
                    queue[tail] = n + np.int64(j)
                    tail += 1
        else:
            for e in range(np.int64(col_indptr[node - n]), np.int64(col_indptr[node - n + 1])):
                i = col_indices[e]
                if seen_left[i] == 0:
                    seen_left[i] = 1
                    queue[tail] = np.int64(i)
                    tail += 1
        if tail == n + m:
            return True
    return False
