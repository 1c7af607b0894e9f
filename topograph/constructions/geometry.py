"""Incidence graphs of finite geometries over GF(p): the sparsest graphs of their sizes with flat spectra."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.constructions.number_theory import inverses, quadratic_residues
from topograph.constructions.rows import from_equal_rows, rotate
from topograph.graph import BipartiteGraph

Integers = npt.NDArray[np.int64]


def projective_space(dimension: int, p: int) -> BipartiteGraph:
    """Points and hyperplanes of the projective space PG(d, p): a symmetric design, σ2 = p^((d − 1) / 2).

    Both sides have (p^(d+1) − 1) / (p − 1) nodes of degree (p^d − 1) / (p − 1); d = 2 is the projective plane. A point
    x lies on the hyperplane y when x · y = 0. With i the place of the first non-zero coordinate of x, which is 1, the
    other coordinates of y are free and y_i follows from them.
    """
    points = _projective_points(dimension, p)
    others = _projective_points(dimension - 1, p)
    pivots = (points != 0).argmax(axis=1)
    hyperplanes = np.empty((len(points), len(others)), dtype=np.int64)
    inverse = inverses(p)
    weights = p ** np.arange(dimension, -1, -1, dtype=np.int64)
    keys = points @ weights
    for pivot in range(dimension + 1):
        rows = np.flatnonzero(pivots == pivot)
        rest = np.delete(points[rows], pivot, axis=1)
        for row, coordinates in zip(rows, rest, strict=True):
            y = np.insert(others, pivot, -(others @ coordinates) % p, axis=1)
            leading = y[np.arange(len(y)), (y != 0).argmax(axis=1)]
            hyperplanes[row] = np.searchsorted(keys, y * inverse[leading][:, None] % p @ weights)
    hyperplanes.sort(axis=1)
    return from_equal_rows(hyperplanes, len(points))


def _projective_points(dimension: int, p: int) -> Integers:
    """One vector for each point of PG(d, p), the first non-zero coordinate 1, ascending."""
    blocks = []
    for free in range(dimension + 1):  # zeros, then a 1, then `free` free coordinates
        digits = np.arange(p**free, dtype=np.int64)[:, None] // p ** np.arange(free - 1, -1, -1, dtype=np.int64) % p
        block = np.zeros((p**free, dimension + 1), dtype=np.int64)
        block[:, dimension - free] = 1
        block[:, dimension - free + 1 :] = digits
        blocks.append(block)
    return np.concatenate(blocks)


def net(classes: int, p: int) -> BipartiteGraph:
    """Points of the affine plane AG(2, p) and the lines of 2 ≤ r ≤ p + 1 of its parallel classes: σ2 = √p.

    p² points of degree r, r · p lines of degree p. The point (x, y) lies on the line y = a·x + b of each slope a < r;
    the last of the p + 1 classes is that of the lines x = b.
    """
    x, y = (np.arange(p * p, dtype=np.int64) // p)[:, None], (np.arange(p * p, dtype=np.int64) % p)[:, None]
    slopes = np.arange(min(classes, p), dtype=np.int64)
    lines = slopes * p + (y - slopes * x) % p
    if classes > p:
        lines = np.concatenate([lines, p * p + x], axis=1)
    return from_equal_rows(lines, classes * p)


def quadrangle(p: int) -> BipartiteGraph:
    """Points and lines of the symplectic generalised quadrangle W(p): girth 8, σ2 = √(2p).

    Both sides have (p + 1)(p² + 1) nodes of degree p + 1. The coordinates are those of Hanssens and Van Maldeghem:
    points (∞), (a), (k, b), (a, l, a′); lines [∞], [k], [a, l], [k, b, k′]; (a, l, a′) lies on [a, l] and on [k, b, k′]
    when a′ = a·k + b and k′ = a²·k + l − 2a·a′.
    """
    one, two = 1, 1 + p  # where points (a) or lines [k], then points (k, b) or lines [a, l], begin
    three = two + p * p
    k = np.arange(p, dtype=np.int64)
    rows = np.empty((three + p**3, p + 1), dtype=np.int64)
    rows[0] = np.concatenate([[0], one + k])  # (∞) on [∞] and every [k]
    rows[one:two, 0] = 0  # (a) on [∞] and every [a, l]
    rows[one:two, 1:] = two + k[:, None] * p + k
    pair = np.arange(p * p, dtype=np.int64)
    rows[two:three, 0] = one + pair // p  # (k, b) on [k] and every [k, b, k′]
    rows[two:three, 1:] = three + pair[:, None] * p + k
    triple = np.arange(p**3, dtype=np.int64)
    a, el, prime = (part[:, None] for part in (triple // (p * p), triple // p % p, triple % p))
    rows[three:, :1] = two + a * p + el
    b, k_prime = (prime - a * k) % p, (a * a % p * k + el - 2 * a * prime) % p
    rows[three:, 1:] = three + (k * p + b) * p + k_prime
    rows.sort(axis=1)
    return from_equal_rows(rows, len(rows))


def paley_design(p: int, with_zero: bool) -> BipartiteGraph:
    """The quadratic residues modulo a prime p ≡ 3 (mod 4), rotated: a symmetric design, σ2 = √(p + 1) / 2.

    p nodes on each side of degree (p − 1) / 2, or (p + 1) / 2 for the non-residues and 0.
    """
    residues = quadratic_residues(p)
    offsets = np.setdiff1d(np.arange(p), residues) if with_zero else residues
    return rotate(offsets, p, p)
