"""Compiled products of a pattern with one vector, or with the vectors of several Lanczos runs in one pass.

Index arrays are unsigned: a signed index costs a wrap-around check for every edge. Weights are ``None`` for a plain
pattern; numba then compiles the product without them. Sums keep their order: with leave to reorder them LLVM uses
gather instructions, which are half as fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import compiled, part
from topograph.spectral.lanczos.vector_code import row_sums_of

_ONE, _TWO, _THREE, _FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
_sums_of_2, _sums_of_4, _sums_of_8 = (row_sums_of(width) for width in (2, 4, 8))


@part.in_place
def _row_sum(indices: Any, weights: Any, start: Any, stop: Any, source: Any) -> Any:
    """One row of a product; four accumulators hide the latency of the additions."""
    a = b = c = d = 0.0
    e, end = np.uint64(start), np.uint64(stop)
    if weights is None:
        while e + _FOUR <= end:
            a += source[indices[e]]
            b += source[indices[e + _ONE]]
            c += source[indices[e + _TWO]]
            d += source[indices[e + _THREE]]
            e += _FOUR
        while e < end:
            a += source[indices[e]]
            e += _ONE
    else:
        while e + _TWO <= end:
            a += weights[e] * source[indices[e]]
            b += weights[e + _ONE] * source[indices[e + _ONE]]
            e += _TWO
        while e < end:
            a += weights[e] * source[indices[e]]
            e += _ONE
    return (a + b) + (c + d)


@compiled.in_place
def gather(matrix: Any, source: Any, out: Any) -> None:
    """``out``: the product of the pattern with ``source``."""
    indptr, indices, weights = matrix
    for i in range(out.size):
        out[i] = _row_sum(indices, weights, indptr[i], indptr[i + 1], source)


@compiled.in_place
def gather_several(matrix: Any, source: int, totals: int, stride: int, width: int, lo: int, hi: int) -> None:
    """Rows ``lo … hi`` of the products with ``width`` vectors, whose entries alternate at ``source``.

    The products are written to ``totals``, one after the other, ``stride`` bytes apart.
    """
    indptr, indices, weights = matrix
    if width == 2:
        for i in range(lo, hi):
            start, stop = np.uint64(indptr[i]), np.uint64(indptr[i + 1])
            _sums_of_2(indices, weights, start, stop, source, totals + 8 * i, stride)
    elif width == 4:
        for i in range(lo, hi):
            start, stop = np.uint64(indptr[i]), np.uint64(indptr[i + 1])
            _sums_of_4(indices, weights, start, stop, source, totals + 8 * i, stride)
    else:
        for i in range(lo, hi):
            start, stop = np.uint64(indptr[i]), np.uint64(indptr[i + 1])
            _sums_of_8(indices, weights, start, stop, source, totals + 8 * i, stride)
