"""How many edges each node has, on either side, and how evenly they are spread."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.metrics.metric import Metric
from topograph.metrics.stacked import NO_EDGES, Values, stacked
from topograph.row_sums import row_sums
from topograph.stack import Counts, GraphStack

_NEWMAN = "Newman (2002), Assortative mixing in networks"
_SHANNON = "Shannon (1948), A mathematical theory of communication"
_GINI = "Gini (1912), Variabilità e mutabilità"
_EXACT = 2**53
"""Integers below it are exact as floats, too; larger ones are left to Python."""


@dataclass(frozen=True, eq=False)
class _Side:
    """The nodes of a side, seen through histograms: how many have degree 0, 1, 2, and so on.

    They say everything asked for here, are short, and their sums are exact in integers.
    """

    histogram: Counts
    """Shape ``(graphs, degrees)``."""
    nodes: int
    total: Counts
    """Sums of the degrees."""
    squares: Counts
    """Sums of their squares."""

    @classmethod
    def of(cls, node_degrees: Counts) -> _Side:
        count, nodes = node_degrees.shape
        length = int(node_degrees.max()) + 1
        numbers = node_degrees if count == 1 else node_degrees + np.arange(count)[:, None] * length
        histogram = np.bincount(numbers.ravel(), minlength=count * length).reshape(count, length)
        degrees = np.arange(length)
        weighted = histogram * degrees
        return cls(histogram, nodes, weighted.sum(axis=1), weighted @ degrees)

    @property
    def variance(self) -> npt.NDArray[Any]:
        """The variance times the square of the number of nodes: exactly 0 when all degrees are equal."""
        squares, total = _exact(self.squares, self.nodes), _exact(self.total, int(self.total.max()))
        return np.asarray(self.nodes * squares - total**2)

    def moment(self, power: int) -> npt.NDArray[Any]:
        """Sums of a power of the degrees."""
        held = np.flatnonzero(self.histogram.any(axis=0))
        powers = _exact(held, max(held.max(initial=1), 1) ** (power - 1) * self.nodes) ** power
        return np.asarray(self.histogram[:, held].astype(powers.dtype) @ powers)


def _exact(numbers: Counts, factor: int) -> npt.NDArray[Any]:
    """The integers as Python's own where ``factor`` times the largest is not exact otherwise."""
    return numbers.astype(object) if int(numbers.max(initial=0)) * factor >= _EXACT else numbers


def _floats(numbers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return numbers.astype(np.float64)


@computed_once
def _left(stack: GraphStack) -> _Side:
    return _Side.of(stack.left_degrees)


@computed_once
def _right(stack: GraphStack) -> _Side:
    return _Side.of(stack.right_degrees)


def _std(side: _Side) -> Values:
    return Values.exact(np.sqrt(_floats(side.variance)) / side.nodes)


def _cv(side: _Side) -> Values:
    return Values.exact(np.sqrt(_floats(side.variance)) / side.total).undefined(side.total == 0, NO_EDGES)


def _gini(side: _Side) -> Values:
    # Σ_ij |d_i − d_j| = 2 Σ_t F(t) (n − F(t)), with F(t) the nodes of degree at most t
    below = np.cumsum(side.histogram, axis=1)
    pairs = (below * (side.nodes - below)).sum(axis=1)
    return Values.exact(pairs / (side.nodes * side.total)).undefined(side.total == 0, NO_EDGES)


def _entropy(side: _Side) -> Values:
    shares = side.histogram / side.nodes
    terms = shares * np.log(np.where(shares > 0, shares, 1.0))
    # one term after the other, so that degrees which only other graphs have change no digit
    return Values.exact(np.maximum(0.0, -np.cumsum(terms, axis=1)[:, -1]))


def _largest(side: _Side) -> Values:
    return Values.exact(side.histogram.shape[1] - 1 - np.argmax(side.histogram[:, ::-1] > 0, axis=1))


_STATISTICS: dict[str, tuple[Callable[[_Side], Values], dict[str, Any]]] = {
    "degree_min": (
        lambda side: Values.exact(np.argmax(side.histogram > 0, axis=1)),
        {"summary": "smallest degree of the {}, isolated ones included", "formula": r"\min_v d_v", "integer": True},
    ),
    "degree_mean": (
        lambda side: Values.exact(side.total / side.nodes),
        {"summary": "mean degree of the {}, isolated ones included", "formula": r"\bar d = |E| / |V|"},
    ),
    "degree_max": (
        _largest,
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
        lambda side: Values.exact(side.histogram.max(axis=1) / side.nodes),
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
    return Metric(f"{side}_{name}", stacked(lambda stack: function(side_of(stack))), **settings)


def _isolated(side: str) -> Metric:
    side_of = _left if side == "left" else _right
    return Metric(
        f"isolated_{side}",
        stacked(lambda stack: Values.exact(side_of(stack).histogram[:, 0])),
        summary=f"number of {'inputs' if side == 'left' else 'outputs'} without an edge",
        formula=r"|\{v : d_v = 0\}|",
        low=0,
        high=math.inf,
        group="degrees",
        integer=True,
        direction="lower",
    )


@dataclass(frozen=True, eq=False)
class _EdgeMoments:
    """Sums over the edges (u, v) of d_u, d_v, d_u², d_v² and d_u·d_v: exact in integers.

    A correlation is a difference of almost equal numbers where degrees hardly vary.
    """

    edges: npt.NDArray[Any]
    left: npt.NDArray[Any]
    right: npt.NDArray[Any]
    left_squares: npt.NDArray[Any]
    right_squares: npt.NDArray[Any]
    mixed: npt.NDArray[Any]

    @property
    def left_spread(self) -> npt.NDArray[Any]:
        """The variance of d_u times the square of the number of edges."""
        return np.asarray(self.edges * self.left_squares - self.left**2)

    @property
    def right_spread(self) -> npt.NDArray[Any]:
        """The variance of d_v times the square of the number of edges."""
        return np.asarray(self.edges * self.right_squares - self.right**2)


@computed_once
def _edge_moments(stack: GraphStack) -> _EdgeMoments:
    sums = row_sums(stack.right_degrees.ravel()[stack.indices], stack.indptr)
    mixed = np.einsum("gi,gi->g", stack.left_degrees, sums.reshape(stack.left_degrees.shape))
    left, right = _left(stack), _right(stack)
    most = int(stack.n_edges.max()) ** 2 * 4 * max(stack.n_left, stack.n_right) ** 2
    exact = np.int64 if most < _EXACT else object
    sums_of = (left.squares, right.squares, left.moment(3), right.moment(3), mixed)
    return _EdgeMoments(stack.n_edges.astype(exact), *(numbers.astype(exact) for numbers in sums_of))


def _ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The quotients, 0 where the denominator is."""
    some = denominator != 0
    return _floats(np.where(some, numerator, 0) / np.where(some, denominator, 1))


@stacked
def _correlation(stack: GraphStack) -> Values:
    sums = _edge_moments(stack)
    spreads = sums.left_spread, sums.right_spread
    roots = np.sqrt(_floats(spreads[0])) * np.sqrt(_floats(spreads[1]))
    value = _ratio(_floats(sums.edges * sums.mixed - sums.left * sums.right), roots)
    values = Values.exact(np.clip(value, -1.0, 1.0)).undefined(stack.n_edges == 0, NO_EDGES)
    for spread, side in zip(spreads, ("inputs", "outputs"), strict=True):
        values = values.undefined(spread == 0, f"all connected {side} have the same degree")
    return values


@stacked
def _assortativity(stack: GraphStack) -> Values:
    sums = _edge_moments(stack)
    ends, both = 2 * sums.edges, (sums.left + sums.right) ** 2
    spread = ends * (sums.left_squares + sums.right_squares) - both
    values = Values.exact(np.clip(_ratio(ends * 2 * sums.mixed - both, spread), -1.0, 1.0))
    values = values.undefined(stack.n_edges == 0, NO_EDGES)
    return values.undefined(spread == 0, "all connected nodes have the same degree")


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
