"""Work on the index arrays of a pattern alone, compiled where there is much: transposition and search."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from topograph.deferring import deferred_by, deferred_part
from topograph.spectral.threads import run_parts, split_evenly, useful_threads

_FEW_STEPS = 4


def transpose(indptr: Any, indices: Any, n_right: int) -> Any:
    """CSC of a CSR pattern by counting, inputs ascending within each output: ``(indptr, indices)``.

    Threads share a large pattern by its outputs, which ascend within each input.
    """
    starts, rows = np.zeros(n_right + 1, indptr.dtype), np.empty(indices.size, indices.dtype)
    threads = useful_threads(indices.size)
    if threads == 1:
        _count(indptr, indices, starts, 0, n_right)
        np.cumsum(starts, dtype=starts.dtype, out=starts)
        _place(indptr, indices, starts.copy(), rows, 0, n_right)
        return starts, rows
    cuts = [n_right * part // threads for part in range(threads + 1)]
    run_parts([(_count, indptr, indices, starts, lo, hi) for lo, hi in pairwise(cuts)])
    np.cumsum(starts, dtype=starts.dtype, out=starts)
    heads = starts.copy()
    run_parts([(_place, indptr, indices, heads, rows, lo, hi) for lo, hi in split_evenly(starts, threads)])
    return starts, rows


def _count_by_numpy(indptr: Any, indices: Any, starts: Any, lo: int, hi: int) -> None:
    starts[lo + 1 : hi + 1] = np.bincount(indices.astype(np.int64), minlength=hi)[lo:hi]


@deferred_by(_count_by_numpy)
def _count(indptr: Any, indices: Any, starts: Any, lo: int, hi: int) -> None:
    """The edges of outputs ``lo … hi``: those of output j are counted in ``starts[j + 1]``, which is 0 before."""
    for i in range(indptr.size - 1):
        begin, end = np.int64(indptr[i]), np.int64(indptr[i + 1])
        begin, end = _first_from(indices, begin, end, lo), _first_from(indices, begin, end, hi)
        for e in range(begin, end):
            starts[np.int64(indices[e]) + 1] += 1


def _place_by_sorting(indptr: Any, indices: Any, heads: Any, rows: Any, lo: int, hi: int) -> None:
    counts = np.diff(indptr).astype(np.int64)
    sources, begin = np.repeat(np.arange(counts.size), counts), int(heads[lo])
    if lo > 0 or hi < heads.size - 1:
        mine = np.flatnonzero((indices >= lo) & (indices < hi))
        sources, indices = sources[mine], indices[mine]
    rows[begin : begin + indices.size] = sources[np.argsort(indices, kind="stable")]


@deferred_by(_place_by_sorting)
def _place(indptr: Any, indices: Any, heads: Any, rows: Any, lo: int, hi: int) -> None:
    """Write the inputs of outputs ``lo … hi`` to ``rows``: the next one of output j to ``heads[j]``, which moves on."""
    for i in range(indptr.size - 1):
        begin, end = np.int64(indptr[i]), np.int64(indptr[i + 1])
        begin, end = _first_from(indices, begin, end, lo), _first_from(indices, begin, end, hi)
        for e in range(begin, end):
            j = indices[e]
            rows[heads[j]] = i
            heads[j] += 1


@deferred_part
def _first_from(indices: Any, begin: int, end: int, output: int) -> int:
    """The first of the edges ``begin … end`` of an input to that output or a later one; ``end`` if there is none."""
    if begin == end or output <= np.int64(indices[begin]):
        return begin
    if output > np.int64(indices[end - 1]):
        return end
    while begin < end:
        middle = (begin + end) // 2
        if np.int64(indices[middle]) < output:
            begin = middle + 1
        else:
            end = middle
    return begin


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


def is_soon_connected(codes: Any) -> bool:
    """Whether few steps from input 0 reach every node, where none is isolated; otherwise nothing is known.

    ``codes`` hold a bit per pair, ``(words of outputs) × inputs``.
    """
    every = np.bitwise_or.reduce(codes, axis=1)
    reached = codes[:, 0]
    for _ in range(_FEW_STEPS):
        inputs = (codes & reached[:, None]).any(axis=0)
        reached = np.bitwise_or.reduce(codes[:, inputs], axis=1)
        if inputs.all() and np.array_equal(reached, every):
            return True
    return False


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
