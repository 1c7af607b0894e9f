"""How the graph hangs together, and whether it is made of blocks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import by_columns
from topograph.metrics.metric import Metric, Value

_GRAY = "Gray, Radford & Kingma (2017), GPU kernels for block-sparse weights"


def _giant_share(graph: BipartiteGraph) -> Value:
    return Value(float(np.bincount(graph.component_labels).max()) / graph.n_nodes)


def _repeats(indptr: npt.NDArray[np.int64], indices: npt.NDArray[np.int64]) -> int:
    """The largest p that divides the number of rows, each p rows from the first being equal."""
    sizes = np.diff(indptr)
    rows = sizes.size
    same = sizes[1:] == sizes[:-1]
    pairs = np.flatnonzero(same & (sizes[1:] > 0))  # two rows without a connection are equal, too
    starts, middles, ends = indptr[pairs], indptr[pairs + 1], indptr[pairs + 2]
    alike = (indices[starts] == indices[middles]) & (indices[middles - 1] == indices[ends - 1])
    same[pairs[~alike]] = False
    # a new row may begin only at a multiple of p; most masks are seen to have no blocks before rows are compared
    repeats = math.gcd(rows, *(np.flatnonzero(~same) + 1).tolist())
    for place in np.flatnonzero(alike) if repeats > 1 else ():
        start, middle, end = starts[place], middles[place], ends[place]
        if not np.array_equal(indices[start:middle], indices[middle:end]):
            repeats = math.gcd(repeats, int(pairs[place]) + 1)
    return repeats


def _block_rows(graph: BipartiteGraph) -> Value:
    return Value(_repeats(graph.indptr, graph.indices))  # type: ignore[arg-type]


def _block_columns(graph: BipartiteGraph) -> Value:
    return Value(_repeats(*by_columns(graph)))


METRICS = (
    Metric(
        "n_components",
        lambda g: Value(g.n_components),
        "number of connected components; an isolated node is one",
        "c",
        1,
        math.inf,
        "structure",
        network=True,
        integer=True,
        direction="lower",
    ),
    Metric(
        "giant_share",
        _giant_share,
        "share of the nodes in the component with the most nodes",
        r"\max_C |C| / (n + m)",
        0,
        1,
        "structure",
        network=True,
        direction="higher",
    ),
    Metric(
        "block_rows",
        _block_rows,
        "p where the mask is a Kronecker product A ⊗ 1 with the largest blocks of p × q ones; 1 without blocks",
        r"\max \{p : B = A \otimes 1_{p \times q}\}",
        1,
        math.inf,
        "structure",
        reference=_GRAY,
        integer=True,
    ),
    Metric(
        "block_columns",
        _block_columns,
        "q where the mask is a Kronecker product A ⊗ 1 with the largest blocks of p × q ones; 1 without blocks",
        r"\max \{q : B = A \otimes 1_{p \times q}\}",
        1,
        math.inf,
        "structure",
        reference=_GRAY,
        integer=True,
    ),
)
