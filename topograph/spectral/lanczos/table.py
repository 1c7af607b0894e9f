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


BLOCKS = 64
"""Most blocks that a vector is worked on in."""

SUMS = 8
"""Numbers per block and run, a line of the cache, where the sums over a block lie."""

ROOM_FOR_SUMS = BLOCKS * RUNS * SUMS
"""Numbers that they all take."""


BITS, FIELDS = 6, 10
"""Of a product by look-ups: entries for which a table has the sums, and tables to the word."""

WORD = BITS * FIELDS
"""Entries to the word."""


def space_for(width: int, rows: int) -> int:
    """Numbers of work space for look-ups that give so many rows of a product with ``width`` vectors."""
    return ((FIELDS << BITS) + rows) * width


class Share(NamedTuple):
    """The inputs and outputs that a worker computes the products for.

    ``space`` is the address of its own work space, where the products need it (`space_for`).
    """

    rows: int
    rows_end: int
    columns: int
    columns_end: int
    space: int
