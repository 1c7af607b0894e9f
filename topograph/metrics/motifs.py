"""Small patterns: 4-cycles (butterflies) and the clustering that a graph without triangles can have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import by_columns
from topograph.metrics.metric import Metric, Value
from topograph.metrics.shared import shared

_ROBINS = "Robins & Alexander (2004), Small worlds among interlocking directors"
_LATAPY = "Latapy, Magnien & Del Vecchio (2008), Basic notions for the analysis of large two-mode networks"
_SANEI = "Sanei-Mehri, Sariyüce & Tirthapura (2018), Butterfly counting in bipartite networks"
_COST = "Σ d² over the nodes of a side"


@dataclass(frozen=True)
class _Overlaps:
    butterflies: int
    mean_left: float
    mean_right: float


@shared
def _butterflies(graph: BipartiteGraph) -> int:
    if "_shared" in graph.__dict__ and _overlaps in graph.__dict__["_shared"]:
        return _overlaps(graph).butterflies
    rows, columns = (graph.indptr, graph.indices), by_columns(graph)
    # rows meet over the columns: from the side whose neighbours have the smaller squared degrees
    if (graph.right_degrees.astype(float) ** 2).sum() > (graph.left_degrees.astype(float) ** 2).sum():
        rows, columns = columns, rows
    return _walk(rows, columns)[0]


@shared
def _overlaps(graph: BipartiteGraph) -> _Overlaps:
    rows, columns = (graph.indptr, graph.indices), by_columns(graph)
    butterflies, left = _walk(rows, columns)
    return _Overlaps(butterflies, left, _walk(columns, rows)[1])


def _walk(rows: tuple[np.ndarray, np.ndarray], columns: tuple[np.ndarray, np.ndarray]) -> tuple[int, float]:
    from topograph.metrics.kernels import common_neighbours

    overlaps = np.zeros(rows[0].size - 1)
    butterflies = common_neighbours(*rows, *columns, overlaps)
    return int(butterflies), float(overlaps.mean())


def _three_paths(graph: BipartiteGraph) -> int:
    """Paths of three connections: Σ over the edges (u, v) of (d_u − 1)(d_v − 1)."""
    left = np.repeat(graph.left_degrees - 1, graph.left_degrees)
    return int(left @ (graph.right_degrees - 1)[graph.indices])


def _robins_alexander(graph: BipartiteGraph) -> Value:
    paths = _three_paths(graph)
    if not paths:
        return Value.undefined("there is no path of three connections that a 4-cycle could close")
    return Value(4 * _butterflies(graph) / paths)


def _latapy(graph: BipartiteGraph) -> Value:
    overlaps = _overlaps(graph)
    return Value((overlaps.mean_left * graph.n_left + overlaps.mean_right * graph.n_right) / graph.n_nodes)


METRICS = (
    Metric(
        "n_butterflies",
        lambda g: Value(_butterflies(g)),
        "number of 4-cycles (butterflies): two inputs that share two outputs",
        r"\sum_{u < u'} \binom{(BB^T)_{uu'}}{2}",
        0,
        math.inf,
        "motifs",
        network=True,
        reference=_SANEI,
        integer=True,
        cost=_COST,
        fast=False,
    ),
    Metric(
        "clustering_robins_alexander",
        _robins_alexander,
        "share of the paths of three connections that a fourth closes to a 4-cycle",
        r"4 C_4 / L_3",
        0,
        1,
        "motifs",
        network=True,
        reference=_ROBINS,
        cost=_COST,
        fast=False,
    ),
    Metric(
        "clustering_latapy",
        _latapy,
        "mean over all nodes of the mean overlap (intersection over union) of their neighbours with those of the nodes "
        "two steps away; 0 for a node without such",
        r"\frac{1}{N} \sum_u \frac{1}{|N_2(u)|} \sum_{w \in N_2(u)} \frac{|N(u) \cap N(w)|}{|N(u) \cup N(w)|}",
        0,
        1,
        "motifs",
        network=True,
        reference=_LATAPY,
        cost="Σ d² over all nodes",
        fast=False,
    ),
)
