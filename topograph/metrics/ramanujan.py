"""How the second singular value compares with the best that the degrees allow.

The published codes compute these only where both mean degrees are at least 3; here they are computed wherever they are
defined. Where a graph is not biregular, "Ramanujan" with mean degrees is a convention and no theorem.
"""

from __future__ import annotations

import math

import numpy as np

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value
from topograph.spectral import Estimate

_PAL = "Pal et al. (2022), A study on the Ramanujan graph property of winning lottery tickets"
_HOANG = (
    "Hoang, Liu, Marculescu & Wang (2023), Revisiting Pruning at Initialization Through the Lens of Ramanujan Graph"
)


@computed_once
def ramanujan_bound(graph: BipartiteGraph) -> Value:
    """√(d_L − 1) + √(d_R − 1) with mean degrees over the nodes that have an edge.

    A biregular graph is Ramanujan when σ2 is at most this.
    """
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    left, right = mean_degrees(graph)
    return Value(math.sqrt(left - 1) + math.sqrt(right - 1))


def mean_degrees(graph: BipartiteGraph) -> tuple[float, float]:
    """Mean degrees of inputs and outputs over the nodes that have an edge; there must be one."""
    left, right = connected_nodes(graph)
    return graph.n_edges / left, graph.n_edges / right


@computed_once
def connected_nodes(graph: BipartiteGraph) -> tuple[int, int]:
    """Numbers of inputs and outputs that have an edge."""
    return int(np.count_nonzero(graph.left_degrees)), int(np.count_nonzero(graph.right_degrees))


def _sigma(graph: BipartiteGraph, place: int) -> Estimate:
    return graph.spectrum(on_failure="nan")[f"sigma{place}"]


def _gap(graph: BipartiteGraph) -> Value:
    return _over_second(ramanujan_bound(graph), graph)


def _over_second(bound: Value, graph: BipartiteGraph) -> Value:
    """A bound minus σ2."""
    second = _sigma(graph, 2)
    if bound.reason or second.reason:
        return Value.undefined(str(bound.reason or second.reason))
    return Value(bound.value - second.value, bound.residual + second.residual)


def _over_bound(value: Value, bound: Value) -> Value:
    if value.reason or bound.reason:
        return Value.undefined(str(bound.reason or value.reason))
    if bound.value == 0:
        return Value.undefined("the Ramanujan bound is 0: every connected node has a single edge")
    return Value(value.value / bound.value, value.residual / bound.value)


def _sigma1_bound(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    first = _sigma(graph, 1)
    if first.reason is not None:
        return Value.of(first)
    low, value, high = (2 * math.sqrt(max(end - 1, 0.0)) for end in (first.low, first.value, first.high))
    return Value(value, max(value - low, high - value))


def _narc(graph: BipartiteGraph, times: int) -> Value:
    """NaRC with each edge counted so many ``times``."""
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    second = _sigma(graph, 2)
    if second.reason is not None:
        return Value.of(second)
    n, m = graph.shape
    left, right = connected_nodes(graph)
    expected = graph.n_edges * right / m  # (d̄_L / m) L R, with d̄_L = E / L
    spread = math.sqrt(left * right)
    value = ((second.value**2 / 4 + 1) * spread - abs(times * graph.n_edges - expected)) / (n * m)
    return Value(value, (second.value + second.residual) * second.residual / 2 * spread / (n * m))


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
        lambda g: _over_bound(_gap(g), ramanujan_bound(g)),
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
        lambda g: _over_bound(Value.of(_sigma(g, 2)), ramanujan_bound(g)),
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
        _sigma1_bound,
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
        lambda g: _over_second(_sigma1_bound(g), g),
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
        lambda g: _narc(g, 2),
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
        lambda g: _narc(g, 1),
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
