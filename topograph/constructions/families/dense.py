"""The dense layer: all possible edges."""

from __future__ import annotations

import numpy as np

from topograph.constructions.families.rotating import PAPER
from topograph.constructions.guarantees import LEFT_REGULAR, RIGHT_REGULAR, Guarantee
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import rotate
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph

_EVERY_EDGE = Guarantee("exact edges n·m", lambda g, k, o: g.n_edges == g.n_left * g.n_right)


@construction(
    "dense",
    summary="all outputs",
    guarantees=(LEFT_REGULAR, RIGHT_REGULAR, _EVERY_EDGE),
    reference=PAPER,
    sized_by="fixed",
    implied_degree=True,
    connected=Connected("always", lambda n, m, k: True),
    examples=((7, 5, {}), (3, 9, {})),
)
def dense(n_left: int, n_right: int, degree: float | None, generator: np.random.Generator) -> BipartiteGraph:
    """All possible edges; the degree is the number of outputs."""
    if degree not in (None, n_right):
        raise InvalidParameterError(
            f"dense connects each input to all {n_right} outputs, but got degree={degree}; leave degree out"
        )
    return rotate(np.arange(n_right), n_left, n_right)
