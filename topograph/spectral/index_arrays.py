"""Work on the index arrays of a pattern alone, compiled where there is much: transposition and search."""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.deferring import deferred_by


def transpose(indptr: Any, indices: Any, n_right: int) -> Any:
    """CSC of a CSR pattern by counting, inputs ascending within each output: ``(indptr, indices)``."""
    starts, rows = np.zeros(n_right + 1, indptr.dtype), np.empty(indices.size, indices.dtype)
    _transpose(indptr, indices, starts, np.empty_like(starts), rows)
    return starts, rows


def _transpose_by_sorting(indptr: Any, indices: Any, starts: Any, heads: Any, rows: Any) -> None:
    starts[1:] = np.cumsum(np.bincount(indices.astype(np.int64), minlength=starts.size - 1))
    counts = np.diff(indptr).astype(np.int64)
    rows[:] = np.repeat(np.arange(counts.size), counts)[np.argsort(indices, kind="stable")]


@deferred_by(_transpose_by_sorting)
def _transpose(indptr: Any, indices: Any, starts: Any, heads: Any, rows: Any) -> None:
    for e in range(indices.size):
        starts[np.int64(indices[e]) + 1] += 1
    for j in range(starts.size - 1):
        heads[j] = starts[j]
        starts[j + 1] += starts[j]
    for i in range(indptr.size - 1):
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = indices[e]
            rows[heads[j]] = i
            heads[j] += 1


def transpose_data(indptr: Any, indices: Any, data: Any, starts: Any) -> Any:
    """The data of the CSC whose ``starts`` `transpose` returned."""
    moved = np.empty(data.size)
    _transpose_data(indptr, indices, data, starts.copy(), moved)
    return moved


def _transpose_data_by_sorting(indptr: Any, indices: Any, data: Any, heads: Any, moved: Any) -> None:
    moved[:] = data[np.argsort(indices, kind="stable")]


@deferred_by(_transpose_data_by_sorting)
def _transpose_data(indptr: Any, indices: Any, data: Any, heads: Any, moved: Any) -> None:
    for i in range(indptr.size - 1):
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = indices[e]
            moved[heads[j]] = data[e]
            heads[j] += 1


def is_connected(rows: Any, columns: Any) -> bool:
    """Breadth-first search that stops as soon as every node has been seen."""
    nodes = rows.indptr.size + columns.indptr.size - 2
    return bool(_reaches_all(rows, columns, np.zeros(nodes, np.uint8), np.empty(nodes, np.int64)))


def _is_one_component(rows: Any, columns: Any, seen: Any, queue: Any) -> bool:
    from scipy import sparse
    from scipy.sparse import csgraph

    n, indices = rows.indptr.size - 1, rows.indices.astype(np.int64)
    starts = np.concatenate([rows.indptr, np.full(columns.indptr.size - 1, rows.indptr[-1])]).astype(np.int64)
    edges = np.ones(indices.size, np.int8), n + indices, starts
    return bool(csgraph.connected_components(sparse.csr_array(edges, (seen.size, seen.size)), directed=False)[0] == 1)


@deferred_by(_is_one_component)
def _reaches_all(rows: Any, columns: Any, seen: Any, queue: Any) -> bool:
    """From input 0; outputs are numbered after the inputs. ``seen`` is 0, ``queue`` work space."""
    n = rows.indptr.size - 1
    queue[0] = 0
    seen[0] = 1
    head, tail = 0, 1
    while head < tail:
        node = queue[head]
        head += 1
        matrix, row, first = (rows, node, n) if node < n else (columns, node - n, 0)
        for e in range(np.int64(matrix.indptr[row]), np.int64(matrix.indptr[row + 1])):
            neighbour = first + np.int64(matrix.indices[e])
            if seen[neighbour] == 0:
                seen[neighbour] = 1
                queue[tail] = neighbour
                tail += 1
        if tail == seen.size:
            return True
    return False
