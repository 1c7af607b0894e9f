"""The Ramanujan graphs of Lubotzky, Phillips and Sarnak, as bipartite graphs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

from topograph.constructions.number_theory import inverses, is_residue
from topograph.graph import BipartiteGraph

Integers = npt.NDArray[np.int64]


def lps_graph(p: int, q: int) -> BipartiteGraph:
    """The bipartite LPS graph for primes p ≠ q, both 1 modulo 4, with q > 2√p: σ2 ≤ 2√p.

    Both sides have q(q² − 1)/2 nodes of degree p + 1. Left are the matrices of PSL₂(q); right their products with the
    generators: the rest of PGL₂(q) when p is not a square modulo q, otherwise PSL₂(q) again (the double cover).
    """
    generators = _generators(p, q)
    left = _elements(q, square=True)
    right = left if is_residue(p, q) else _elements(q, square=False)
    keys = _key(right, q)  # ascending
    inverse = inverses(q)
    outputs = np.empty((left.shape[1], p + 1), dtype=np.int64)
    a, b, c, d = left
    for number, (e, f, g, h) in enumerate(generators):
        product = np.stack([a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]) % q
        leading = np.where(product[0] != 0, product[0], product[1])
        outputs[:, number] = np.searchsorted(keys, _key(product * inverse[leading] % q, q))
    outputs.sort(axis=1)
    n = left.shape[1]
    return BipartiteGraph(n, n, np.arange(n + 1, dtype=np.int64) * (p + 1), outputs.reshape(-1))


def _generators(p: int, q: int) -> list[tuple[int, int, int, int]]:
    """The p + 1 matrices of the quaternions of norm p with an odd positive real part and even other parts."""
    root = next(x for x in range(2, q) if x * x % q == q - 1)
    bound = math.isqrt(p)
    even = [x for x in range(-bound, bound + 1) if x % 2 == 0]
    found = []
    for x, y, z in itertools.product(even, repeat=3):
        rest = p - x * x - y * y - z * z
        w = math.isqrt(rest) if rest > 0 else 0
        if w % 2 and w * w == rest:
            found.append(((w + root * x) % q, (y + root * z) % q, (-y + root * z) % q, (w - root * x) % q))
    return found


def _elements(q: int, *, square: bool) -> Integers:
    """The matrices of PGL₂(q) whose determinant is a square (or is not), the first non-zero entry 1, ascending."""
    grids = np.meshgrid(np.arange(q), np.arange(q), np.arange(q), indexing="ij")
    b, c, d = (grid.reshape(-1).astype(np.int64) for grid in grids)
    some = np.stack([np.ones_like(b), b, c, d])
    c, d = (grid.reshape(-1).astype(np.int64) for grid in np.meshgrid(np.arange(q), np.arange(q), indexing="ij"))
    none = np.stack([np.zeros_like(c), np.ones_like(c), c, d])
    matrices = np.concatenate([none, some], axis=1)
    determinant = (matrices[0] * matrices[3] - matrices[1] * matrices[2]) % q
    kind = np.zeros(q, dtype=np.int64)
    kind[1:] = -1
    kind[np.arange(1, q) ** 2 % q] = 1
    return matrices[:, kind[determinant] == (1 if square else -1)]


def _key(matrices: Integers, q: int) -> Integers:
    a, b, c, d = matrices
    return np.asarray(((a * q + b) * q + c) * q + d)
