"""What falls apart when an edge or a neuron is taken away: cores, bridges, cut nodes."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import adjacency, as_igraph, by_columns
from topograph.metrics.metric import Metric, Value

_SEIDMAN = "Seidman (1983), Network structure and minimum degree"
_LIU = "Liu, Yuan, Lin, Qin, Zhang & Zhou (2019), Efficient (α, β)-core computation: an index-based approach"
_TARJAN = "Tarjan (1974), A note on finding the bridges of a graph"
_HOPCROFT = "Hopcroft & Tarjan (1973), Efficient algorithms for graph manipulation"


@computed_once
def _cores(graph: BipartiteGraph) -> tuple[int, float]:
    """The largest core number, and the share of the nodes that have it."""
    from topograph.metrics.kernels import core_numbers

    numbers = core_numbers(*adjacency(graph))
    largest = int(numbers.max())
    return largest, float(np.count_nonzero(numbers == largest)) / graph.n_nodes


def _bicore(graph: BipartiteGraph) -> Value:
    from topograph.metrics.kernels import bicore_product

    return Value(int(bicore_product(graph.indptr, graph.indices, *by_columns(graph))))


_robustness = partial(Metric, low=0, group="robustness", network=True, fast=False)

METRICS = (
    _robustness(
        "core_number",
        lambda g: Value(_cores(g)[0]),
        summary="the largest k for which there is a k-core, in which every node has at least k neighbours (degeneracy)",
        formula=r"\max \{k : C_k \ne \emptyset\}",
        high=math.inf,
        reference=_SEIDMAN,
        integer=True,
        direction="higher",
    ),
    _robustness(
        "core_share",
        lambda g: Value(_cores(g)[1]),
        summary="share of the nodes in the core of the largest k",
        formula=r"|C_{k_{\max}}| / (n + m)",
        high=1,
        reference=_SEIDMAN,
    ),
    Metric(
        "bicore_product",
        _bicore,
        summary=(
            "largest α·β of which there is an (α, β)-core: a part in which every input has at least α edges and every "
            "output at least β"
        ),
        formula=r"\max \{\alpha \beta : C_{\alpha, \beta} \ne \emptyset\}",
        low=0,
        high=math.inf,
        group="robustness",
        reference=_LIU,
        integer=True,
        direction="higher",
        cost="E times the largest degree of an input",
        fast=False,
    ),
    _robustness(
        "n_bridges",
        lambda g: Value(len(as_igraph(g).bridges())),
        summary="number of edges whose loss would separate nodes that are connected now",
        formula=r"|\{e : c(G - e) > c(G)\}|",
        high=math.inf,
        reference=_TARJAN,
        integer=True,
        direction="lower",
    ),
    _robustness(
        "n_cut_nodes",
        lambda g: Value(len(as_igraph(g).articulation_points())),
        summary="number of nodes whose loss would separate others that are connected now",
        formula=r"|\{v : c(G - v) > c(G)\}|",
        high=math.inf,
        reference=_HOPCROFT,
        integer=True,
        direction="lower",
    ),
)
