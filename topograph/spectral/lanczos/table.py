"""The table of Lanczos runs that compiled passes take: one row per run."""

from typing import NamedTuple

RUNS = 4
"""How many runs share a pass: a value and a witness of each fill a line of the cache."""

FULL, FOLLOWED = 1, 2
"""Kinds of runs: over both sides of the graph; with a second vector."""

KIND, ROWS, FIRST, BASIS, KNOWN, ALPHAS, BETAS, SHIFT, INVERSE, INNER, FACTOR, EXHAUSTED = range(12)
"""Columns: kind, rows of the basis, number of the first step; addresses; whether the last step exhausted the space."""

CANCELLED = 1e-6
"""A new vector whose squared norm falls below this share of its parts is made orthogonal once more."""


class Share(NamedTuple):
    """The inputs and outputs that a worker computes the products for."""

    rows: int
    rows_end: int
    columns: int
    columns_end: int
