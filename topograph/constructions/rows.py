"""From rows of outputs to a `BipartiteGraph`, without ever writing down an n × m array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph

BLOCK = 4_000_000  # entries held at a time where a temporary is needed


def from_equal_rows(outputs: npt.NDArray[Any], n_right: int) -> BipartiteGraph:
    """The graph whose input i connects to the k distinct ``outputs[i]``, shape ``(n_left, k)``, ascending."""
    n_left, k = outputs.shape
    return BipartiteGraph(n_left, n_right, np.arange(n_left + 1, dtype=np.int64) * k, outputs.reshape(-1))


def from_entries(entries: npt.NDArray[np.int64], n_left: int, n_right: int) -> BipartiteGraph:
    """The graph of the distinct entries i · n_right + j, in ascending order."""
    indptr = np.searchsorted(entries, np.arange(n_left + 1, dtype=np.int64) * n_right)
    return BipartiteGraph(n_left, n_right, indptr, (entries % n_right).astype(np.int32))


def complement(graph: BipartiteGraph) -> BipartiteGraph:
    """The graph of all edges that ``graph`` lacks; for dense graphs, since it visits every entry."""
    rows: list[npt.NDArray[np.int32]] = []
    step = max(1, BLOCK // graph.n_right)
    for start in range(0, graph.n_left, step):
        stop = min(start + step, graph.n_left)
        absent = np.ones((stop - start, graph.n_right), dtype=bool)
        first, last = graph.indptr[start], graph.indptr[stop]
        absent[np.repeat(np.arange(stop - start), graph.left_degrees[start:stop]), graph.indices[first:last]] = False
        rows.append(np.nonzero(absent)[1].astype(np.int32))
    degrees = graph.n_right - graph.left_degrees
    return BipartiteGraph(graph.n_left, graph.n_right, np.concatenate([[0], np.cumsum(degrees)]), np.concatenate(rows))


def rotate(offsets: npt.NDArray[np.int64], n_left: int, n_right: int) -> BipartiteGraph:
    """The rotating graph: input i connects to ``(offsets + i) mod n_right``.

    Row i depends on i mod n_right only, so that many rows are sorted and then repeated.
    """
    period = min(n_left, n_right)
    rows = np.empty((period, offsets.size), dtype=np.int32)
    step = max(1, BLOCK // offsets.size)
    for start in range(0, period, step):
        shift = np.arange(start, min(start + step, period))[:, None]
        rows[start : start + step] = np.sort((offsets + shift) % n_right, axis=1)
    repeats = np.arange(n_left) % period
    return from_equal_rows(rows if period == n_left else rows[repeats], n_right)


def spread(count: int, places: int) -> npt.NDArray[np.bool_]:
    """Which of ``places`` places are chosen when ``count`` of them are spread evenly, shape ``(places,)``.

    Examples
    --------
    >>> spread(2, 5).astype(int).tolist()
    [0, 0, 1, 0, 1]
    """
    steps = np.arange(places + 1) * count // places
    return steps[1:] > steps[:-1]


def near_equal(total: int, parts: int, generator: np.random.Generator | None = None) -> npt.NDArray[np.int64]:
    """``total`` as a sum of ``parts`` whole numbers that differ by at most one, shape ``(parts,)``.

    Which parts are the larger is drawn from the generator; without one they are spread evenly.

    Examples
    --------
    >>> near_equal(7, 5).tolist()
    [1, 1, 2, 1, 2]
    """
    low, more = divmod(total, parts)
    larger = spread(more, parts)
    return low + (larger if generator is None else generator.permutation(larger)).astype(np.int64)


def mix_rows(lower: BipartiteGraph | None, upper: BipartiteGraph, count: int) -> BipartiteGraph:
    """The rows of ``lower`` (or empty ones), but ``count`` of them, evenly spread, from ``upper``."""
    from_upper = spread(count, upper.n_left)
    low_degrees = lower.left_degrees if lower is not None else np.zeros(upper.n_left, dtype=np.int64)
    degrees = np.where(from_upper, upper.left_degrees, low_degrees)
    indptr = np.concatenate([[0], np.cumsum(degrees)])
    indices = np.empty(int(indptr[-1]), dtype=np.int32)
    chosen = np.repeat(from_upper, degrees)
    indices[chosen] = upper.indices[np.repeat(from_upper, upper.left_degrees)]
    if lower is not None:
        indices[~chosen] = lower.indices[np.repeat(~from_upper, lower.left_degrees)]
    return BipartiteGraph(upper.n_left, upper.n_right, indptr, indices)


def uniform_subsets(rows: int, k: int, n: int, generator: np.random.Generator) -> npt.NDArray[np.int32]:
    """Independent uniform k-subsets of 0 … n−1, one per row, ascending, shape ``(rows, k)``."""
    subsets = np.empty((rows, k), dtype=np.int32)
    step = max(1, BLOCK // max(1, k if 2 * k <= n else n))
    for start in range(0, rows, step):
        block = subsets[start : start + step]
        if 2 * k <= n:
            block[:] = _distinct(block.shape[0], k, n, generator)
        else:  # draw those that are missing instead
            chosen = np.ones((block.shape[0], n), dtype=bool)
            missing = _distinct(block.shape[0], n - k, n, generator)
            np.put_along_axis(chosen, missing.astype(np.int64), False, axis=1)
            block[:] = np.nonzero(chosen)[1].reshape(block.shape)
    return subsets


def _distinct(rows: int, k: int, n: int, generator: np.random.Generator) -> npt.NDArray[np.int32]:
    """Independent uniform k-subsets of 0 … n−1 with 2k ≤ n.

    Repeats within a row are drawn afresh until there are none. Nothing in this depends on which numbers are drawn, so
    every subset is equally likely.
    """
    result = np.sort(generator.integers(n, size=(rows, k), dtype=np.int32), axis=1)
    open_rows = np.arange(rows)
    while open_rows.size and k > 1:
        current = result[open_rows]
        repeated = np.zeros(current.shape, dtype=bool)
        repeated[:, 1:] = current[:, 1:] == current[:, :-1]
        unfinished = repeated.any(axis=1)
        open_rows, current, repeated = open_rows[unfinished], current[unfinished], repeated[unfinished]
        current[repeated] = generator.integers(n, size=int(repeated.sum()), dtype=np.int32)
        current.sort(axis=1)
        result[open_rows] = current
    return result


def distinct(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers in ascending order without repeats; sorts in place, which is many times faster than numpy.unique."""
    numbers.sort()
    first = np.ones(numbers.size, dtype=bool)
    first[1:] = numbers[1:] != numbers[:-1]
    return np.asarray(numbers[first])


def uniform_entries(entries: int, count: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """A uniform subset of 0 … entries−1 of exactly ``count``, ascending, in time and memory in proportion to it."""
    if 2 * count > entries:
        kept = np.ones(entries, dtype=bool)
        kept[uniform_entries(entries, entries - count, generator)] = False
        return np.flatnonzero(kept)
    found = np.empty(0, dtype=np.int64)
    while found.size < count:  # what is drawn is uniform whatever its size, and so is what is left after thinning
        found = distinct(np.concatenate([found, generator.integers(entries, size=count - found.size + 64)]))
    surplus = generator.choice(found.size, size=found.size - count, replace=False, shuffle=False)
    return np.delete(found, surplus)
