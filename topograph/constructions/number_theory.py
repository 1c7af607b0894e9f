"""Primes and residues, as far as the explicit constructions need them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def primes_up_to(limit: int) -> npt.NDArray[np.int64]:
    """All primes ≤ limit, ascending.

    Examples
    --------
    >>> primes_up_to(20).tolist()
    [2, 3, 5, 7, 11, 13, 17, 19]
    """
    sieve = np.ones(max(limit, 1) + 1, dtype=bool)
    sieve[:2] = False
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = False
    return np.flatnonzero(sieve)


def is_residue(a: int, p: int) -> bool:
    """Whether a is a non-zero square modulo the odd prime p."""
    return pow(a, (p - 1) // 2, p) == 1


def quadratic_residues(p: int) -> npt.NDArray[np.int64]:
    """The (p − 1) / 2 non-zero squares modulo the odd prime p, ascending."""
    return np.unique(np.arange(1, p, dtype=np.int64) ** 2 % p)


def inverses(p: int) -> npt.NDArray[np.int64]:
    """The inverse modulo the prime p of each number 0 … p−1; 0 stands where there is none."""
    return np.array([0] + [pow(x, -1, p) for x in range(1, p)], dtype=np.int64)
