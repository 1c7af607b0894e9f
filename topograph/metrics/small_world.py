"""Small worlds: clustering and path length against graphs of the same degrees and against a lattice."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value
from topograph.metrics.motifs import robins_alexander
from topograph.metrics.paths import mean_path_length

_HUMPHRIES = "Humphries & Gurney (2008), Network 'small-world-ness'; Robins & Alexander (2004) for the clustering"
_TELESFORD = "Telesford et al. (2011), The ubiquity of small-world networks; Robins & Alexander (2004)"
_NULLS = 5


def lattice(graph: BipartiteGraph) -> BipartiteGraph:
    """The band in which input i, with its degree, meets consecutive outputs from ⌊i·m/n⌋ on.

    Examples
    --------
    >>> lattice(BipartiteGraph.from_mask([[1, 0, 1], [1, 0, 1], [1, 0, 1]])).to_mask().astype(int).tolist()
    [[1, 1, 0], [0, 1, 1], [1, 0, 1]]
    """
    rows = np.repeat(np.arange(graph.n_left), graph.left_degrees)
    place = np.arange(rows.size) - np.repeat(graph.indptr[:-1], graph.left_degrees)
    columns = (rows * graph.n_right // graph.n_left + place) % graph.n_right
    return BipartiteGraph.from_edges(np.column_stack([rows, columns]), *graph.shape)


@computed_once
def _against_nulls(graph: BipartiteGraph) -> tuple[Value, Value, float, float]:
    """Clustering and path length, and their means over rewired graphs."""
    from topograph.design import rewire

    nulls = [rewire(graph, seed=seed) for seed in range(_NULLS)]
    clustering = float(np.mean([robins_alexander(null).value for null in nulls]))
    return (
        robins_alexander(graph),
        mean_path_length(graph),
        clustering,
        float(np.mean([mean_path_length(null).value for null in nulls])),
    )


def _sigma(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    clustering, length, null_clustering, null_length = _against_nulls(graph)
    if clustering.reason:
        return clustering
    if math.isnan(null_clustering):
        return Value.undefined("a rewired graph has no path of three edges to compare with")
    if not null_clustering:
        return Value.undefined("rewired graphs have no 4-cycles to compare with")
    return Value((clustering.value / null_clustering) / (length.value / null_length))


def _omega(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    clustering, length, _, null_length = _against_nulls(graph)
    band = robins_alexander(lattice(graph))
    if clustering.reason or band.reason:
        return clustering if clustering.reason else band
    if not band.value:
        return Value.undefined("the lattice has no 4-cycles to compare with")
    return Value(null_length / length.value - clustering.value / band.value)


_small_world = partial(
    Metric, group="small_world", fast=False, cost="6 times that of mean_path_length and of the 4-cycles"
)

METRICS = (
    _small_world(
        "small_world_sigma",
        _sigma,
        summary=(
            "bipartite clustering over that of rewired graphs (mean of 5, seeds 0 to 4), divided by the same ratio of "
            "the mean path lengths of the giant components"
        ),
        formula=r"\frac{C / C_r}{\ell / \ell_r}",
        low=0,
        high=math.inf,
        reference=_HUMPHRIES,
    ),
    _small_world(
        "small_world_omega",
        _omega,
        summary=(
            "mean path length of rewired graphs over that of the graph, less bipartite clustering over that of the "
            "band with the same degrees of the inputs; near 0 for a small world, positive towards chance, negative "
            "towards a lattice"
        ),
        formula=r"\ell_r / \ell - C / C_b",
        low=-math.inf,
        high=math.inf,
        reference=_TELESFORD,
    ),
)
