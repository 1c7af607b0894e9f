"""The compiled vector work of one Lanczos step, once the products are there.

The operators are ``S − E P`` with diagonals S and E; P is the product that a pass over the pattern gives. They are
self-adjoint in the inner product with weights E⁻¹. Over both sides of the graph (`FULL`) E = 1.

A long vector is worked on in blocks, which workers share. Each block has its own sums: the vector's are the sums of
these, so no bit depends on how many workers there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import reordered_part
from topograph.seats import Seat
from topograph.spectral.lanczos.table import (
    ALPHAS,
    BASIS,
    BETAS,
    BLOCKS,
    CANCELLED,
    EXHAUSTED,
    FIRST,
    FOLLOWED,
    FULL,
    INNER,
    INVERSE,
    KIND,
    KNOWN,
    ROWS,
    RUNS,
    SHIFT,
    SUMS,
)  # fmt: skip
from topograph.spectral.lanczos.vector_code import doubles
from topograph.turns import await_all

_BLOCK = 2048  # entries of a block at least
_ALPHA, _OF_KNOWN, _KNOWN_BEFORE, _NORM, _AGAIN, _KNOWN_AGAIN, _NORM_AGAIN, _FOLLOWER = range(SUMS)  # in a block's line


@reordered_part.in_place
def take_step(n: int, m: int, runs: Any, step: int, totals: int, sums: int, seat: Seat, turn: int) -> int:
    """Step ``FIRST + step`` of all runs, whose products are at ``totals``; returns the turn when all have ended it.

    The vector of step j, v_j times ``betas[j]``, is row ``j % ROWS`` of the basis, together with the vector that
    follows. Whether a Krylov space is exhausted is written to the table.
    """
    for k in range(runs.shape[0]):
        _begin(n, m, runs, k, step, totals, sums, seat)
    turn = await_all(seat, turn)
    for k in range(runs.shape[0]):
        _subtract(n, m, runs, k, step, totals, sums, seat)
    turn = await_all(seat, turn)
    for k in range(runs.shape[0]):
        turn = _end(n, m, runs, k, step, sums, seat, turn)
    return await_all(seat, turn)  # type: ignore[no-any-return, unused-ignore]


@reordered_part.in_place
def _begin(n: int, m: int, runs: Any, k: int, step: int, totals: int, sums: int, seat: Seat) -> None:
    """The new vector w = S v − E P v − carry; ⟨v, w⟩, and the shares p and q of the known vector u in w and in v."""
    size, here, back, there = _rows(n, m, runs, k, step)
    _, scale, carry, _ = _scales(runs, k, step)
    vector, before, after = doubles(here, size), doubles(back, size), doubles(there, size)
    total = doubles(totals + 16 * k * (n + m) + 8 * (n + m - size), size)
    shift, known = doubles(runs[k, SHIFT], size), doubles(runs[k, KNOWN], size)
    inverse, inner = doubles(runs[k, INVERSE], size), doubles(runs[k, INNER], size)
    for block in range(*_mine(size, seat)):
        a = p = q = 0.0
        for i in range(*_entries(size, block)):
            x = scale * vector[i]
            w = shift[i] * x - scale * inverse[i] * total[i] - carry * before[i]
            after[i] = w
            a += inner[i] * x * w
            p += inner[i] * known[i] * w
            q += inner[i] * known[i] * x
        line = doubles(_line(sums, k, block), SUMS)
        line[_ALPHA], line[_OF_KNOWN], line[_KNOWN_BEFORE] = a, p, q


@reordered_part.in_place
def _subtract(n: int, m: int, runs: Any, k: int, step: int, totals: int, sums: int, seat: Seat) -> None:
    """The new vector made orthogonal to v and u; the same step of the one that follows, with the first's numbers."""
    size, here, back, there = _rows(n, m, runs, k, step)
    _, scale, carry, _ = _scales(runs, k, step)
    vector, before, after = doubles(here, size), doubles(back, size), doubles(there, size)
    known, inner = doubles(runs[k, KNOWN], size), doubles(runs[k, INNER], size)
    a = _total(sums, k, size, _ALPHA)
    of_vector, of_known = a * scale, _total(sums, k, size, _OF_KNOWN) - a * _total(sums, k, size, _KNOWN_BEFORE)
    for block in range(*_mine(size, seat)):
        begin, end = _entries(size, block)
        doubles(_line(sums, k, block), SUMS)[_NORM] = _orthogonal(
            after, vector, known, inner, of_vector, of_known, begin, end
        )
    if runs[k, KIND] & FOLLOWED:
        vector, before, after = (
            doubles(here + 8 * size, size),
            doubles(back + 8 * size, size),
            doubles(there + 8 * size, size),
        )
        shift, inverse = doubles(runs[k, SHIFT], size), doubles(runs[k, INVERSE], size)
        total = doubles(totals + (16 * k + 8) * (n + m) + 8 * (n + m - size), size)
        for block in range(*_mine(size, seat)):
            p = 0.0
            for i in range(*_entries(size, block)):
                w = scale * ((shift[i] - a) * vector[i] - inverse[i] * total[i]) - carry * before[i]
                after[i] = w
                p += inner[i] * known[i] * w
            doubles(_line(sums, k, block), SUMS)[_FOLLOWER] = p


@reordered_part.in_place
def _end(n: int, m: int, runs: Any, k: int, step: int, sums: int, seat: Seat, turn: int) -> int:
    """Once more orthogonal where most of the vector cancels, since the scaling would magnify the rounding; the norm."""
    size, here, _, there = _rows(n, m, runs, k, step)
    j, scale, _, last = _scales(runs, k, step)
    known, inner = doubles(runs[k, KNOWN], size), doubles(runs[k, INNER], size)
    a, norm = _total(sums, k, size, _ALPHA), _total(sums, k, size, _NORM)
    if norm < CANCELLED * (a * a + last * last):  # for all workers alike
        vector, after = doubles(here, size), doubles(there, size)
        for block in range(*_mine(size, seat)):
            b = c = 0.0
            for i in range(*_entries(size, block)):
                b += inner[i] * vector[i] * after[i]
                c += inner[i] * known[i] * after[i]
            line = doubles(_line(sums, k, block), SUMS)
            line[_AGAIN], line[_KNOWN_AGAIN] = b, c
        turn = await_all(seat, turn)
        of_vector, of_known = _total(sums, k, size, _AGAIN) * scale * scale, _total(sums, k, size, _KNOWN_AGAIN)
        for block in range(*_mine(size, seat)):
            begin, end = _entries(size, block)
            norm = _orthogonal(after, vector, known, inner, of_vector, of_known, begin, end)
            doubles(_line(sums, k, block), SUMS)[_NORM_AGAIN] = norm
        turn = await_all(seat, turn)
        norm = _total(sums, k, size, _NORM_AGAIN)
    if runs[k, KIND] & FOLLOWED:
        after, p = doubles(there + 8 * size, size), _total(sums, k, size, _FOLLOWER)
        for block in range(*_mine(size, seat)):
            for i in range(*_entries(size, block)):
                after[i] -= p * known[i]
    if seat.worker == 0:
        beta = np.sqrt(norm)
        doubles(runs[k, ALPHAS], j + 1)[j] = a
        doubles(runs[k, BETAS], j + 2)[j + 1] = beta
        runs[k, EXHAUSTED] = beta <= 1e-14 * (abs(a) + last)
    return turn


@reordered_part.in_place
def _orthogonal(
    after: Any, vector: Any, known: Any, inner: Any, of_vector: float, of_known: float, begin: int, end: int
) -> float:
    """Subtract multiples of two vectors from entries ``begin … end``; their squared norm."""
    norm = 0.0
    for i in range(begin, end):
        w = after[i] - of_vector * vector[i] - of_known * known[i]
        after[i] = w
        norm += inner[i] * w * w
    return norm


@reordered_part.in_place
def _rows(n: int, m: int, runs: Any, k: int, step: int) -> tuple[int, int, int, int]:
    """The length of run ``k``'s vectors; addresses of those of this step, of the one before and of the next."""
    rows, j = runs[k, ROWS], runs[k, FIRST] + step
    size = n + m if runs[k, KIND] & FULL else m
    here = runs[k, BASIS] + 16 * size * (j % rows)
    there = runs[k, BASIS] + 16 * size * ((j + 1) % rows)
    back = runs[k, BASIS] + 16 * size * ((j - 1) % rows) if j > 0 else here  # at first it is multiplied by 0
    return size, here, back, there


@reordered_part.in_place
def _scales(runs: Any, k: int, step: int) -> tuple[int, float, float, float]:
    """The number of the step; factors of this vector and of the one before; the entry beside the diagonal."""
    j = runs[k, FIRST] + step
    betas = doubles(runs[k, BETAS], j + 1)
    carry, last = (betas[j] / betas[j - 1], betas[j]) if j > 0 else (0.0, 0.0)
    return j, 1.0 / betas[j], carry, last


@reordered_part.in_place
def _blocks(size: int) -> int:
    return max(1, min(BLOCKS, size // _BLOCK))


@reordered_part.in_place
def _mine(size: int, seat: Seat) -> tuple[int, int]:
    """The blocks of a worker."""
    begin, end = portion(_blocks(size), seat.worker, seat.workers)
    return begin, end


@reordered_part.in_place
def _entries(size: int, block: int) -> tuple[int, int]:
    """The entries of a block."""
    begin, end = portion(size, block, _blocks(size))
    return begin, end


@reordered_part.in_place
def portion(size: int, number: int, of: int) -> tuple[int, int]:
    """Where a portion of ``size`` things begins and ends."""
    if of == 1:  # small graphs would notice the divisions
        return 0, size
    return size * number // of, size * (number + 1) // of


@reordered_part.in_place
def _line(sums: int, k: int, block: int) -> int:
    """Address of the sums of a block."""
    return sums + 8 * SUMS * (block * RUNS + k)


@reordered_part.in_place
def _total(sums: int, k: int, size: int, which: int) -> float:
    """One of the sums over all blocks."""
    total: float = doubles(_line(sums, k, 0), SUMS)[which]
    for block in range(1, _blocks(size)):
        total += doubles(_line(sums, k, block), SUMS)[which]
    return total
