"""The smallest of many numbers, exactly as many as asked for, ties drawn by a seed: for pruning and rewiring."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def smallest(
    values: npt.NDArray[np.floating[Any]], count: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Positions of the ``count`` smallest values, ascending; equal ones at the border are drawn. Linear in time.

    Parameters
    ----------
    values
        The numbers, finite.
    count
        How many to choose; all where there are no more, none where it is not positive.
    generator
        Generator for ties at the border; nothing is drawn where there are none.

    Examples
    --------
    >>> smallest(np.array([3.0, 1.0, 2.0]), 2, np.random.default_rng(0)).tolist()
    [1, 2]
    """
    if count >= len(values):
        return np.arange(len(values))
    if count <= 0:
        return np.arange(0)
    border = np.partition(values, count - 1)[count - 1]
    below, tied = np.flatnonzero(values < border), np.flatnonzero(values == border)
    missing = count - len(below)
    if len(tied) > missing:
        tied = generator.choice(tied, missing, replace=False, shuffle=False)
    return np.sort(np.concatenate([below, tied]))
