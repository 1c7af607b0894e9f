"""Compiled passes over a pattern: Lanczos steps of up to `RUNS` runs, which share the products.

The runs are rows of a table (`topograph.spectral.lanczos.table`). ``source`` and ``totals`` are addresses of work space
for ``width · max(n, m)`` and ``width · (n + m)`` numbers, n inputs and m outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import compiled, part, reordered
from topograph.seats import Seat
from topograph.spectral.lanczos.products import gather_several
from topograph.spectral.lanczos.steps import take_step
from topograph.spectral.lanczos.table import BASIS, EXHAUSTED, FACTOR, FIRST, FULL, KIND, ROWS, Share
from topograph.spectral.lanczos.vector_code import doubles
from topograph.turns import await_all

_NO_TURN: Any = np.int64(0)  # a literal number would be compiled for once more


@part.in_place
def _spread(n: int, m: int, runs: Any, step: int, width: int, source: int, totals: int, side: int) -> None:
    """Interleave the entries of the outputs for the product with B (``side`` 0), or those of the inputs for Bᵀ (1).

    A run over one side of the graph has no entries of inputs: the first product, times F, takes their place.
    """
    for k in range(runs.shape[0]):
        full = runs[k, KIND] & FULL
        size = n + m if full else m
        first = runs[k, BASIS] + 16 * size * ((runs[k, FIRST] + step) % runs[k, ROWS])
        second, count, factor = first + 8 * size, n, 0
        if side == 0:
            count = m
            if full:
                first, second = first + 8 * n, second + 8 * n
        elif not full:
            first = totals + 16 * k * (n + m)
            second, factor = first + 8 * (n + m), runs[k, FACTOR]
        a, b, into = doubles(first, count), doubles(second, count), doubles(source + 16 * k, width * count)
        if factor:
            f = doubles(factor, count)
            for i in range(count):
                into[width * i] = f[i] * a[i]
                into[width * i + 1] = f[i] * b[i]
        else:
            for i in range(count):
                into[width * i] = a[i]
                into[width * i + 1] = b[i]


@reordered.in_place
def advance(
    rows: Any, columns: Any, runs: Any, width: int, source: int, totals: int, steps: int, share: Share, seat: Seat
) -> int:
    """Up to ``steps`` Lanczos steps of all runs; returns how many were taken.

    All stop where one of them has exhausted its Krylov space. Workers share the products: this one has its ``share``
    of the inputs and of the outputs. The first does the rest.
    """
    n, m = rows.indptr.size - 1, columns.indptr.size - 1
    turn = _NO_TURN
    for step in range(steps):
        for side in range(2):
            if seat.worker == 0:
                _spread(n, m, runs, step, width, source, totals, side)
            turn = await_all(seat, turn)
            matrix, first = (rows, 0) if side == 0 else (columns, n)
            lo, hi = (share.rows, share.rows_end) if side == 0 else (share.columns, share.columns_end)
            gather_several(matrix, source, totals + 8 * first, 8 * (n + m), width, lo, hi)
            turn = await_all(seat, turn)
        if seat.worker == 0:
            for k in range(runs.shape[0]):
                runs[k, EXHAUSTED] = take_step(n, m, runs, k, step, totals)
        turn = await_all(seat, turn)
        for k in range(runs.shape[0]):
            if runs[k, EXHAUSTED]:
                return step + 1
    return steps


@compiled.in_place
def spread(n: int, m: int, runs: Any, step: int, width: int, source: int, totals: int, side: int) -> None:
    """The first half of a pass by itself, for products that are shared among threads."""
    _spread(n, m, runs, step, width, source, totals, side)


@reordered.in_place
def finish_all(n: int, m: int, runs: Any, step: int, totals: int) -> bool:
    """The second half of a pass by itself; whether any Krylov space is exhausted."""
    is_exhausted = False
    for k in range(runs.shape[0]):
        is_exhausted |= take_step(n, m, runs, k, step, totals)
    return is_exhausted
