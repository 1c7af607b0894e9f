"""Compiled passes over a pattern: Lanczos steps of up to `RUNS` runs, which share the products.

The runs are rows of a table (`topograph.spectral.lanczos.steps`). ``source`` and ``totals`` are addresses of work space
for ``width · max(n, m)`` and ``width · (n + m)`` numbers, n inputs and m outputs.
"""

from __future__ import annotations

from typing import Any

from topograph.compiling import compiled, part, reordered, reordered_part
from topograph.spectral.lanczos.products import gather_several, interleave
from topograph.spectral.lanczos.steps import BASIS, FACTOR, FIRST, FULL, KIND, ROWS, take_step
from topograph.spectral.lanczos.vector_code import address_of

RUNS = 4
"""How many runs share a pass: a value and a witness of each fill a line of the cache."""


@compiled
def addresses(first: Any, second: Any, third: Any, fourth: Any) -> Any:
    """Where four arrays lie; NumPy's own way to ask takes longer than a small product."""
    return address_of(first), address_of(second), address_of(third), address_of(fourth)


@part
def _spread(n: int, m: int, runs: Any, step: int, width: int, source: int, totals: int, to_inputs: bool) -> None:
    """Interleave the entries of the outputs for the product with B, or those of the inputs for the product with Bᵀ.

    A run over one side of the graph has no entries of inputs: the first product takes their place.
    """
    for k in range(runs.shape[0]):
        full = runs[k, KIND] & FULL
        size = n + m if full else m
        vector = runs[k, BASIS] + 16 * size * ((runs[k, FIRST] + step) % runs[k, ROWS])
        into = source + 16 * k
        if not to_inputs:
            start = vector + 8 * n if full else vector
            interleave(start, start + 8 * size, 0, m, into, width)
        elif full:
            interleave(vector, vector + 8 * size, 0, n, into, width)
        else:
            total = totals + 16 * k * (n + m)
            interleave(total, total + 8 * (n + m), runs[k, FACTOR], n, into, width)


@reordered_part
def _finish(n: int, m: int, runs: Any, step: int, totals: int) -> bool:
    """A step of every run, whose products are there; whether any Krylov space is exhausted."""
    is_exhausted = False
    for k in range(runs.shape[0]):
        full = runs[k, KIND] & FULL
        total = totals + 16 * k * (n + m) + (0 if full else 8 * n)
        is_exhausted |= take_step(runs, k, step, total, total + 8 * (n + m), n + m if full else m)
    return is_exhausted


@reordered
def advance(rows: Any, columns: Any, runs: Any, width: int, source: int, totals: int, steps: int) -> int:
    """Up to ``steps`` Lanczos steps of all runs; returns how many were taken.

    All stop where one of them has exhausted its Krylov space.
    """
    n, m = rows[0].size - 1, columns[0].size - 1
    for step in range(steps):
        _spread(n, m, runs, step, width, source, totals, False)
        gather_several(rows, source, totals, 8 * (n + m), width, 0, n)
        _spread(n, m, runs, step, width, source, totals, True)
        gather_several(columns, source, totals + 8 * n, 8 * (n + m), width, 0, m)
        if _finish(n, m, runs, step, totals):
            return step + 1
    return steps


@reordered
def spread(n: int, m: int, runs: Any, step: int, width: int, source: int, totals: int, to_inputs: bool) -> None:
    """`_spread` by itself, for products that are shared among threads."""
    _spread(n, m, runs, step, width, source, totals, to_inputs)


@reordered
def finish_all(n: int, m: int, runs: Any, step: int, totals: int) -> bool:
    """The second half of a pass by itself, for products that are shared among threads."""
    return bool(_finish(n, m, runs, step, totals))
