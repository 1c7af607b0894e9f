"""Small patterns: 4-cycles (butterflies) and the clustering that a graph without triangles can have."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import by_columns
from topograph.metrics.metric import Metric, Value

Overlaps = npt.NDArray[np.float64]

_ROBINS = "Robins & Alexander (2004), Small worlds among interlocking directors"
_LATAPY = "Latapy, Magnien & Del Vecchio (2008), Basic notions for the analysis of large two-mode networks"
_SANEI = "Sanei-Mehri, Sariyüce & Tirthapura (2018), Butterfly counting in bipartite networks"
_COST = "Σ d² over the nodes of a side"


@computed_once
def _butterflies(graph: BipartiteGraph) -> int:
    rows, columns = (graph.indptr, graph.indices), by_columns(graph)
    # rows meet over the columns: from the side whose neighbours have the smaller squared degrees
    if (graph.right_degrees.astype(float) ** 2).sum() > (graph.left_degrees.astype(float) ** 2).sum():
        rows, columns = columns, rows
    return _walk(rows, columns)[0]


def _walk(rows: tuple[np.ndarray, np.ndarray], columns: tuple[np.ndarray, np.ndarray]) -> tuple[int, Overlaps]:
    """The number of 4-cycles, and of each row the mean overlap."""
    from topograph.metrics.kernels import common_neighbours

    overlaps = np.zeros(rows[0].size - 1)
    butterflies = common_neighbours(*rows, *columns, overlaps)
    return int(butterflies), overlaps


def _three_paths(graph: BipartiteGraph) -> int:
    """Paths of three edges: Σ over the edges (u, v) of (d_u − 1)(d_v − 1)."""
    left = np.repeat(graph.left_degrees - 1, graph.left_degrees)
    return int(left @ (graph.right_degrees - 1)[graph.indices])


def robins_alexander(graph: BipartiteGraph) -> Value:
    """Share of the paths of three edges that are part of a 4-cycle."""
    paths = _three_paths(graph)
    if not paths:
        return Value.undefined("there is no path of three edges that a 4-cycle could close")
    return Value(4 * _butterflies(graph) / paths)


def mean_overlaps(graph: BipartiteGraph) -> Overlaps:
    """Of each node, inputs first, the mean overlap with the nodes two steps away; 0 where there are none.

    Examples
    --------
    >>> mean_overlaps(BipartiteGraph.from_mask([[1, 1, 0], [0, 1, 1]])).round(3).tolist()
    [0.333, 0.333, 0.5, 0.5, 0.5]
    """
    rows, columns = (graph.indptr, graph.indices), by_columns(graph)
    return np.concatenate([_walk(rows, columns)[1], _walk(columns, rows)[1]])


def _latapy(graph: BipartiteGraph) -> Value:
    overlaps = mean_overlaps(graph)
    left, right = float(overlaps[: graph.n_left].mean()), float(overlaps[graph.n_left :].mean())
    return Value((left * graph.n_left + right * graph.n_right) / graph.n_nodes)


_motif = partial(Metric, low=0, group="motifs", network=True, fast=False)

METRICS = (
    _motif(
        "n_butterflies",
        lambda g: Value(_butterflies(g)),
        summary="number of 4-cycles (butterflies): two inputs that share two outputs",
        formula=r"\sum_{u < u'} \binom{(BB^T)_{uu'}}{2}",
        high=math.inf,
        reference=_SANEI,
        integer=True,
        cost=_COST,
    ),
    _motif(
        "clustering_robins_alexander",
        robins_alexander,
        summary="share of the paths of three edges that a fourth closes to a 4-cycle",
        formula=r"4 C_4 / L_3",
        high=1,
        reference=_ROBINS,
        cost=_COST,
    ),
    _motif(
        "clustering_latapy",
        _latapy,
        summary=(
            "mean over all nodes of the mean overlap (intersection over union) of their neighbours with those of "
            "the nodes two steps away; 0 for a node without such"
        ),
        formula=r"\frac{1}{N} \sum_u \frac{1}{|N_2(u)|} \sum_{w \in N_2(u)} \frac{|N(u) \cap N(w)|}{|N(u) \cup N(w)|}",
        high=1,
        reference=_LATAPY,
        cost="Σ d² over all nodes",
    ),
)
