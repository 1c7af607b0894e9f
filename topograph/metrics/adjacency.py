"""The forms of a graph that metrics need: its columns, its adjacency, normalised, igraph's, its giant component."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph

Indices = npt.NDArray[Any]


@computed_once
def by_columns(graph: BipartiteGraph) -> tuple[Indices, Indices]:
    """CSC of the biadjacency: ``(indptr, indices)``, the inputs of each output."""
    csc = graph.biadjacency.tocsc()
    return csc.indptr, csc.indices


@computed_once
def adjacency(graph: BipartiteGraph) -> tuple[Indices, Indices]:
    """CSR of the adjacency of all nodes, inputs first: ``(indptr, indices)``."""
    col_indptr, col_indices = by_columns(graph)
    indptr = np.concatenate([graph.indptr, col_indptr[1:].astype(np.int64) + graph.n_edges])
    return indptr, np.concatenate([graph.indices + np.int64(graph.n_left), col_indices])


def normalized(graph: BipartiteGraph) -> sp.csr_array:
    """D_L^-½ B D_R^-½, with zeros for nodes without an edge."""
    left, right = (
        np.divide(1.0, np.sqrt(degrees), out=np.zeros(degrees.size), where=degrees > 0)
        for degrees in (graph.left_degrees, graph.right_degrees)
    )
    data = np.repeat(left, graph.left_degrees) * right[graph.indices]
    return sp.csr_array((data, graph.indices, graph.indptr), shape=graph.shape)


@computed_once
def as_igraph(graph: BipartiteGraph) -> Any:
    """The graph for igraph, without attributes; igraph reads the edges from the array's own memory."""
    import igraph

    edges = np.ascontiguousarray(graph.edges() + np.array([0, graph.n_left]), dtype=np.int64)
    return igraph.Graph(n=graph.n_nodes, edges=memoryview(edges.data) if edges.size else [])


@computed_once
def giant(graph: BipartiteGraph) -> BipartiteGraph:
    """The component with the most edges; the graph itself where it is connected."""
    return graph if graph.is_connected else graph.giant_component()
