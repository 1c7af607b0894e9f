"""How the second singular value compares with the best that the degrees allow."""

from __future__ import annotations

import math

from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value

_SOURCE = (
    "Hoang, Liu, Marculescu & Wang (2023), Revisiting Pruning at Initialization Through the Lens of Ramanujan Graph"
)


def ramanujan_bound(graph: BipartiteGraph) -> Value:
    """√(d_L − 1) + √(d_R − 1) with mean degrees over the nodes that have a connection.

    A biregular graph is Ramanujan when σ2 is at most this.
    """
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    left = graph.n_edges / int((graph.left_degrees > 0).sum())
    right = graph.n_edges / int((graph.right_degrees > 0).sum())
    return Value(math.sqrt(left - 1) + math.sqrt(right - 1))


def _gap(graph: BipartiteGraph) -> Value:
    bound, second = ramanujan_bound(graph), graph.spectrum(on_failure="nan")["sigma2"]
    return Value(bound.value - second.value, second.residual, bound.reason or second.reason)


def _ratio(graph: BipartiteGraph) -> Value:
    bound, second = ramanujan_bound(graph), graph.spectrum(on_failure="nan")["sigma2"]
    if bound.reason or second.reason:
        return Value.undefined(str(bound.reason or second.reason))
    if bound.value == 0:
        return Value.undefined("the Ramanujan bound is 0: every connected node has a single connection")
    return Value(second.value / bound.value, second.residual / bound.value)


METRICS = (
    Metric(
        "ramanujan_bound",
        ramanujan_bound,
        "what σ2 is at most in a Ramanujan graph of these mean degrees (nodes with a connection)",
        r"\sqrt{\bar d_L - 1} + \sqrt{\bar d_R - 1}",
        0,
        math.inf,
        "ramanujan",
        reference=_SOURCE,
    ),
    Metric(
        "ramanujan_gap",
        _gap,
        "Ramanujan bound minus σ2; positive where the graph is better than the bound",
        r"\sqrt{\bar d_L - 1} + \sqrt{\bar d_R - 1} - \sigma_2(B)",
        -math.inf,
        math.inf,
        "ramanujan",
        reference=_SOURCE,
    ),
    Metric(
        "ramanujan_ratio",
        _ratio,
        "σ2 over the Ramanujan bound; at most 1 where the graph is Ramanujan",
        r"\sigma_2(B) / (\sqrt{\bar d_L - 1} + \sqrt{\bar d_R - 1})",
        0,
        math.inf,
        "ramanujan",
        reference=_SOURCE,
    ),
)
