"""The dense layer: every connection."""

from __future__ import annotations

import numpy as np

from topograph.constructions.pattern import rotate
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rotating import PAPER
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph


@construction(
    "dense",
    row="all outputs",
    guarantees=("left-regular", "right-regular", "exact edges n·m"),
    reference=PAPER,
    control="fixed",
    implied_degree=True,
    connected=Connected("always", lambda n, m, k: True),
)
def dense(n_left: int, n_right: int, degree: float | None, generator: np.random.Generator) -> BipartiteGraph:
    """Every connection; the degree is the number of outputs."""
    if degree not in (None, n_right):
        raise InvalidParameterError(
            f"dense connects each input to all {n_right} outputs, but got degree={degree}; leave degree out"
        )
    return rotate(np.arange(n_right), n_left, n_right)
