"""How the graph hangs together, and whether it is made of blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import by_columns
from topograph.metrics.metric import Metric, Value

_GRAY = "Gray, Radford & Kingma (2017), GPU kernels for block-sparse weights"


@computed_once
def _component_sizes(graph: BipartiteGraph) -> npt.NDArray[np.int64]:
    if graph.has_spectrum and graph.spectrum(on_failure="nan")["algebraic_connectivity"].low > 0:
        return np.array([graph.n_nodes])  # certainly connected: the search is spared where thousands are measured
    return np.bincount(graph.component_labels)


def _repeats(sizes: npt.NDArray[np.int64], lines: Callable[[], tuple[Any, Any]]) -> int:
    """The largest p that divides the number of lines (rows or columns), each p of them from the first being equal.

    Row sizes alone rule this out for most masks, without a look at ``lines``.
    """
    if _common_step(sizes[1:] == sizes[:-1]) == 1:
        return 1
    indptr, indices = lines()
    same = sizes[1:] == sizes[:-1]
    pairs = np.flatnonzero(same & (sizes[1:] > 0))  # two rows without an edge are equal, too
    starts, middles, ends = indptr[pairs], indptr[pairs + 1], indptr[pairs + 2]
    alike = (indices[starts] == indices[middles]) & (indices[middles - 1] == indices[ends - 1])
    same[pairs[~alike]] = False
    repeats = _common_step(same)
    for place in np.flatnonzero(alike) if repeats > 1 else ():
        start, middle, end = starts[place], middles[place], ends[place]
        if not np.array_equal(indices[start:middle], indices[middle:end]):
            repeats = math.gcd(repeats, int(pairs[place]) + 1)
    return repeats


def _common_step(same: npt.NDArray[np.bool_]) -> int:
    """A new line may begin only at a multiple of the step."""
    return math.gcd(same.size + 1, *(np.flatnonzero(~same) + 1).tolist())


def _block_rows(graph: BipartiteGraph) -> Value:
    return Value(_repeats(graph.left_degrees, lambda: (graph.indptr, graph.indices)))


def _block_columns(graph: BipartiteGraph) -> Value:
    return Value(_repeats(graph.right_degrees, lambda: by_columns(graph)))


METRICS = (
    Metric(
        "n_components",
        lambda g: Value(_component_sizes(g).size),
        summary="number of connected components; an isolated node is one",
        formula="c",
        low=1,
        high=math.inf,
        group="structure",
        network=True,
        integer=True,
        direction="lower",
    ),
    Metric(
        "giant_share",
        lambda g: Value(int(_component_sizes(g).max()) / g.n_nodes),
        summary="share of the nodes in the component with the most nodes",
        formula=r"\max_C |C| / (n + m)",
        low=0,
        high=1,
        group="structure",
        network=True,
        direction="higher",
    ),
    Metric(
        "block_rows",
        _block_rows,
        summary="p where the mask is a Kronecker product A ⊗ 1 with the largest blocks of p × q ones; 1 without blocks",
        formula=r"\max \{p : B = A \otimes 1_{p \times q}\}",
        low=1,
        high=math.inf,
        group="blocks",
        reference=_GRAY,
        integer=True,
    ),
    Metric(
        "block_columns",
        _block_columns,
        summary="q where the mask is a Kronecker product A ⊗ 1 with the largest blocks of p × q ones; 1 without blocks",
        formula=r"\max \{q : B = A \otimes 1_{p \times q}\}",
        low=1,
        high=math.inf,
        group="blocks",
        reference=_GRAY,
        integer=True,
    ),
)
