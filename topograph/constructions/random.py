"""Random masks: edges, or rows, drawn independently."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from topograph.constructions.pattern import from_equal_rows
from topograph.constructions.registry import construction
from topograph.constructions.rotating import PAPER
from topograph.graph import BipartiteGraph

_BLOCK = 4_000_000  # entries held at a time where a temporary is needed


@construction(
    "random_edge",
    row="each output independently with probability k/m",
    guarantees=("expected edges n·k",),
    reference=PAPER,
    random=True,
    real_degree=True,
)
def random_edge(n_left: int, n_right: int, degree: float, generator: np.random.Generator) -> BipartiteGraph:
    """Bernoulli edges.

    The gaps between successive edges, in reading order, are geometric: drawing them costs time in proportion to the
    edges, not to n · m.
    """
    probability = degree / n_right
    cells = n_left * n_right
    places: list[npt.NDArray[np.int64]] = []
    last = -1
    while probability > 0 and last < cells - 1:
        expected = (cells - 1 - last) * probability
        count = min(_BLOCK, int(expected + 6 * math.sqrt(expected) + 16))
        gaps = np.minimum(generator.geometric(probability, size=count), cells)  # longer ones end past the last cell too
        block = last + np.cumsum(gaps)
        last = int(block[-1])
        places.append(block if last < cells else block[block < cells])
    flat = np.concatenate(places) if places else np.empty(0, dtype=np.int64)
    indptr = np.searchsorted(flat, np.arange(n_left + 1, dtype=np.int64) * n_right)
    return BipartiteGraph(n_left, n_right, indptr, (flat % n_right).astype(np.int32))


@construction(
    "random_regular",
    row="k distinct outputs drawn for each i",
    guarantees=("left-regular", "exact edges n·k"),
    reference=PAPER,
    random=True,
)
def random_regular(n_left: int, n_right: int, degree: int, generator: np.random.Generator) -> BipartiteGraph:
    """Uniform k-subsets, independent between inputs."""
    outputs = np.empty((n_left, degree), dtype=np.int32)
    step = max(1, _BLOCK // (degree if 2 * degree <= n_right else n_right))
    for start in range(0, n_left, step):
        block = outputs[start : start + step]
        if 2 * degree <= n_right:
            block[:] = _distinct(block.shape[0], degree, n_right, generator)
        else:  # draw the outputs that are missing instead
            chosen = np.ones((block.shape[0], n_right), dtype=bool)
            missing = _distinct(block.shape[0], n_right - degree, n_right, generator)
            np.put_along_axis(chosen, missing.astype(np.int64), False, axis=1)
            block[:] = np.nonzero(chosen)[1].reshape(block.shape)
    return from_equal_rows(outputs, n_right)


def _distinct(rows: int, k: int, n: int, generator: np.random.Generator) -> npt.NDArray[np.int32]:
    """Independent uniform k-subsets of 0 … n−1, one a row, ascending.

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
