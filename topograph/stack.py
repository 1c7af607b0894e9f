"""`GraphStack`: graphs of one shape as arrays, so that one pass over an array serves them all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.caching import cache_of
from topograph.graph import BipartiteGraph

Counts = npt.NDArray[np.int64]
Vector = npt.NDArray[np.float64]

_ENTRIES = 1 << 19  # of the masks that are stacked together: about what a processor's cache holds as dense arrays
_LARGEST_SIDE = 24  # nodes on the smaller side up to which dense masks are worth their zeros


class GraphStack:
    """Graphs of one shape, each a block of one block-diagonal pattern.

    A stack of one graph has that graph's own arrays and cache: nothing is copied, and what `computed_once` keeps with
    the stack is kept with the graph.

    Parameters
    ----------
    graphs
        At least one, all of one shape.

    Attributes
    ----------
    indptr, indices
        The block-diagonal pattern: the outputs of input i of graph g, in ascending order, are
        ``indices[indptr[g · n + i]:indptr[g · n + i + 1]]``, output j being number g · m + j.

    Examples
    --------
    >>> path, square = BipartiteGraph.from_mask([[1, 0], [1, 1]]), BipartiteGraph.from_mask([[1, 1], [1, 1]])
    >>> stack = GraphStack([path, square])
    >>> stack.left_degrees.tolist(), stack.n_edges.tolist(), stack.indices.tolist()
    ([[1, 2], [2, 2]], [3, 4], [0, 0, 1, 2, 3, 2, 3])
    """

    def __init__(self, graphs: Sequence[BipartiteGraph]) -> None:
        self.graphs = graphs
        self.n_left, self.n_right = graphs[0].shape
        if len(graphs) == 1:
            self._cache = cache_of(graphs[0])
            self.indptr: npt.NDArray[Any] = graphs[0].indptr
            self.indices: npt.NDArray[Any] = graphs[0].indices
            return
        edges = self.n_edges
        ends = np.concatenate([graph.indptr[1:] for graph in graphs]).reshape(len(graphs), -1)
        self.indptr = np.concatenate([[0], (ends + (np.cumsum(edges) - edges)[:, None]).ravel()])
        blocks = np.repeat(np.arange(len(graphs)) * self.n_right, edges)
        self.indices = np.concatenate([graph.indices for graph in graphs]) + blocks

    @classmethod
    def of_equal_shape(cls, graphs: Iterable[BipartiteGraph]) -> Iterator[tuple[list[int], GraphStack]]:
        """Stacks of those of one shape, with their places; none is larger than the processor's cache likes."""
        by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
        graphs = list(graphs)
        for place, graph in enumerate(graphs):
            by_shape[graph.shape].append(place)
        for (n, m), places in by_shape.items():
            step = max(1, _ENTRIES // (n * m))
            for start in range(0, len(places), step):
                chosen = places[start : start + step]
                yield chosen, cls([graphs[place] for place in chosen])

    def __len__(self) -> int:
        return len(self.graphs)

    def take(self, places: Iterable[int]) -> GraphStack:
        """The graphs at these places; there must be one."""
        return GraphStack([self.graphs[place] for place in places])

    @property
    def n_nodes(self) -> int:
        """Nodes of each graph."""
        return self.n_left + self.n_right

    @cached_property
    def n_edges(self) -> Counts:
        """Edges of each graph."""
        return np.array([graph.n_edges for graph in self.graphs])

    @cached_property
    def left_degrees(self) -> Counts:
        """Degrees of the inputs, shape ``(graphs, n_left)``."""
        if len(self) == 1:
            return self.graphs[0].left_degrees[None]
        return np.diff(self.indptr).reshape(len(self), self.n_left)

    @cached_property
    def right_degrees(self) -> Counts:
        """Degrees of the outputs, shape ``(graphs, n_right)``."""
        if len(self) == 1:
            return self.graphs[0].right_degrees[None]
        return np.bincount(self.indices, minlength=len(self) * self.n_right).reshape(len(self), self.n_right)

    # ------------------------------------------------------------------ dense, for graphs with a small side

    @property
    def has_small_side(self) -> bool:
        """Whether dense masks, and products of their size, cost less than what Python does around each graph."""
        return min(self.n_left, self.n_right) <= _LARGEST_SIDE and self.n_left * self.n_right <= _ENTRIES

    @cached_property
    def masks(self) -> Vector:
        """The masks as floats, shape ``(graphs, rows, columns)``: transposed where there are fewer inputs."""
        count, n, m = len(self), self.n_left, self.n_right
        masks = np.zeros(count * n * m)
        rows = np.repeat(np.arange(count * n), self.left_degrees.ravel())
        blocks = np.repeat(np.arange(count) * m, self.n_edges)
        masks[rows * m + (self.indices - blocks)] = 1.0
        stacked = masks.reshape(count, n, m)
        return stacked if n >= m else np.ascontiguousarray(stacked.transpose(0, 2, 1))

    @property
    def sides(self) -> tuple[Counts, Counts]:
        """Degrees of the rows and of the columns of ``masks``."""
        degrees = self.left_degrees, self.right_degrees
        return degrees if self.n_left >= self.n_right else degrees[::-1]

    @cached_property
    def overlaps(self) -> Vector:
        """How many rows each pair of columns of ``masks`` shares, shape ``(graphs, columns, columns)``."""
        return np.asarray(self.masks.transpose(0, 2, 1) @ self.masks)

    @cached_property
    def are_one_component(self) -> npt.NDArray[np.bool_]:
        """Whether all nodes that have an edge reach each other, and there is such a node."""
        alive = self.sides[1] > 0
        reach = (self.overlaps > 0).astype(np.float64)
        for _ in range(int(np.ceil(np.log2(reach.shape[1])))):
            reach = (reach @ reach > 0).astype(np.float64)
        first = np.argmax(alive, axis=1)
        reached = np.take_along_axis(reach, first[:, None, None], axis=1)[:, 0] > 0
        return np.asarray(alive.any(axis=1) & (reached == alive).all(axis=1))
