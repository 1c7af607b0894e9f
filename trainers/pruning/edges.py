"""Which of a layer's possible edges stay: the largest scores, exactly as many as asked for, ties broken by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import TrainingError
from trainers.selecting import smallest

Scores = npt.NDArray[np.floating[Any]]
"""One number per possible edge of a layer, flat."""
Keep = npt.NDArray[np.bool_]
"""Whether each possible edge of a layer stays, flat."""


def keep_largest(scores: Scores, candidates: Keep, edges: int, generator: np.random.Generator) -> Keep:
    """Keep exactly ``edges`` candidates: those of largest score; equal scores at the border are drawn.

    Parameters
    ----------
    scores, candidates
        Score of each possible edge, and whether it may stay.
    edges
        Number of edges to keep, at most that of the candidates.
    generator
        Generator for ties at the border; nothing is drawn where there are none.

    Raises
    ------
    TrainingError
        For a score of a candidate that is NaN or infinite.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> keep_largest(np.array([3.0, 1.0, 2.0, 9.0]), np.array([True, True, True, False]), 2, generator)
    array([ True, False,  True, False])
    """
    among = np.flatnonzero(candidates)
    values = scores[among]
    broken = len(values) - np.count_nonzero(np.isfinite(values))
    if broken:
        raise TrainingError(
            f"{broken} of {len(values)} scores are NaN or infinite: the network's outputs or gradients overflow; use "
            "smaller weights, scaled inputs or a model in float64"
        )
    keep = np.zeros(len(scores), dtype=bool)
    keep[among[smallest(-values, edges, generator)]] = True
    return keep


def keep_largest_of_all(
    scores: Sequence[Scores], candidates: Sequence[Keep], edges: int, generator: np.random.Generator
) -> list[Keep]:
    """`keep_largest` over the possible edges of all layers together."""
    keep = keep_largest(np.concatenate(scores), np.concatenate(candidates), edges, generator)
    return np.split(keep, np.cumsum([len(part) for part in scores])[:-1])
