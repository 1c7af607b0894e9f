"""`ConvertedGraph`: a graph of networkx as index arrays, with the sides found where it is bipartite."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.spectral.pattern import Vector

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, eq=False)
class ConvertedGraph:
    """An undirected graph of networkx, its nodes numbered in their order.

    Parameters
    ----------
    nodes
        The nodes in networkx' order.
    adjacency
        Shape ``(n, n)``, CSR: an entry at (u, v) and (v, u) for every edge, parallel edges once, self-loops left out.
    has_loops
        Whether there were self-loops.
    weights
        By edge attribute: one number per entry of the adjacency, the sum over parallel edges of the absolute values,
        1 where an edge lacks the attribute. None where a value is not a finite number.
    """

    nodes: list[Any]
    adjacency: sp.csr_array = field(repr=False)
    has_loops: bool
    weights: Mapping[Hashable, Vector | None] = field(repr=False)

    __networkx_backend__ = "topograph"

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    def __iter__(self) -> Iterator[Any]:
        """The nodes."""
        return iter(self.nodes)

    def is_directed(self) -> bool:
        """False; networkx asks."""
        return False

    def is_multigraph(self) -> bool:
        """False: parallel edges have become one."""
        return False

    def weighted_by(self, weight: Hashable | None) -> tuple[sp.csr_array, bool]:
        """The adjacency with the weights of an edge attribute, without edges of weight 0; whether some are not 1.

        Raises
        ------
        InvalidParameterError
            A weight is not a finite number, or the attribute was not converted.
        """
        values = np.ones(self.adjacency.nnz) if weight is None else self.weights.get(weight)
        if values is None:
            raise InvalidParameterError(
                f"the weights {weight!r} are not all finite numbers; clean them, or weight=None"
            )
        matrix = sp.csr_array((values, self.adjacency.indices, self.adjacency.indptr), shape=self.adjacency.shape)
        if not values.all():
            matrix = matrix.copy()  # the index arrays are those of the adjacency
            matrix.eliminate_zeros()
        return matrix, bool((matrix.data != 1).any())

    @cached_property
    def sides(self) -> npt.NDArray[np.bool_] | None:
        """Which nodes are outputs; None where the graph is not bipartite. A node without an edge is an input."""
        return two_sides(self.adjacency)


def two_sides(adjacency: sp.csr_array) -> npt.NDArray[np.bool_] | None:
    """A colouring of the nodes without an edge between equals; None where there is none.

    Each node stands twice in a double cover whose edges run between copies. The two copies of a node are connected
    where a walk of odd length leads back to it, and only there.

    Examples
    --------
    >>> two_sides(sp.csr_array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])).tolist()
    [False, True, False]
    >>> two_sides(sp.csr_array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])) is None
    True
    """
    from scipy.sparse import csgraph

    n = adjacency.shape[0]
    indptr = np.concatenate([adjacency.indptr, adjacency.indptr[1:].astype(np.int64) + adjacency.nnz])
    indices = np.concatenate([adjacency.indices.astype(np.int64) + n, adjacency.indices])
    cover = sp.csr_array((np.ones(indices.size, dtype=np.int8), indices, indptr), shape=(2 * n, 2 * n))
    _, labels = csgraph.connected_components(cover, directed=False)
    first, second = labels[:n], labels[n:]
    return None if (first == second).any() else np.asarray(first > second)


@dataclass(frozen=True, eq=False)
class Sides:
    """A bipartite graph and the numbers that its inputs and outputs have in networkx' order."""

    graph: BipartiteGraph
    weights: Vector | None
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]

    @classmethod
    def of(cls, matrix: sp.csr_array, is_output: npt.NDArray[np.bool_], is_weighted: bool = False) -> Sides:
        """Split an adjacency; there is an edge."""
        left, right = np.flatnonzero(~is_output), np.flatnonzero(is_output)
        block = sp.csr_array(matrix[left][:, right])
        block.sort_indices()
        graph = BipartiteGraph(left.size, right.size, block.indptr, block.indices)
        return cls(graph, np.ascontiguousarray(block.data, dtype=np.float64) if is_weighted else None, left, right)

    def in_order(self, values: Vector) -> Vector:
        """One value per node, inputs first, in networkx' order."""
        ordered = np.empty(values.size)
        ordered[self.left] = values[: self.left.size]
        ordered[self.right] = values[self.left.size :]
        return ordered


def convert_graph(graph: nx.Graph[Any], edge_attributes: Mapping[Hashable, Any]) -> ConvertedGraph:
    """Read an undirected graph of networkx; ``edge_attributes`` are weights, by name, with their defaults."""
    nodes = list(graph)
    index = {node: number for number, node in enumerate(nodes)}
    neighbours = [graph.adj[node] for node in nodes]
    counts = np.fromiter(map(len, neighbours), dtype=np.int64, count=len(nodes))
    ends = np.fromiter(
        (index[other] for others in neighbours for other in others), dtype=np.int64, count=int(counts.sum())
    )
    rows = np.repeat(np.arange(len(nodes)), counts)
    is_edge = rows != ends
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[is_edge], minlength=len(nodes)))])
    adjacency = sp.csr_array(
        (np.ones(int(is_edge.sum())), ends[is_edge], indptr.astype(np.int64)), shape=(len(nodes), len(nodes))
    )
    weights = {
        name: _weights(neighbours, graph.is_multigraph(), name, default, is_edge)
        for name, default in edge_attributes.items()
    }
    return ConvertedGraph(nodes, adjacency, not bool(is_edge.all()), weights)


def _weights(
    neighbours: list[Any], is_multigraph: bool, name: Hashable, default: Any, is_edge: npt.NDArray[np.bool_]
) -> Vector | None:
    """|w| per entry of the adjacency, summed over parallel edges; None where one is not a finite number."""
    edges = (data for others in neighbours for data in others.values())
    try:
        if is_multigraph:
            values = [math.fsum(abs(data.get(name, default)) for data in parallel.values()) for parallel in edges]
        else:
            values = [abs(data.get(name, default)) for data in edges]
        numbers = np.array(values, dtype=np.float64)[is_edge]
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if np.isfinite(numbers).all() else None
