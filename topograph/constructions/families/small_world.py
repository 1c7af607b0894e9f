"""The bipartite small world: a regular rotating graph, some of whose edges are rewired at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.checks import check_real
from topograph.constructions.guarantees import EXACT_DEGREE_EDGES, LEFT_REGULAR
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import BLOCK, from_equal_rows, rotate, uniform_subsets
from topograph.graph import BipartiteGraph


@construction(
    "watts_strogatz",
    summary="{0, …, k−1} shifted by i, each edge moved with probability `beta` to an output drawn uniformly",
    guarantees=(LEFT_REGULAR, EXACT_DEGREE_EDGES),
    reference="Watts & Strogatz (1998), Collective dynamics of 'small-world' networks, Nature 393:440",
    random=True,
    connected=Connected("k = m", lambda n, m, k: k == m),
    examples=((20, 12, {"degree": 4, "beta": 1.0}),),
)
def watts_strogatz(
    n_left: int, n_right: int, degree: int, generator: np.random.Generator, beta: float = 0.1
) -> BipartiteGraph:
    """Between the regular rotating graph (beta = 0, exactly) and independent uniform rows (beta = 1).

    Each edge leaves its place with probability ``beta``, in [0, 1]; the places that an input's edges go to
    are a uniform choice among the outputs that it did not keep.
    """
    beta = check_real("beta", beta, low=0, high=1)
    graph = rotate(np.arange(degree), n_left, n_right)
    rows = graph.indices.reshape(n_left, degree).copy()
    step = max(1, BLOCK // degree)
    for start in range(0, n_left if beta else 0, step):
        block = rows[start : start + step]
        moves = generator.random(block.shape) < beta
        counts = moves.sum(axis=1)
        for count in np.unique(counts[counts > 0]):
            chosen = np.flatnonzero(counts == count)
            kept = block[chosen][~moves[chosen]].reshape(chosen.size, degree - count)
            block[chosen] = _fill(kept, int(count), n_right, generator)
    return from_equal_rows(rows, n_right)


def _fill(kept: npt.NDArray[Any], count: int, n_right: int, generator: np.random.Generator) -> npt.NDArray[np.int32]:
    """Each ascending row of ``kept`` with a uniform choice of ``count`` of the outputs that are not in it, sorted."""
    n_rows, n_kept = kept.shape
    ranks = uniform_subsets(n_rows, count, n_right - n_kept, generator).astype(np.int64)
    # the output of rank r among those not kept is r + (number of kept outputs c with c − (its place) ≤ r)
    offset = np.arange(n_rows, dtype=np.int64)[:, None] * (n_right + 1)
    thresholds = (kept - np.arange(n_kept) + offset).reshape(-1)
    skipped = np.searchsorted(thresholds, (ranks + offset).reshape(-1), side="right").reshape(ranks.shape)
    drawn = ranks + skipped - np.arange(n_rows)[:, None] * n_kept
    return np.sort(np.concatenate([kept, drawn.astype(np.int32)], axis=1), axis=1)
