"""`SwapState`: a graph under double edge swaps, which keep every degree, as one sorted array of edge keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph

Integers = npt.NDArray[np.int64]


class SwapState:
    """The edges of a graph as ascending keys i · n_right + j, and swaps of many pairs of them at once.

    A swap of the edges (a, b) and (c, d) puts (a, d) and (c, b) in their place. As degrees stay, the edges of an input
    always fill the same places of the array.
    """

    def __init__(self, graph: BipartiteGraph) -> None:
        self.n, self.m = graph.shape
        self.rows = graph.edges()[:, 0]
        self.base = self.rows * self.m
        self.indptr = graph.indptr
        self.keys: Integers = self.base + graph.indices

    @property
    def columns(self) -> Integers:
        """The outputs, in the order of the edges."""
        return self.keys - self.base

    def to_graph(self) -> BipartiteGraph:
        """The graph as it stands."""
        return BipartiteGraph(self.n, self.m, self.indptr, self.columns)

    def possible(self, pairs: Integers) -> npt.NDArray[np.bool_]:
        """Which pairs of edge numbers, shape ``(pairs, 2)``, could be swapped on their own."""
        (a, c), (b, d) = self.rows[pairs].T, (self.keys[pairs] - self.base[pairs]).T
        crossed = self.crossed(pairs)
        free = self.keys[np.minimum(np.searchsorted(self.keys, crossed), self.keys.size - 1)] != crossed
        return np.asarray((a != c) & (b != d) & free.all(axis=1))

    def crossed(self, pairs: Integers) -> Integers:
        """The keys that would take the place of each pair's, shape ``(pairs, 2)``."""
        return self.base[pairs] + (self.keys[pairs] - self.base[pairs])[:, ::-1]

    def compatible(self, pairs: Integers) -> Integers:
        """The pairs that can be swapped together, those that come first preferred.

        No edge is used twice, and no new edge is made twice.
        """
        pairs = pairs[_is_new(pairs)]
        return np.asarray(pairs[_is_new(self.crossed(pairs))])

    def swapped(self, pairs: Integers) -> Integers:
        """The keys after swapping compatible pairs; the state itself is left alone."""
        keys = self.keys.copy()
        keys[pairs] = self.crossed(pairs)
        keys.sort()
        return keys

    def shuffle(self, generator: np.random.Generator) -> None:
        """Move to a random graph with the same degrees."""
        from topograph.constructions.kernels import stream, swap_edges

        columns = self.columns
        swap_edges(self.indptr, self.rows, columns, 10 * columns.size, stream(generator))
        self.keys = self.base + columns


def _is_new(pairs: Integers) -> npt.NDArray[np.bool_]:
    """Which pairs hold two numbers that no pair before them holds."""
    flat = pairs.reshape(-1)
    order = np.argsort(flat, kind="stable")
    first = np.ones(flat.size, dtype=bool)
    first[order[1:]] = flat[order[1:]] != flat[order[:-1]]
    return np.asarray(first.reshape(-1, 2).all(axis=1))
