"""`Component`: one connected piece of a graph, as the solvers get it, and the splitting of a graph into pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.spectral.pattern import Pattern, Vector


@dataclass(frozen=True, eq=False)
class Component:
    """A connected graph with at least one edge, and the positive weights of its edges where there are any.

    Parameters
    ----------
    graph
        The edges.
    weights
        One positive number per edge, in the order of ``graph.indices``; None where every edge weighs 1.
    """

    graph: BipartiteGraph
    weights: Vector | None = None

    @cached_property
    def pattern(self) -> Pattern:
        """The pattern with the smaller side as outputs, which is the side the half-size operators live on."""
        pattern = Pattern.of(self.graph, self.weights)
        return pattern.transposed if self.graph.n_right > self.graph.n_left else pattern

    @property
    def is_complete(self) -> bool:
        """Whether every input connects to every output, with weight 1."""
        return self.weights is None and self.graph.n_edges == self.graph.n_left * self.graph.n_right

    @cached_property
    def degrees(self) -> tuple[Vector, Vector]:
        """Sums of weights at the inputs and at the outputs."""
        if self.weights is None:
            return self.graph.left_degrees.astype(np.float64), self.graph.right_degrees.astype(np.float64)
        rows = np.repeat(np.arange(self.graph.n_left), self.graph.left_degrees)
        left = np.asarray(np.bincount(rows, self.weights, self.graph.n_left), dtype=np.float64)
        right = np.asarray(np.bincount(self.graph.indices, self.weights, self.graph.n_right), dtype=np.float64)
        return left, right

    @cached_property
    def matrix(self) -> Vector:
        """The dense B with at least as many rows as columns, transposed if need be."""
        dense: Vector = self.graph.to_mask(np.float64)
        if self.weights is not None:
            dense[dense != 0] = self.weights
        return dense if self.graph.n_left >= self.graph.n_right else dense.T


def components_with_edges(
    graph: BipartiteGraph, weights: Vector | None, chosen: npt.NDArray[np.int64]
) -> Iterator[tuple[int, Component]]:
    """The ``chosen`` connected components of a graph, by label; each has an edge."""
    labels = graph.component_labels
    count = graph.n_components
    left, right = labels[: graph.n_left], labels[graph.n_left :]
    # one stable sort groups the nodes, and with them the edges, by component
    left_order, right_order = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    left_bounds = np.searchsorted(left[left_order], np.arange(count + 1))
    right_bounds = np.searchsorted(right[right_order], np.arange(count + 1))
    local_right = np.empty(graph.n_right, dtype=np.int64)
    local_right[right_order] = np.arange(graph.n_right) - right_bounds[right[right_order]]
    for label in chosen.tolist():
        rows = left_order[left_bounds[label] : left_bounds[label + 1]]
        edges = _edges_of(graph, rows)
        ends = np.concatenate([[0], np.cumsum(graph.left_degrees[rows])])
        n_right = int(right_bounds[label + 1] - right_bounds[label])
        part = BipartiteGraph(rows.size, n_right, ends, local_right[graph.indices[edges]])
        yield label, Component(part, None if weights is None else weights[edges])


def _edges_of(graph: BipartiteGraph, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Positions in ``graph.indices`` of the edges of ``rows``, in that order."""
    degrees = graph.left_degrees[rows]
    starts = graph.indptr[rows].astype(np.int64)
    return np.arange(degrees.sum()) + np.repeat(starts - np.cumsum(degrees) + degrees, degrees)
