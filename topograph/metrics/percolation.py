"""Percolation: how fast the giant component shrinks when neurons are taken away, by degree or by chance."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import adjacency
from topograph.metrics.metric import Metric, Value

_SCHNEIDER = (
    "Schneider, Moreira, Andrade, Havlin & Herrmann (2011), Mitigation of malicious attacks on networks; "
    "Newman & Ziff (2001), Fast Monte Carlo algorithm for site or bond percolation"
)
_DRAWS = 10


def giant_sizes(graph: BipartiteGraph, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Nodes of the largest component after the first 0, 1, 2, … nodes of the order are gone.

    Examples
    --------
    >>> path = BipartiteGraph.from_edges([[0, 0], [1, 0], [1, 1]])
    >>> giant_sizes(path, np.array([1, 0, 2, 3])).tolist()
    [4, 2, 1, 1, 0]
    """
    from topograph.metrics.kernels import percolate

    return np.asarray(percolate(*adjacency(graph), np.ascontiguousarray(order, dtype=np.int64)))


def _robustness(graph: BipartiteGraph, order: npt.NDArray[np.int64]) -> float:
    sizes = giant_sizes(graph, order)
    return float(sizes[1:].sum()) / graph.n_nodes**2


@computed_once
def _degrees(graph: BipartiteGraph) -> npt.NDArray[np.int64]:
    return np.concatenate([graph.left_degrees, graph.right_degrees]).astype(np.int64)


def _attack(graph: BipartiteGraph) -> Value:
    return Value(_robustness(graph, np.argsort(-_degrees(graph), kind="stable")))


def _failure(graph: BipartiteGraph) -> Value:
    generator = np.random.default_rng(0)
    draws = [_robustness(graph, generator.permutation(graph.n_nodes)) for _ in range(_DRAWS)]
    return Value(float(np.mean(draws)))


_percolation = partial(
    Metric,
    low=0,
    high=0.5,
    group="percolation",
    network=True,
    reference=_SCHNEIDER,
    direction="higher",
    fast=False,
)
_FORMULA = r"\frac{1}{N} \sum_{q=1}^{N} s(q)"

METRICS = (
    _percolation(
        "attack_robustness",
        _attack,
        summary=(
            "mean share of the nodes in the largest component while nodes are taken away from the largest degree down "
            "(degrees of the whole graph, ties in the order of the nodes); at most about 1/2"
        ),
        formula=_FORMULA,
    ),
    _percolation(
        "failure_robustness",
        _failure,
        summary="the same while nodes are taken away at random, the mean over 10 orders drawn with seed 0",
        formula=_FORMULA,
        cost="10 E",
    ),
)
