"""Random graphs whose degrees are as equal as possible on both sides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.constructions.guarantees import (
    EXACT_EDGES,
    LEFT_REGULAR_IF_WHOLE,
    LEFT_WITHIN_ONE,
    RIGHT_REGULAR_IF_EDGES_DIVIDE,
    RIGHT_WITHIN_ONE,
)
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import complement, near_equal
from topograph.graph import BipartiteGraph

_MIXING = 1_000_000  # swaps that take the repair's bias away; it is felt in small graphs only


@construction(
    "biregular_random",
    summary="outputs of a random graph with equal degrees on both sides (differing by at most one where they must)",
    guarantees=(
        EXACT_EDGES,
        LEFT_WITHIN_ONE,
        RIGHT_WITHIN_ONE,
        LEFT_REGULAR_IF_WHOLE,
        RIGHT_REGULAR_IF_EDGES_DIVIDE,
    ),
    reference="Bender & Canfield (1978); Bollobás (1980), A probabilistic proof of an asymptotic formula for the "
    "number of labelled regular graphs (configuration model)",
    random=True,
    sized_by="total",
    connected=Connected("k = m", lambda n, m, k: k == m),
)
def biregular_random(n_left: int, n_right: int, degree: float, generator: np.random.Generator) -> BipartiteGraph:
    """The configuration model, its repeated edges swapped away, then mixed by further swaps.

    Where more than half of all edges are wanted, the missing ones are drawn.
    """
    edges = round(n_left * degree)
    missing = n_left * n_right - edges
    count = min(edges, missing)
    graph = random_with_degrees(near_equal(count, n_left, generator), near_equal(count, n_right, generator), generator)
    return graph if edges <= missing else complement(graph)


def random_with_degrees(
    left_degrees: npt.NDArray[np.int64], right_degrees: npt.NDArray[np.int64], generator: np.random.Generator
) -> BipartiteGraph:
    """A random simple graph with these degrees, which must allow many: at most half of all edges, near-equal."""
    from topograph.constructions.kernels import repair, stream, swap_edges

    n_left, n_right = left_degrees.size, right_degrees.size
    indptr = np.concatenate([[0], np.cumsum(left_degrees)])
    rows = np.repeat(np.arange(n_left, dtype=np.int32), left_degrees)
    columns = np.repeat(np.arange(n_right, dtype=np.int32), right_degrees)
    generator.shuffle(columns)
    keys = rows.astype(np.int64) * n_right + columns
    keys.sort()
    columns = (keys % n_right).astype(np.int32)
    del keys
    state = stream(generator)
    repair(indptr, rows, columns, state)
    if columns.size:
        swap_edges(indptr, rows, columns, min(columns.size, _MIXING), state)
    return BipartiteGraph(n_left, n_right, indptr, columns)
