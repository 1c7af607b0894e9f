"""CH3-L3: how likely an edge is, by the paths of three edges between its ends.

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.compiling import reordered
from topograph.graph import BipartiteGraph


def ch3_l3(graph: BipartiteGraph) -> npt.NDArray[np.float64]:
    """The score of every pair (u, v), inputs × outputs; of pairs that are edges it means nothing.

    Σ over the paths u – a – b – v of 1/√((1 + e(a)) (1 + e(b))). The nodes in the middle of all such paths are the
    pair's community; e counts a node's edges to others than u, v and the community. Time is in proportion to the number
    of paths of three edges in the graph, memory to n² + m² + n m.

    References
    ----------
    Muscoloni, Abdelhamid & Cannistraci (2022), Adaptive network automata modelling of complex networks.

    Examples
    --------
    >>> square = BipartiteGraph.from_mask([[1, 1], [1, 0]])
    >>> float(ch3_l3(square)[1, 1])  # one path, and neither a nor b has another edge
    1.0
    """
    by_output = graph.transpose()
    matrix = graph.biadjacency.astype(np.float32)
    shared_left = np.asarray((matrix @ matrix.T).todense())  # outputs that two inputs share
    shared_right = np.asarray((matrix.T @ matrix).todense())
    scores = np.zeros(graph.shape)
    _accumulate(
        graph.indptr, graph.indices, by_output.indptr, by_output.indices, shared_left, shared_right, scores
    )  # fmt: skip
    return scores


@reordered
def _accumulate(
    indptr: Any, indices: Any, back_indptr: Any, back_indices: Any, shared_left: Any, shared_right: Any, scores: Any
) -> None:
    """For each output v, over its inputs b, their outputs a, and the inputs u of those."""
    for v in range(scores.shape[1]):
        for k in range(back_indptr[v], back_indptr[v + 1]):
            b = back_indices[k]
            degree_b = indptr[b + 1] - indptr[b]
            for r in range(indptr[b], indptr[b + 1]):
                a = indices[r]
                if a == v:
                    continue
                outside_a = back_indptr[a + 1] - back_indptr[a] - shared_right[a, v]
                for t in range(back_indptr[a], back_indptr[a + 1]):
                    u = back_indices[t]
                    # 1 + e(a): its inputs that are not v's; 1 + e(b): its outputs that are not u's; 0 for an edge
                    inside = outside_a * (degree_b - shared_left[b, u])
                    if inside > 0:
                        scores[u, v] += 1 / np.sqrt(inside)
