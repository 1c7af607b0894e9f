"""How the second singular value compares with the best that the degrees allow.

The published codes compute these only where both mean degrees are at least 3; here they are computed wherever they are
defined. Where a graph is not biregular, "Ramanujan" with mean degrees is a convention and no theorem.
"""

from __future__ import annotations

import math

import numpy as np

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric
from topograph.metrics.stacked import NO_EDGES, Values, estimates, stacked
from topograph.stack import Counts, GraphStack

_PAL = "Pal et al. (2022), A study on the Ramanujan graph property of winning lottery tickets"
_HOANG = (
    "Hoang, Liu, Marculescu & Wang (2023), Revisiting Pruning at Initialization Through the Lens of Ramanujan Graph"
)


@computed_once
def _connected_nodes(stack: GraphStack) -> tuple[Counts, Counts]:
    """Numbers of inputs and outputs that have an edge."""
    return np.count_nonzero(stack.left_degrees, axis=1), np.count_nonzero(stack.right_degrees, axis=1)


def mean_degrees(graph: BipartiteGraph) -> tuple[float, float]:
    """Mean degrees of inputs and outputs over the nodes that have an edge; there must be one."""
    left, right = _connected_nodes(GraphStack([graph]))
    return graph.n_edges / int(left[0]), graph.n_edges / int(right[0])


@computed_once
def _bounds(stack: GraphStack) -> Values:
    left, right = (stack.n_edges / nodes for nodes in _connected_nodes(stack))
    return Values.exact(np.sqrt(left - 1) + np.sqrt(right - 1)).undefined(stack.n_edges == 0, NO_EDGES)


@stacked
def ramanujan_bound(stack: GraphStack) -> Values:
    """√(d_L − 1) + √(d_R − 1) with mean degrees over the nodes that have an edge.

    A biregular graph is Ramanujan when σ2 is at most this.
    """
    return _bounds(stack)


def _second(stack: GraphStack) -> Values:
    return Values.of(estimates(stack, "sigma2"))


def _over_second(bound: Values, stack: GraphStack) -> Values:
    """A bound minus σ2."""
    second = _second(stack)
    return Values(bound.value - second.value, bound.residual + second.residual).because_of(bound, second)


@stacked
def _gap(stack: GraphStack) -> Values:
    return _over_second(_bounds(stack), stack)


def _over_bound(values: Values, stack: GraphStack) -> Values:
    bound = _bounds(stack)
    shares = Values(values.value / bound.value, values.residual / bound.value).because_of(bound, values)
    return shares.undefined(bound.value == 0, "the Ramanujan bound is 0: every connected node has a single edge")


@stacked
def _gap_normalized(stack: GraphStack) -> Values:
    return _over_bound(_over_second(_bounds(stack), stack), stack)


@stacked
def _ratio(stack: GraphStack) -> Values:
    return _over_bound(_second(stack), stack)


def _sigma1_bounds(stack: GraphStack) -> Values:
    first = estimates(stack, "sigma1")
    low, value, high = (2 * np.sqrt(np.maximum(end - 1, 0.0)) for end in (first.low, first.value, first.high))
    bounds = Values(value, np.maximum(value - low, high - value))
    return bounds.undefined(stack.n_edges == 0, NO_EDGES).because_of(Values.of(first))


@stacked
def _delta_s_bound(stack: GraphStack) -> Values:
    return _sigma1_bounds(stack)


@stacked
def _delta_s(stack: GraphStack) -> Values:
    return _over_second(_sigma1_bounds(stack), stack)


def _narc(stack: GraphStack, times: int) -> Values:
    """NaRC with each edge counted so many ``times``."""
    second = _second(stack)
    n, m = stack.n_left, stack.n_right
    left, right = _connected_nodes(stack)
    expected = stack.n_edges * right / m  # (d̄_L / m) L R, with d̄_L = E / L
    spread = np.sqrt(left * right)
    value = ((second.value**2 / 4 + 1) * spread - np.abs(times * stack.n_edges - expected)) / (n * m)
    residual = (second.value + second.residual) * second.residual / 2 * spread / (n * m)
    return Values(value, residual).undefined(stack.n_edges == 0, NO_EDGES).because_of(second)


METRICS = (
    Metric(
        "ramanujan_bound",
        ramanujan_bound,
        summary="what σ2 is at most in a Ramanujan graph of these mean degrees (nodes with an edge)",
        formula=r"\sqrt{\bar d_L - 1} + \sqrt{\bar d_R - 1}",
        low=0,
        high=math.inf,
        group="ramanujan",
        reference=_HOANG,
    ),
    Metric(
        "ramanujan_gap",
        _gap,
        summary="Δr: Ramanujan bound minus σ2; positive where the graph is better than the bound",
        formula=r"\sqrt{\bar d_L - 1} + \sqrt{\bar d_R - 1} - \sigma_2(B)",
        low=-math.inf,
        high=math.inf,
        group="ramanujan",
        reference=f"{_PAL}; {_HOANG}",
        direction="higher",
        cost="spectrum",
        reads_spectrum=True,
    ),
    Metric(
        "ramanujan_gap_normalized",
        _gap_normalized,
        summary="Δr over the Ramanujan bound: 1 minus ramanujan_ratio",
        formula=r"1 - \sigma_2(B) / (\sqrt{\bar d_L - 1} + \sqrt{\bar d_R - 1})",
        low=-math.inf,
        high=1,
        group="ramanujan",
        reference=_HOANG,
        direction="higher",
        cost="spectrum",
        reads_spectrum=True,
    ),
    Metric(
        "ramanujan_ratio",
        _ratio,
        summary="σ2 over the Ramanujan bound; at most 1 where the graph is Ramanujan",
        formula=r"\sigma_2(B) / (\sqrt{\bar d_L - 1} + \sqrt{\bar d_R - 1})",
        low=0,
        high=math.inf,
        group="ramanujan",
        reference=_HOANG,
        direction="lower",
        cost="spectrum",
        reads_spectrum=True,
    ),
    Metric(
        "delta_s_bound",
        _delta_s_bound,
        summary=(
            "the bound of Δs, from σ1 instead of the degrees; it disagrees with ramanujan_bound even on biregular"
            " graphs"
        ),
        formula=r"2 \sqrt{\sigma_1(B) - 1}",
        low=0,
        high=math.inf,
        group="ramanujan",
        reference=_HOANG,
        cost="spectrum",
        reads_spectrum=True,
    ),
    Metric(
        "delta_s",
        _delta_s,
        summary="Δs: delta_s_bound minus σ2",
        formula=r"2 \sqrt{\sigma_1(B) - 1} - \sigma_2(B)",
        low=-math.inf,
        high=math.inf,
        group="ramanujan",
        reference=_HOANG,
        direction="higher",
        cost="spectrum",
        reads_spectrum=True,
    ),
    Metric(
        "narc_hoang",
        stacked(lambda stack: _narc(stack, 2)),
        summary=("NaRC as published, with every edge counted twice; L and R are the inputs and outputs with an edge"),
        formula=r"\frac{(\sigma_2^2/4 + 1)\sqrt{LR} - |2|E| - \frac{\bar d_L}{m} LR|}{nm}",
        low=-math.inf,
        high=math.inf,
        group="ramanujan",
        reference=_HOANG,
        cost="spectrum",
        reads_spectrum=True,
    ),
    Metric(
        "narc_corrected",
        stacked(lambda stack: _narc(stack, 1)),
        summary=(
            "NaRC with every edge counted once, as the expander mixing lemma has it; the discrepancy that it subtracts "
            "is 0 where every output has an edge"
        ),
        formula=r"\frac{(\sigma_2^2/4 + 1)\sqrt{LR} - ||E| - \frac{\bar d_L}{m} LR|}{nm}",
        low=-math.inf,
        high=math.inf,
        group="ramanujan",
        reference=_HOANG,
        cost="spectrum",
        reads_spectrum=True,
    ),
)
