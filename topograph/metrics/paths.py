"""Distances within the giant component: the longest, the mean, and the mean from a sample of nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import adjacency, giant
from topograph.metrics.metric import Metric, Value

_WATTS = "Watts & Strogatz (1998), Collective dynamics of 'small-world' networks"
_THEN = "Then et al. (2014), The more the merrier: efficient multi-source graph traversal"
_SAMPLE = 512
_DEVIATES = 1.959963984540054  # of the normal distribution for 95 %


@dataclass(frozen=True)
class _Distances:
    """How many ordered pairs (source, node) lie at each distance, and the mean distance from each source."""

    counts: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]


def _search(graph: BipartiteGraph, sources: npt.NDArray[np.int64]) -> _Distances:
    from topograph.metrics.kernels import distance_counts

    counts = np.zeros(graph.n_nodes + 1, dtype=np.int64)
    sums = np.zeros(sources.size, dtype=np.int64)
    distance_counts(*adjacency(graph), sources, counts, sums)
    return _Distances(np.trim_zeros(counts, "b"), sums / (graph.n_nodes - 1))


@computed_once
def _all_pairs(graph: BipartiteGraph) -> _Distances:
    part = giant(graph)
    return _search(part, np.arange(part.n_nodes))


def count_distances(graph: BipartiteGraph) -> npt.NDArray[np.int64]:
    """How many ordered pairs of different nodes lie at each distance from 0 on; pairs without a path are not counted.

    Examples
    --------
    >>> count_distances(BipartiteGraph.from_mask([[1, 1, 0], [0, 0, 1]])).tolist()
    [0, 6, 2]
    """
    return _search(graph, np.arange(graph.n_nodes)).counts


def _diameter(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    return Value(_all_pairs(graph).counts.size - 1)


def mean_path_length(graph: BipartiteGraph) -> Value:
    """Mean distance of two nodes of the giant component."""
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    counts = _all_pairs(graph).counts
    return Value(int(counts @ np.arange(counts.size)) / int(counts.sum()))


def _mean_path_sampled(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    part = giant(graph)
    if part.n_nodes <= _SAMPLE:
        return mean_path_length(graph)
    sources = np.random.default_rng(0).choice(part.n_nodes, _SAMPLE, replace=False)
    means = _search(part, np.sort(sources)).means
    left = 1 - _SAMPLE / part.n_nodes  # the share of the nodes that were not drawn
    return Value(float(means.mean()), _DEVIATES * float(means.std(ddof=1)) * math.sqrt(left / _SAMPLE))


_path = partial(Metric, low=1, high=math.inf, group="paths", network=True, direction="lower", fast=False)

METRICS = (
    _path(
        "diameter",
        _diameter,
        summary="longest shortest path in the component with the most edges",
        formula=r"\max_{u,v \in C} d(u, v)",
        reference=_WATTS,
        integer=True,
        cost="N E / 64",
    ),
    _path(
        "mean_path_length",
        mean_path_length,
        summary="mean shortest path over all pairs of the component with the most edges",
        formula=r"\frac{1}{|C| (|C| - 1)} \sum_{u \ne v \in C} d(u, v)",
        reference=_WATTS,
        cost="N E / 64",
    ),
    _path(
        "mean_path_length_sampled",
        _mean_path_sampled,
        summary=(
            f"mean_path_length from {_SAMPLE} nodes drawn with seed 0; the residual is half the 95 % confidence "
            "interval, and 0 where there are no more nodes than that"
        ),
        formula=r"\frac{1}{|S|} \sum_{u \in S} \frac{1}{|C| - 1} \sum_{v \in C} d(u, v)",
        reference=_THEN,
        cost="8 E",
    ),
)
