"""`build_disconnected`: a disconnected graph with given degrees, where a split of the nodes allows one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.constructions.families.biregular import random_with_degrees
from topograph.graph import BipartiteGraph

_TRIES = 5_000


def build_disconnected(graph: BipartiteGraph, generator: np.random.Generator) -> BipartiteGraph | None:
    """A random graph of two halves without an edge between them, with the degrees of ``graph``.

    The two halves of the inputs and of the outputs must have the same sums of degrees, which random splits are tried
    for. Only degrees of at most half the smaller part are split, so that simple graphs are certain to be found; None
    where no such split turned up.
    """
    left = generator.permutation(graph.n_left)
    inputs = np.cumsum(graph.left_degrees[left])
    for _ in range(_TRIES):
        right = generator.permutation(graph.n_right)
        outputs = np.cumsum(graph.right_degrees[right])
        near = outputs[graph.n_right // 4 : (3 * graph.n_right) // 4]
        meeting = np.intersect1d(inputs, near)
        if not meeting.size:
            continue
        total = meeting[np.argmin(np.abs(meeting - graph.n_edges / 2))]
        i, j = int(np.searchsorted(inputs, total)) + 1, int(np.searchsorted(outputs, total)) + 1
        parts = [(left[:i], right[:j]), (left[i:], right[j:])]
        if not all(_has_simple_graphs(graph, *part) for part in parts):
            return None
        edges = [_draw_edges(graph, *part, generator) for part in parts]
        return BipartiteGraph.from_edges(np.concatenate(edges), graph.n_left, graph.n_right)
    return None


def _has_simple_graphs(graph: BipartiteGraph, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> bool:
    return bool(
        2 * graph.left_degrees[left].max(initial=0) <= right.size
        and 2 * graph.right_degrees[right].max(initial=0) <= left.size
    )


def _draw_edges(
    graph: BipartiteGraph,
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    generator: np.random.Generator,
) -> npt.NDArray[np.int64]:
    pairs = random_with_degrees(graph.left_degrees[left], graph.right_degrees[right], generator).edges()
    return np.stack([left[pairs[:, 0]], right[pairs[:, 1]]], axis=1)
