"""Compiled kernels over a pattern: products without a data array, fused with the vector work of a Lanczos step.

Numba is imported here and nowhere else, and this module only where a large graph asks for it, so that importing
topograph stays quick. Index arrays are unsigned: a signed index costs a wrap-around check for every edge. Weights are
``None`` for a pattern; Numba then compiles the product without them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

# sums may be reordered (needed for SIMD), but NaN and infinity keep their meaning
compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})

CANCELLED = 1e-6
"""A step whose squared norm falls below this share of what it was made of is made orthogonal again."""

_ONE, _TWO, _THREE, _FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)


@compiled
def transpose(indptr: Any, indices: Any, n_right: int) -> Any:
    """CSC of a CSR pattern by counting, inputs ascending within each output: ``(indptr, indices)``."""
    starts = np.zeros(n_right + 1, indptr.dtype)
    for e in range(indices.size):
        starts[np.int64(indices[e]) + 1] += 1
    for j in range(n_right):
        starts[j + 1] += starts[j]
    heads = starts[:-1].copy()
    rows = np.empty(indices.size, indices.dtype)
    for i in range(indptr.size - 1):
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = indices[e]
            rows[heads[j]] = i
            heads[j] += 1
    return starts, rows


@compiled
def transpose_data(indptr: Any, indices: Any, data: Any, starts: Any) -> Any:
    """The data of the CSC whose ``starts`` `transpose` found."""
    heads = starts[:-1].copy()
    moved = np.empty(data.size, np.float64)
    for i in range(indptr.size - 1):
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = indices[e]
            moved[heads[j]] = data[e]
            heads[j] += 1
    return moved


@compiled
def is_connected(indptr: Any, indices: Any, col_indptr: Any, col_indices: Any) -> bool:
    """Breadth-first search that stops as soon as every node has been seen."""
    n, m = indptr.size - 1, col_indptr.size - 1
    seen_left, seen_right = np.zeros(n, np.uint8), np.zeros(m, np.uint8)
    queue = np.empty(n + m, np.int64)
    queue[0] = 0
    seen_left[0] = 1
    head, tail = 0, 1
    while head < tail:
        node = queue[head]
        head += 1
        if node < n:
            for e in range(np.int64(indptr[node]), np.int64(indptr[node + 1])):
                j = indices[e]
                if seen_right[j] == 0:
                    seen_right[j] = 1
                    queue[tail] = n + np.int64(j)
                    tail += 1
        else:
            for e in range(np.int64(col_indptr[node - n]), np.int64(col_indptr[node - n + 1])):
                i = col_indices[e]
                if seen_left[i] == 0:
                    seen_left[i] = 1
                    queue[tail] = np.int64(i)
                    tail += 1
        if tail == n + m:
            return True
    return False


# products are compiled without leave to reorder: it makes LLVM use gather instructions, which are half as fast
_product = njit(cache=True, nogil=True, error_model="numpy")
_inlined = njit(inline="always", error_model="numpy")


@_inlined
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


@_product
def gather(indptr: Any, indices: Any, weights: Any, source: Any, out: Any, lo: int, hi: int) -> None:
    """``out[lo:hi]``: rows of the product of the pattern with ``source``."""
    for i in range(lo, hi):
        out[i] = _row_sum(indices, weights, indptr[i], indptr[i + 1], source)


@_product
def scaled_gather(
    indptr: Any, indices: Any, weights: Any, factor: Any, source: Any, out: Any, lo: int, hi: int
) -> None:
    """The same rows, each times its ``factor``."""
    for i in range(lo, hi):
        out[i] = factor[i] * _row_sum(indices, weights, indptr[i], indptr[i + 1], source)


@compiled
def finish_full(
    diagonal: Any, sign: float, total: Any, mine: Any, work: Any, known: Any, scale: float, carry: float
) -> Any:
    """A Lanczos step of [[D_L, ±B], [±Bᵀ, D_R]], whose products are in ``total``.

    ``work ← scale (D mine ± total) − carry work``. Returns ⟨v, w⟩, ⟨u, w⟩ and ⟨u, v⟩ with v = ``scale mine``, w the new
    ``work``, u = ``known``.
    """
    a = p = q = 0.0
    for i in range(work.size):
        x = scale * mine[i]
        w = diagonal[i] * x + sign * scale * total[i] - carry * work[i]
        work[i] = w
        a += x * w
        p += known[i] * w
        q += known[i] * x
    return a, p, q


@compiled
def finish_half(
    shift: float,
    sign: float,
    inverse: Any,
    inner: Any,
    total: Any,
    mine: Any,
    work: Any,
    known: Any,
    scale: float,
    carry: float,
) -> Any:
    """A Lanczos step of ``shift ± E Bᵀ F B``: ``total`` holds Bᵀ F B ``mine``, ``inverse`` E.

    The operator is self-adjoint in the inner product with weights ``inner``, and so are the sums returned.
    """
    a = p = q = 0.0
    for i in range(work.size):
        x = scale * mine[i]
        w = shift * x + sign * scale * inverse[i] * total[i] - carry * work[i]
        work[i] = w
        a += inner[i] * x * w
        p += inner[i] * known[i] * w
        q += inner[i] * known[i] * x
    return a, p, q


@compiled
def update(work: Any, mine: Any, known: Any, a: float, c: float, inner: Any, lo: int, hi: int) -> float:
    """``work ← work − a mine − c known``; returns its squared norm."""
    norm = 0.0
    if inner is None:
        for i in range(lo, hi):
            w = work[i] - a * mine[i] - c * known[i]
            work[i] = w
            norm += w * w
    else:
        for i in range(lo, hi):
            w = work[i] - a * mine[i] - c * known[i]
            work[i] = w
            norm += inner[i] * w * w
    return norm


@compiled
def cleanse(work: Any, mine: Any, known: Any, scale: float, inner: Any) -> float:
    """Make ``work`` orthogonal to v = ``scale mine`` and u = ``known`` once more; returns its squared norm.

    Needed where the step has cancelled most of ``work``: what rounding left of v and u would grow with the scaling.
    """
    a = c = 0.0
    for i in range(work.size):
        metric = 1.0 if inner is None else inner[i]
        a += metric * scale * mine[i] * work[i]
        c += metric * known[i] * work[i]
    return update(work, mine, known, a * scale, c, inner, 0, work.size)


@compiled
def advance_full(
    indptr: Any,
    indices: Any,
    weights: Any,
    col_indptr: Any,
    col_indices: Any,
    col_weights: Any,
    diagonal: Any,
    sign: float,
    vector: Any,
    work: Any,
    known: Any,
    alphas: Any,
    betas: Any,
    first: int,
    steps: int,
) -> int:
    """Lanczos steps ``first … first + steps - 1`` on [[D_L, ±B], [±Bᵀ, D_R]]; returns how many there are then.

    The step j finds v_j = ``vector`` / ``betas[j]`` and, in ``work``, v_{j-1} times ``betas[j-1]``; the two arrays
    change places after every step. Fewer steps are taken when the Krylov space is exhausted.
    """
    n, m = indptr.size - 1, col_indptr.size - 1
    total = np.empty(n + m)
    for j in range(first, first + steps):
        scale = 1.0 / betas[j]
        carry = betas[j] / betas[j - 1] if j > 0 else 0.0
        gather(indptr, indices, weights, vector[n:], total, 0, n)
        gather(col_indptr, col_indices, col_weights, vector[:n], total[n:], 0, m)
        a, p, q = finish_full(diagonal, sign, total, vector, work, known, scale, carry)
        alphas[j] = a
        norm = update(work, vector, known, a * scale, p - a * q, None, 0, n + m)
        if norm < CANCELLED * (a * a + (betas[j] * betas[j] if j > 0 else 0.0)):
            norm = cleanse(work, vector, known, scale, None)
        betas[j + 1] = np.sqrt(norm)
        vector, work = work, vector
        if betas[j + 1] <= 1e-14 * (abs(a) + (betas[j] if j > 0 else 0.0)):
            return j + 1
    return first + steps


@compiled
def advance_half(
    indptr: Any,
    indices: Any,
    weights: Any,
    col_indptr: Any,
    col_indices: Any,
    col_weights: Any,
    factor: Any,
    inverse: Any,
    inner: Any,
    shift: float,
    sign: float,
    vector: Any,
    work: Any,
    middle: Any,
    known: Any,
    alphas: Any,
    betas: Any,
    first: int,
    steps: int,
) -> int:
    """The same on ``shift ± E Bᵀ F B``, over the outputs only; ``middle`` is scratch of the size of the inputs."""
    n, m = indptr.size - 1, col_indptr.size - 1
    total = np.empty(m)
    for j in range(first, first + steps):
        scale = 1.0 / betas[j]
        carry = betas[j] / betas[j - 1] if j > 0 else 0.0
        scaled_gather(indptr, indices, weights, factor, vector, middle, 0, n)
        gather(col_indptr, col_indices, col_weights, middle, total, 0, m)
        a, p, q = finish_half(shift, sign, inverse, inner, total, vector, work, known, scale, carry)
        alphas[j] = a
        norm = update(work, vector, known, a * scale, p - a * q, inner, 0, m)
        if norm < CANCELLED * (a * a + (betas[j] * betas[j] if j > 0 else 0.0)):
            norm = cleanse(work, vector, known, scale, inner)
        betas[j + 1] = np.sqrt(norm)
        vector, work = work, vector
        if betas[j + 1] <= 1e-14 * (abs(a) + (betas[j] if j > 0 else 0.0)):
            return j + 1
    return first + steps
