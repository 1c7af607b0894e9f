"""How far the graph falls into communities that hardly touch each other."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import as_igraph
from topograph.metrics.metric import Metric, Value

_NEWMAN = "Newman & Girvan (2004), Finding and evaluating community structure in networks"
_BARBER = "Barber (2007), Modularity and community detection in bipartite networks"
_BLONDEL = "Blondel et al. (2008), Fast unfolding of communities in large networks"


def _louvain(graph: BipartiteGraph) -> npt.NDArray[np.int64]:
    """The community of each node, inputs first, that the Louvain method finds with seed 0."""
    return np.asarray(_partition(graph).membership, dtype=np.int64)


@computed_once
def _partition(graph: BipartiteGraph) -> Any:
    import igraph

    network = as_igraph(graph)
    igraph.set_random_number_generator(random.Random(0))  # Louvain visits the nodes in random order
    try:
        return network.community_multilevel()
    finally:
        igraph.set_random_number_generator(random)  # igraph's own default


def _modularity(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    return Value(float(_partition(graph).modularity))


Labels = npt.NDArray[np.int64]


def barber_of(graph: BipartiteGraph, left: Labels, right: Labels) -> float:
    """Barber's modularity of a partition.

    Parameters
    ----------
    graph
        A graph with edges.
    left, right
        Number of the community of each input and of each output, from 0.

    Examples
    --------
    >>> two = BipartiteGraph.from_edges([[0, 0], [1, 1]])
    >>> barber_of(two, np.array([0, 1]), np.array([0, 1]))
    0.5
    """
    count = int(max(left.max(), right.max())) + 1
    inside = np.count_nonzero(np.repeat(left, graph.left_degrees) == right[graph.indices])
    inputs = np.bincount(left, weights=graph.left_degrees, minlength=count)
    outputs = np.bincount(right, weights=graph.right_degrees, minlength=count)
    return float(inside / graph.n_edges - inputs @ outputs / graph.n_edges**2)


def _best(matrix: Any, degrees: Labels, labels: Labels, weights: npt.NDArray[Any], own: Labels) -> Labels:
    """For each row the community of the other side that adds most; a row without an edge keeps its own."""
    count = int(labels.max()) + 1
    members = sp.csr_array((np.ones(labels.size), (np.arange(labels.size), labels)), shape=(labels.size, count))
    edges = (matrix @ members).tocoo()
    total = np.bincount(labels, weights=weights, minlength=count)
    gains = edges.data - degrees[edges.row] * total[edges.col] / weights.sum()
    order = np.lexsort((edges.col, -gains, edges.row))
    rows, first = np.unique(edges.row[order], return_index=True)
    chosen = own.copy()
    chosen[rows] = edges.col[order][first]
    return chosen


def _barber(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    labels = _louvain(graph)
    left, right = labels[: graph.n_left], labels[graph.n_left :]
    matrix = sp.csr_array(graph.biadjacency, dtype=float)
    best = barber_of(graph, left, right)
    for _ in range(100):
        left = _best(matrix, graph.left_degrees, right, graph.right_degrees, left)
        right = _best(matrix.T.tocsr(), graph.right_degrees, left, graph.left_degrees, right)
        value = barber_of(graph, left, right)
        if value <= best + 1e-12:
            break
        best = value
    return Value(max(best, value))


METRICS = (
    Metric(
        "modularity",
        _modularity,
        summary="modularity of the partition that the Louvain method finds with seed 0: at most the largest there is",
        formula=r"\frac{1}{2|E|} \sum_{u,v} \left(A_{uv} - \frac{d_u d_v}{2|E|}\right) \delta(c_u, c_v)",
        low=-0.5,
        high=1,
        group="communities",
        network=True,
        reference=f"{_NEWMAN}; {_BLONDEL}",
        direction="lower",
        cost="a few times E",
        fast=False,
    ),
    Metric(
        "barber_modularity",
        _barber,
        summary=(
            "Barber's modularity, whose null model joins inputs to outputs only, of the partition his method makes "
            "of that of Louvain: at most the largest there is"
        ),
        formula=r"\frac{1}{|E|} \sum_{i,j} \left(B_{ij} - \frac{d_i d_j}{|E|}\right) \delta(c_i, c_j)",
        low=-1,
        high=1,
        group="communities",
        reference=_BARBER,
        direction="lower",
        cost="a few times E",
        fast=False,
    ),
)
