"""`Carried`: how the numbers of old edges go over to new ones; `carry` checks a rule's answer and makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from topograph.errors import ConformanceError
from topograph.graph import BipartiteGraph
from trainers.rewiring.layer import Change, Floats, Integers, LayerState


@dataclass(frozen=True)
class Carried:
    """How the numbers of a layer's edges go over into those of its new edges.

    Parameters
    ----------
    graph
        The new edges.
    source
        For each of them, its position among the old ones, or −1.
    fresh
        For each of them, the weight of one that is new; 0 for the others.
    """

    graph: BipartiteGraph
    source: Integers
    fresh: Floats

    def values(self, old: Floats, fresh: Floats | None = None) -> Floats:
        """Numbers of the old edges on the new ones; the new have ``fresh`` ones, or 0."""
        result = np.where(self.source >= 0, old[self.source], np.zeros((), old.dtype) if fresh is None else fresh)
        return result.astype(old.dtype, copy=False)


def unchanged(graph: BipartiteGraph, weights: Floats) -> Carried:
    """All edges stay."""
    return Carried(graph, np.arange(graph.n_edges), np.zeros_like(weights))


def carry(state: LayerState, change: Change, name: str) -> Carried:
    """Check a rule's answer, and make the new graph of it; linear in the edges.

    Raises
    ------
    ConformanceError
        When the number of edges changes, an edge goes twice, or one comes that is there already.
    """
    graph, dropped, grown = state.graph, np.asarray(change.dropped), np.asarray(change.grown)
    room = graph.n_left * graph.n_right
    gone = np.zeros(graph.n_edges, dtype=bool)
    gone[dropped] = True
    if np.count_nonzero(gone) != len(dropped) or len(grown) != len(dropped):
        raise ConformanceError(
            f"{name}: {len(dropped)} edges go ({np.count_nonzero(gone)} of them different) and {len(grown)} come; the "
            "number of edges must stay"
        )
    kept = np.flatnonzero(~gone)
    numbers = np.concatenate([state.pairs[kept], grown.astype(np.int64)])
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    if len(numbers) and (numbers[0] < 0 or numbers[-1] >= room or (numbers[1:] == numbers[:-1]).any()):
        raise ConformanceError(f"{name}: an edge comes that is there already, twice, or outside the layer")
    if state.barred is not None and state.barred.ravel()[grown].any():
        raise ConformanceError(f"{name}: an edge comes that joins two of the layer's {state.groups} groups")
    weights = np.asarray(change.weights)
    if weights.shape != grown.shape or not np.isfinite(weights).all():
        raise ConformanceError(f"{name}: {len(grown)} edges come, but their weights are {weights!r:.80}")
    inputs, outputs = np.divmod(numbers, graph.n_right)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(inputs, minlength=graph.n_left))])
    indices: Any = outputs.astype(graph.indices.dtype)
    source = np.concatenate([kept, np.full(len(grown), -1)])[order]
    fresh = np.concatenate([np.zeros(len(kept), state.weights.dtype), weights.astype(state.weights.dtype)])[order]
    labels = graph.left_labels, graph.right_labels
    return Carried(BipartiteGraph(graph.n_left, graph.n_right, indptr, indices, *labels), source, fresh)
