"""Compiled passes over a pattern: Lanczos steps of up to `RUNS` runs, which share the products.

The runs are rows of a table (`topograph.spectral.lanczos.table`). ``source`` and ``totals`` are addresses of work space
for ``width · max(n, m)`` and ``width · (n + m)`` numbers, n inputs and m outputs, and ``sums`` of `ROOM_FOR_SUMS`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import part, reordered
from topograph.seats import Seat
from topograph.spectral.lanczos.lookups import look_up_several
from topograph.spectral.lanczos.products import gather_several
from topograph.spectral.lanczos.steps import portion, take_step
from topograph.spectral.lanczos.table import BASIS, EXHAUSTED, FACTOR, FIRST, FULL, KIND, ROWS, Share
from topograph.spectral.lanczos.vector_code import doubles
from topograph.turns import await_all

_NO_TURN: Any = np.int64(0)  # a literal number would be compiled for once more


@part.in_place
def _spread(n: int, m: int, runs: Any, step: int, width: int, source: int, totals: int, side: int, seat: Seat) -> None:
    """Interleave the entries of the outputs for the product with B (``side`` 0), or those of the inputs for Bᵀ (1).

    A run over one side of the graph has no entries of inputs: the first product, times F, takes their place. Workers
    share the entries.
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
        lo, hi = portion(count, seat.worker, seat.workers)
        if factor:
            f = doubles(factor, count)
            for i in range(lo, hi):
                into[width * i] = f[i] * a[i]
                into[width * i + 1] = f[i] * b[i]
        else:
            for i in range(lo, hi):
                into[width * i] = a[i]
                into[width * i + 1] = b[i]


@part.in_place
def _multiply(
    matrix: Any, codes: Any, source: int, totals: int, stride: int, width: int, lo: int, hi: int, space: int
) -> None:
    """Rows ``lo … hi`` of the products, by the pattern itself or by its codes: the other of them is None."""
    if matrix is not None:
        gather_several(matrix, source, totals, stride, width, lo, hi)
    if codes is not None:
        look_up_several(codes, source, totals, stride, width, lo, hi, space)


@reordered.in_place
def advance(
    rows: Any, columns: Any, row_codes: Any, column_codes: Any, n: int, m: int, runs: Any, width: int,
    source: int, totals: int, sums: int, steps: int, share: Share, seat: Seat,
) -> int:  # fmt: skip
    """Up to ``steps`` Lanczos steps of all runs; returns how many were taken.

    All stop where one of them has exhausted its Krylov space. Workers share all the work: this one has its ``share`` of
    the products. These are by the pattern's rows and columns, or by its codes (`lookups`) where they are not None.
    """
    turn = _NO_TURN
    for step in range(steps):
        for side in range(2):
            _spread(n, m, runs, step, width, source, totals, side, seat)
            turn = await_all(seat, turn)
            matrix, codes, first = (rows, row_codes, 0) if side == 0 else (columns, column_codes, n)
            lo, hi = (share.rows, share.rows_end) if side == 0 else (share.columns, share.columns_end)
            into, stride = totals + 8 * first, 8 * (n + m)
            _multiply(matrix, codes, source, into, stride, width, lo, hi, share.space)
            turn = await_all(seat, turn)
        turn = take_step(n, m, runs, step, totals, sums, seat, turn)
        for k in range(runs.shape[0]):
            if runs[k, EXHAUSTED]:
                return step + 1
    return steps
