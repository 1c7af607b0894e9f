"""The compiled vector work of one Lanczos step, once the products are there.

The operators are ``S − E P`` with diagonals S and E; P is the product that a pass over the pattern gives. They are
self-adjoint in the inner product with weights E⁻¹. Over both sides of the graph (`FULL`) E = 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import reordered_part
from topograph.spectral.lanczos.table import (
    ALPHAS,
    BASIS,
    BETAS,
    CANCELLED,
    FIRST,
    FOLLOWED,
    FULL,
    INNER,
    INVERSE,
    KIND,
    KNOWN,
    ROWS,
    SHIFT,
)  # fmt: skip
from topograph.spectral.lanczos.vector_code import doubles


@reordered_part.in_place
def take_step(n: int, m: int, runs: Any, k: int, step: int, totals: int) -> bool:
    """Step ``FIRST + step`` of run ``k``, whose products are among those at ``totals``.

    The vector of step j, v_j times ``betas[j]``, is row ``j % ROWS`` of the basis, together with the vector that
    follows. Returns whether the Krylov space is exhausted.
    """
    rows, j = runs[k, ROWS], runs[k, FIRST] + step
    size = n + m if runs[k, KIND] & FULL else m
    alphas, betas = doubles(runs[k, ALPHAS], j + 1), doubles(runs[k, BETAS], j + 2)
    shift, known = doubles(runs[k, SHIFT], size), doubles(runs[k, KNOWN], size)
    inverse, inner = doubles(runs[k, INVERSE], size), doubles(runs[k, INNER], size)
    here = runs[k, BASIS] + 16 * size * (j % rows)
    there = runs[k, BASIS] + 16 * size * ((j + 1) % rows)
    back = runs[k, BASIS] + 16 * size * ((j - 1) % rows) if j > 0 else here  # at first it is multiplied by 0
    at = totals + 16 * k * (n + m) + 8 * (n + m - size)
    scale = 1.0 / betas[j]
    carry = betas[j] / betas[j - 1] if j > 0 else 0.0
    last = betas[j] if j > 0 else 0.0

    # the new vector w = S v − E P v − carry; ⟨v, w⟩, and the shares p and q of the known vector u in w and in v
    vector, before, after, total = doubles(here, size), doubles(back, size), doubles(there, size), doubles(at, size)
    a = p = q = 0.0
    for i in range(size):
        x = scale * vector[i]
        w = shift[i] * x - scale * inverse[i] * total[i] - carry * before[i]
        after[i] = w
        a += inner[i] * x * w
        p += inner[i] * known[i] * w
        q += inner[i] * known[i] * x

    # made orthogonal to v and u, and once more where most of it cancels: the scaling would magnify the rounding
    of_vector, of_known = a * scale, p - a * q
    for _ in range(2):
        b = c = norm = 0.0
        for i in range(size):
            w = after[i] - of_vector * vector[i] - of_known * known[i]
            after[i] = w
            norm += inner[i] * w * w
        if norm >= CANCELLED * (a * a + last * last):
            break
        for i in range(size):
            b += inner[i] * vector[i] * after[i]
            c += inner[i] * known[i] * after[i]
        of_vector, of_known = b * scale * scale, c
    alphas[j] = a
    betas[j + 1] = np.sqrt(norm)

    if runs[k, KIND] & FOLLOWED:  # the same step, with the coefficients of the first vector
        vector, before = doubles(here + 8 * size, size), doubles(back + 8 * size, size)
        after, total = doubles(there + 8 * size, size), doubles(at + 8 * (n + m), size)
        p = 0.0
        for i in range(size):
            w = scale * ((shift[i] - a) * vector[i] - inverse[i] * total[i]) - carry * before[i]
            after[i] = w
            p += inner[i] * known[i] * w
        for i in range(size):
            after[i] -= p * known[i]
    return bool(betas[j + 1] <= 1e-14 * (abs(a) + last))
