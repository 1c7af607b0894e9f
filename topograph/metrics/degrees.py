"""How many edges each node has, on either side, and how evenly they are spread."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value

Counts = npt.NDArray[np.int64]

_NEWMAN = "Newman (2002), Assortative mixing in networks"
_SHANNON = "Shannon (1948), A mathematical theory of communication"
_GINI = "Gini (1912), Variabilità e mutabilità"


@dataclass(frozen=True)
class _Side:
    """The nodes of a side, seen through a histogram: how many have degree 0, 1, 2, and so on.

    It says everything asked for here, is short, and its sums are exact in integers.
    """

    histogram: Counts
    nodes: int
    total: int
    """Sum of the degrees."""
    squares: int
    """Sum of their squares."""

    @classmethod
    def of(cls, node_degrees: Counts) -> _Side:
        histogram = np.bincount(node_degrees)
        degrees = np.arange(histogram.size)
        weighted = histogram * degrees
        return cls(histogram, node_degrees.size, int(np.add.reduce(weighted)), int(weighted @ degrees))

    @property
    def variance(self) -> int:
        """The variance times the square of the number of nodes: exactly 0 when all degrees are equal."""
        return self.nodes * self.squares - self.total**2


@computed_once
def _left(graph: BipartiteGraph) -> _Side:
    return _Side.of(graph.left_degrees)


@computed_once
def _right(graph: BipartiteGraph) -> _Side:
    return _Side.of(graph.right_degrees)


def _std(side: _Side) -> Value:
    return Value(math.sqrt(side.variance) / side.nodes)


def _cv(side: _Side) -> Value:
    return Value(math.sqrt(side.variance) / side.total) if side.total else _NO_EDGES


def _gini(side: _Side) -> Value:
    if not side.total:
        return _NO_EDGES
    # Σ_ij |d_i − d_j| = 2 Σ_t F(t) (n − F(t)), with F(t) the nodes of degree at most t
    below = np.add.accumulate(side.histogram)
    return Value(float(below @ (side.nodes - below)) / (side.nodes * side.total))


def _entropy(side: _Side) -> Value:
    held = side.histogram[side.histogram > 0]
    shares = held / side.nodes
    return Value(max(0.0, -float(shares @ np.log(shares))))


_NO_EDGES = Value.undefined("the graph has no edges")

_STATISTICS: dict[str, tuple[Callable[[_Side], Value], dict[str, Any]]] = {
    "degree_min": (
        lambda side: Value(int((side.histogram > 0).argmax())),
        {"summary": "smallest degree of the {}, isolated ones included", "formula": r"\min_v d_v", "integer": True},
    ),
    "degree_mean": (
        lambda side: Value(side.total / side.nodes),
        {"summary": "mean degree of the {}, isolated ones included", "formula": r"\bar d = |E| / |V|"},
    ),
    "degree_max": (
        lambda side: Value(side.histogram.size - 1),
        {"summary": "largest degree of the {}", "formula": r"\max_v d_v", "integer": True},
    ),
    "degree_std": (
        _std,
        {
            "summary": "standard deviation of the degree of the {}, isolated ones included",
            "formula": r"\sqrt{\frac{1}{|V|} \sum_v (d_v - \bar d)^2}",
            "direction": "lower",
        },
    ),
    "degree_cv": (
        _cv,
        {
            "summary": "coefficient of variation of the degrees of the {}: standard deviation over mean",
            "formula": r"\mathrm{std}(d) / \bar d",
            "direction": "lower",
        },
    ),
    "degree_gini": (
        _gini,
        {
            "summary": "Gini coefficient of the degrees of the {}; 0 when all are equal, 1 - 1/|V| when one has all",
            "formula": r"\frac{\sum_{u,v} |d_u - d_v|}{2 |V|^2 \bar d}",
            "direction": "lower",
            "high": 1,
            "reference": _GINI,
        },
    ),
    "degree_entropy": (
        _entropy,
        {
            "summary": "entropy, in nats, of the distribution of degrees among the {}; 0 when all are equal",
            "formula": r"-\sum_k p_k \ln p_k,\ p_k = |\{v : d_v = k\}| / |V|",
            "direction": "lower",
            "reference": _SHANNON,
        },
    ),
    "regularity": (
        lambda side: Value(int(np.maximum.reduce(side.histogram)) / side.nodes),
        {
            "summary": "share of the {} that have the most common degree; 1 exactly when regular",
            "formula": r"\max_k |\{v : d_v = k\}| / |V|",
            "direction": "higher",
            "high": 1,
        },
    ),
}


def _statistic(side: str, name: str) -> Metric:
    function, words = _STATISTICS[name]
    side_of = _left if side == "left" else _right
    settings: dict[str, Any] = {"low": 0, "high": math.inf, "group": "degrees"} | words
    settings["summary"] = words["summary"].format("inputs" if side == "left" else "outputs")
    return Metric(f"{side}_{name}", lambda g: function(side_of(g)), **settings)


def _isolated(side: str) -> Metric:
    side_of = _left if side == "left" else _right
    return Metric(
        f"isolated_{side}",
        lambda g: Value(int(side_of(g).histogram[0])),
        summary=f"number of {'inputs' if side == 'left' else 'outputs'} without an edge",
        formula=r"|\{v : d_v = 0\}|",
        low=0,
        high=math.inf,
        group="degrees",
        integer=True,
        direction="lower",
    )


@computed_once
def _edge_moments(graph: BipartiteGraph) -> tuple[int, int, int, int, int]:
    """Sums over the edges (u, v) of d_u, d_v, d_u², d_v² and d_u·d_v: exact in integers."""
    left, right = graph.left_degrees, graph.right_degrees
    # exactly, since the correlation is a difference of almost equal numbers where degrees hardly vary
    bins = [
        [(degree, count) for degree, count in enumerate(side.histogram.tolist()) if count]
        for side in (_left(graph), _right(graph))
    ]
    sums = [sum(count * degree**2 for degree, count in side) for side in bins]
    cubes = [sum(count * degree**3 for degree, count in side) for side in bins]
    running = np.concatenate([[0], np.cumsum(right[graph.indices])])
    mixed = int(left @ (running[graph.indptr[1:]] - running[graph.indptr[:-1]]))
    return sums[0], sums[1], cubes[0], cubes[1], mixed


def _correlation(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return _NO_EDGES
    left, right, left_squares, right_squares, mixed = _edge_moments(graph)
    edges = graph.n_edges
    spreads = edges * left_squares - left**2, edges * right_squares - right**2
    for spread, side in zip(spreads, ("inputs", "outputs"), strict=True):
        if not spread:
            return Value.undefined(f"all connected {side} have the same degree")
    value = (edges * mixed - left * right) / (math.sqrt(spreads[0]) * math.sqrt(spreads[1]))
    return Value(min(1.0, max(-1.0, value)))


def _assortativity(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return _NO_EDGES
    left, right, left_squares, right_squares, mixed = _edge_moments(graph)
    ends = 2 * graph.n_edges
    spread = ends * (left_squares + right_squares) - (left + right) ** 2
    if not spread:
        return Value.undefined("all connected nodes have the same degree")
    return Value(min(1.0, max(-1.0, (ends * 2 * mixed - (left + right) ** 2) / spread)))


METRICS = (
    *(_statistic(side, name) for side in ("left", "right") for name in _STATISTICS),
    _isolated("left"),
    _isolated("right"),
    Metric(
        "degree_assortativity",
        _assortativity,
        summary=(
            "correlation of the degrees at the two ends of an edge, each edge taken both ways: between sides of "
            "unequal mean degree it is negative"
        ),
        formula=r"\mathrm{corr}_{(u,v), (v,u) \in E}(d_u, d_v)",
        low=-1,
        high=1,
        group="degrees",
        network=True,
        reference=_NEWMAN,
    ),
    Metric(
        "degree_correlation",
        _correlation,
        summary="correlation over the edges of the input's degree with the output's",
        formula=r"\mathrm{corr}_{(u,v) \in E}(d_u, d_v)",
        low=-1,
        high=1,
        group="degrees",
        reference=_NEWMAN,
    ),
)
