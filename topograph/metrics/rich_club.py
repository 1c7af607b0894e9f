"""The rich club: whether the neurons with the most edges are joined to each other."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value

_COLIZZA = "Colizza, Flammini, Serrano & Vespignani (2006), Detecting rich-club ordering in complex networks"


def _rich(degrees: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The tenth of a side with the most edges, at least one node, with all that have as many."""
    least = np.sort(degrees)[-max(1, degrees.size // 10)]
    return np.asarray((degrees >= least) & (degrees > 0))


@computed_once
def _club(graph: BipartiteGraph) -> tuple[int, int, float]:
    """Edges between rich nodes, pairs of them, and the edges expected of their degrees."""
    left, right = _rich(graph.left_degrees), _rich(graph.right_degrees)
    edges = int(np.count_nonzero(np.repeat(left, graph.left_degrees) & right[graph.indices]))
    ends = float(graph.left_degrees[left].sum()) * float(graph.right_degrees[right].sum())
    return edges, int(left.sum()) * int(right.sum()), ends / max(1, graph.n_edges)


def _density(graph: BipartiteGraph) -> Value:
    edges, pairs, _ = _club(graph)
    return Value(edges / pairs) if graph.n_edges else Value.undefined("the graph has no edges")


def _ratio(graph: BipartiteGraph) -> Value:
    edges, _, expected = _club(graph)
    return Value(edges / expected) if graph.n_edges else Value.undefined("the graph has no edges")


_rich_club = partial(Metric, low=0, group="rich_club", reference=_COLIZZA, fast=False)

METRICS = (
    _rich_club(
        "rich_club_density",
        _density,
        summary="density between the tenths of the inputs and of the outputs with the most edges, ties included",
        formula=r"|E(L^*, R^*)| / (|L^*| |R^*|)",
        high=1,
    ),
    _rich_club(
        "rich_club_ratio",
        _ratio,
        summary="number of edges between them over what their degrees let expect; 1 where all degrees are equal",
        formula=r"|E|\,|E(L^*, R^*)| \,\Big/ \left(\sum_{i \in L^*} d_i \sum_{j \in R^*} d_j\right)",
        high=math.inf,
    ),
)
