"""The dense layer: every connection."""

from __future__ import annotations

import numpy as np

from topograph.constructions.pattern import rotate
from topograph.constructions.registry import construction
from topograph.constructions.rotating import PAPER
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph


@construction("dense", row="all outputs", guarantees=("biregular", "exact edges n·m", "connected"), reference=PAPER)
def dense(n_left: int, n_right: int, degree: int, generator: np.random.Generator) -> BipartiteGraph:
    """Every connection; the degree is the number of outputs."""
    if degree != n_right:
        raise InvalidParameterError(
            f"dense connects each input to all {n_right} outputs, but got degree={degree}; leave degree out"
        )
    return rotate(np.arange(n_right), n_left, n_right)
