"""X-Net layers: random and explicit (Cayley) expanders between layers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.constructions.families.random import random_regular
from topograph.constructions.guarantees import (
    EXACT_DEGREE_EDGES,
    EXACT_EDGES,
    LEFT_REGULAR,
    RIGHT_REGULAR,
    RIGHT_REGULAR_IF_EDGES_DIVIDE,
    RIGHT_WITHIN_ONE,
)
from topograph.constructions.number_theory import inverses, primes_up_to
from topograph.constructions.registry import Connected, construction
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph

XNET = (
    "Prabhu, Varma & Namboodiri (2018), Deep Expander Networks: Efficient Deep Networks from Graph Theory, "
    "arXiv:1711.08757"
)


@construction(
    "xnet_random",
    summary="drawn so that each output chooses its n·k/m inputs at random",
    guarantees=(EXACT_EDGES, RIGHT_WITHIN_ONE, RIGHT_REGULAR_IF_EDGES_DIVIDE),
    reference=XNET,
    random=True,
    sized_by="total",
    connected=Connected("k = m", lambda n, m, k: k == m),
)
def xnet_random(n_left: int, n_right: int, degree: float, generator: np.random.Generator) -> BipartiteGraph:
    """The random X-Linear layer: uniform and independent inputs for each output."""
    return random_regular.build_edges(n_right, n_left, round(n_left * degree), generator).transpose()


@construction(
    "xnet_cayley",
    summary="g·s for the first k of s = U, L, U⁻¹, L⁻¹, U², … (U = [1 1; 0 1], L = Uᵀ), g the i-th matrix of SL₂(F_p)",
    guarantees=(LEFT_REGULAR, RIGHT_REGULAR, EXACT_DEGREE_EDGES),
    reference=XNET + " (explicit X-Linear: a Cayley graph); the group: Lubotzky (1994), Discrete Groups, Expanding "
    "Graphs and Invariant Measures",
    sized_by="fixed",
    connected=Connected("k ≥ 3", lambda n, m, k: k >= 3),
    examples=((24, 24, {"degree": 3}), (120, 120, {"degree": 5}), (24, 24, {"degree": 1})),
)
def xnet_cayley(n_left: int, n_right: int, degree: float, generator: np.random.Generator) -> BipartiteGraph:
    """The explicit X-Linear layer: the Cayley graph of SL₂(F_p) on n = m = p(p² − 1) nodes, p an odd prime.

    The source asks for a Cayley graph of a group with a small expanding set of generators, between layers of equal
    size. SL₂(F_p) with the elementary matrices is the classical such family; k runs from 1 to 2(p − 1).
    """
    primes = [int(p) for p in primes_up_to(round(2 * max(n_left, n_right) ** (1 / 3)) + 8) if p > 2]
    sizes = {p * (p * p - 1): p for p in primes}
    if n_left != n_right or n_left not in sizes:
        near = sorted(sorted(sizes, key=lambda size: abs(np.log(size / np.sqrt(n_left * n_right))))[:2])
        raise InvalidParameterError(
            f"SL2 over a field of p elements needs n_left = n_right = p(p² − 1), but got {n_left} × {n_right}; the "
            f"nearest are {' and '.join(f'{s} × {s}' for s in near)}"
        )
    p = sizes[n_left]
    if degree != int(degree) or not 1 <= degree <= 2 * (p - 1):
        nearest = min(max(1, round(degree)), 2 * (p - 1))
        raise InvalidParameterError(
            f"xnet_cayley at {n_left} nodes has whole degrees from 1 to {2 * (p - 1)}, but got degree={degree:g}; the "
            f"nearest is {nearest}"
        )
    a, b, c, d = _special_linear(p)
    keys = ((a * p + b) * p + c) * p + d  # ascending, since the matrices are listed in this order
    outputs = np.empty((n_left, int(degree)), dtype=np.int64)
    for number in range(int(degree)):
        power = number // 4 + 1 if number % 4 < 2 else p - (number // 4 + 1)
        if number % 2 == 0:  # times [1 power; 0 1]
            e, f, g, h = a, (b + power * a) % p, c, (d + power * c) % p
        else:  # times [1 0; power 1]
            e, f, g, h = (a + power * b) % p, b, (c + power * d) % p, d
        outputs[:, number] = np.searchsorted(keys, ((e * p + f) * p + g) * p + h)
    indptr = np.arange(n_left + 1, dtype=np.int64) * int(degree)
    return BipartiteGraph(n_left, n_right, indptr, np.sort(outputs, axis=1).reshape(-1))


def _special_linear(p: int) -> list[npt.NDArray[np.int64]]:
    """The matrices [a b; c d] of determinant 1 over the field of p elements, in ascending order of (a, b, c, d)."""
    inverse = inverses(p)
    unit, every = np.arange(1, p), np.arange(p)
    first, second, third = (grid.reshape(-1) for grid in np.meshgrid(unit, every, every, indexing="ij"))
    # a ≠ 0: d = (1 + bc) / a
    some = np.stack([first, second, third, (1 + second * third) * inverse[first] % p])
    # a = 0: b ≠ 0, c = −1/b, d free
    b, d = (grid.reshape(-1) for grid in np.meshgrid(unit, every, indexing="ij"))
    none = np.stack([np.zeros_like(b), b, -inverse[b] % p, d])
    return list(np.concatenate([none, some], axis=1))
