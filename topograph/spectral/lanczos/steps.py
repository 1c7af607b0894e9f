"""The compiled vector work of one Lanczos step, once the products are there.

The operators are ``S − E P`` with a diagonal S, and E = 1 over both sides of the graph (`FULL`); P is the product that
a pass over the pattern gives. Over one side they are self-adjoint in the inner product with weights ``inner`` = E⁻¹.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import reordered_part
from topograph.spectral.lanczos.vector_code import doubles

CANCELLED = 1e-6
"""A new vector whose squared norm falls below this share of its parts is made orthogonal once more."""

FULL, FOLLOWED = 1, 2
"""Kinds of runs: over both sides of the graph; with a second vector."""

KIND, ROWS, FIRST, BASIS, KNOWN, ALPHAS, BETAS, SHIFT, INVERSE, INNER, FACTOR = range(11)
"""Columns of the table of runs: kind, rows of the basis, number of the first step; the others are addresses."""

FIELDS = 11


@reordered_part
def finish(
    full: bool, shift: Any, inverse: Any, inner: Any, total: Any, vector: Any, before: Any, known: Any, after: Any,
    scale: float, carry: float,
) -> Any:  # fmt: skip
    """``after ← scale (S vector − E total) − carry before``.

    Returns ⟨v, w⟩, ⟨u, w⟩ and ⟨u, v⟩ with v = ``scale vector``, w the new vector ``after``, u = ``known``.
    """
    a = p = q = 0.0
    if full:
        for i in range(after.size):
            x = scale * vector[i]
            w = shift[i] * x - scale * total[i] - carry * before[i]
            after[i] = w
            a += x * w
            p += known[i] * w
            q += known[i] * x
    else:
        for i in range(after.size):
            x = scale * vector[i]
            w = shift[i] * x - scale * inverse[i] * total[i] - carry * before[i]
            after[i] = w
            a += inner[i] * x * w
            p += inner[i] * known[i] * w
            q += inner[i] * known[i] * x
    return a, p, q


@reordered_part
def update(full: bool, inner: Any, vector: Any, known: Any, after: Any, a: float, c: float) -> float:
    """``after ← after − a vector − c known``; returns its squared norm."""
    norm = 0.0
    if full:
        for i in range(after.size):
            w = after[i] - a * vector[i] - c * known[i]
            after[i] = w
            norm += w * w
    else:
        for i in range(after.size):
            w = after[i] - a * vector[i] - c * known[i]
            after[i] = w
            norm += inner[i] * w * w
    return norm


@reordered_part
def shares(full: bool, inner: Any, vector: Any, known: Any, after: Any) -> Any:
    """⟨vector, after⟩ and ⟨known, after⟩."""
    a = c = 0.0
    for i in range(after.size):
        weighted = after[i] if full else inner[i] * after[i]
        a += vector[i] * weighted
        c += known[i] * weighted
    return a, c


@reordered_part
def follow(
    full: bool, shift: Any, inverse: Any, inner: Any, total: Any, vector: Any, before: Any, known: Any, after: Any,
    scale: float, carry: float, a: float,
) -> None:  # fmt: skip
    """The step of `finish` and `update` for a vector that takes its coefficients from another."""
    p = 0.0
    if full:
        for i in range(after.size):
            w = scale * ((shift[i] - a) * vector[i] - total[i]) - carry * before[i]
            after[i] = w
            p += known[i] * w
    else:
        for i in range(after.size):
            w = scale * ((shift[i] - a) * vector[i] - inverse[i] * total[i]) - carry * before[i]
            after[i] = w
            p += inner[i] * known[i] * w
    for i in range(after.size):
        after[i] -= p * known[i]


@reordered_part
def take_step(runs: Any, k: int, step: int, total: int, other_total: int, size: int) -> bool:
    """Step ``FIRST + step`` of run ``k``, whose products are at ``total`` and ``other_total``.

    The vector of step j, v_j times ``betas[j]``, is row ``j % ROWS`` of the basis, together with the vector that
    follows. Returns whether the Krylov space is exhausted.
    """
    full, rows, j = (runs[k, KIND] & FULL) != 0, runs[k, ROWS], runs[k, FIRST] + step
    alphas, betas = doubles(runs[k, ALPHAS], j + 1), doubles(runs[k, BETAS], j + 2)
    shift, known = doubles(runs[k, SHIFT], size), doubles(runs[k, KNOWN], size)
    inverse, inner = doubles(runs[k, INVERSE], size), doubles(runs[k, INNER], size)
    row = 16 * size
    here, there = runs[k, BASIS] + row * (j % rows), runs[k, BASIS] + row * ((j + 1) % rows)
    back = runs[k, BASIS] + row * ((j - 1) % rows) if j > 0 else here  # at first it is multiplied by 0
    vector, before, after = doubles(here, size), doubles(back, size), doubles(there, size)
    scale = 1.0 / betas[j]
    carry = betas[j] / betas[j - 1] if j > 0 else 0.0
    last = betas[j] if j > 0 else 0.0
    a, p, q = finish(
        full, shift, inverse, inner, doubles(total, size), vector, before, known, after, scale, carry
    )  # fmt: skip
    norm = update(full, inner, vector, known, after, a * scale, p - a * q)
    if norm < CANCELLED * (a * a + last * last):
        # the scaling would magnify the remains of v and u that rounding has left
        b, c = shares(full, inner, vector, known, after)
        norm = update(full, inner, vector, known, after, b * scale * scale, c)
    alphas[j] = a
    betas[j + 1] = np.sqrt(norm)
    if runs[k, KIND] & FOLLOWED:
        follow(
            full, shift, inverse, inner, doubles(other_total, size), doubles(here + 8 * size, size),
            doubles(back + 8 * size, size), known, doubles(there + 8 * size, size), scale, carry, a,
        )  # fmt: skip
    return bool(betas[j + 1] <= 1e-14 * (abs(a) + last))
