"""The groups of a layer, which no edge joins: a graph taken apart into one for each, and put together again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from topograph.graph import BipartiteGraph


def split_groups(graph: BipartiteGraph, groups: int) -> list[BipartiteGraph]:
    """The graph of each group: equal shares of the inputs and of the outputs, in order.

    Parameters
    ----------
    graph
        A graph without edges between groups.
    groups
        Number of groups; it divides the numbers of inputs and outputs.

    Examples
    --------
    >>> graph = BipartiteGraph.from_mask([[1, 0], [1, 0], [0, 1], [0, 0]])
    >>> [piece.to_mask(int).tolist() for piece in split_groups(graph, 2)]
    [[[1], [1]], [[1], [0]]]
    """
    if groups == 1:
        return [graph]
    n_left, n_right = graph.n_left // groups, graph.n_right // groups
    pieces = []
    for group in range(groups):
        bounds = graph.indptr[group * n_left : (group + 1) * n_left + 1]
        indices = graph.indices[bounds[0] : bounds[-1]] - group * n_right
        pieces.append(BipartiteGraph(n_left, n_right, bounds - bounds[0], indices))
    return pieces


def join_groups(pieces: Sequence[BipartiteGraph]) -> BipartiteGraph:
    """The graphs of the groups of one layer as one graph: the inverse of `split_groups`."""
    if len(pieces) == 1:
        return pieces[0]
    starts = np.cumsum([0] + [piece.n_edges for piece in pieces[:-1]])
    indptr = [piece.indptr[1:].astype(np.int64) + start for piece, start in zip(pieces, starts, strict=True)]
    outputs = pieces[0].n_right
    indices = [piece.indices.astype(np.int64) + number * outputs for number, piece in enumerate(pieces)]
    n_left = pieces[0].n_left * len(pieces)
    return BipartiteGraph(n_left, outputs * len(pieces), np.concatenate([[0], *indptr]), np.concatenate(indices))
