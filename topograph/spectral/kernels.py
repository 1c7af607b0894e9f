"""Compiled kernels over a pattern: products without a data array, fused with the vector work of a Lanczos step.

Numba is imported here and nowhere else, and this module only where a large graph asks for it, so that importing
topograph stays quick. Index arrays are unsigned: a signed index costs a wrap-around check for every edge. Weights are
``None`` for a pattern; Numba then compiles the product without them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# sums may be reordered (needed for SIMD), but NaN and infinity keep their meaning
compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})

CANCELLED = 1e-6
"""A step whose squared norm falls below this share of what it was made of is made orthogonal again."""

allocate: Any = cgutils.alloca_once_value

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


def _make_pair_row_sum(typing: Any, indices: Any, weights: Any, start: Any, stop: Any, source: Any, out: Any) -> Any:
    """``out[:2]``: one row of a product with two vectors, whose entries alternate in ``source``.

    One load brings both entries and one addition serves both, so that the second product is nearly free. Numba turns
    no such loop into vector instructions by itself, hence the instructions by hand. Four accumulators, as above.
    """
    signature = types.void(indices, weights, types.uint64, types.uint64, source, out)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, pair = ir.IntType(64), ir.VectorType(ir.DoubleType(), 2)

        def data(place: int) -> Any:
            return context.make_array(signature.args[place])(context, builder, arguments[place]).data

        sums = [allocate(builder, ir.Constant(pair, [0.0, 0.0])) for _ in range(4)]
        edge = allocate(builder, arguments[2])

        def add(number: Any, total: Any) -> None:
            index = builder.load(builder.gep(data(0), [number]))
            if index.type.width < 64:
                index = builder.zext(index, whole)
            address = builder.gep(data(4), [builder.shl(index, whole(1))])
            value = builder.load(builder.bitcast(address, pair.as_pointer()), align=8)
            if not isinstance(weights, types.NoneType):
                weight = builder.load(builder.gep(data(1), [number]))
                both = ir.Constant(pair, ir.Undefined)
                for half in range(2):
                    both = builder.insert_element(both, weight, ir.IntType(32)(half))
                value = builder.fmul(value, both)
            builder.store(builder.fadd(builder.load(total), value), total)

        for stride in (4, 1):
            check, body, after = (builder.append_basic_block() for _ in range(3))
            builder.branch(check)
            builder.position_at_end(check)
            here = builder.load(edge)
            builder.cbranch(builder.icmp_unsigned("<=", builder.add(here, whole(stride)), arguments[3]), body, after)
            builder.position_at_end(body)
            for step in range(stride):
                add(builder.add(here, whole(step)), sums[step])
            builder.store(builder.add(here, whole(stride)), edge)
            builder.branch(check)
            builder.position_at_end(after)
        first, second, third, fourth = (builder.load(total) for total in sums)
        total = builder.fadd(builder.fadd(first, second), builder.fadd(third, fourth))
        builder.store(total, builder.bitcast(data(5), pair.as_pointer()), align=8)
        return context.get_dummy_value()

    return signature, generate


_pair_row_sum: Any = intrinsic(_make_pair_row_sum)


@_product
def gather_pair(indptr: Any, indices: Any, weights: Any, source: Any, out: Any, other: Any, lo: int, hi: int) -> None:
    """Rows of the products with two vectors, into ``out`` and ``other``; ``source`` holds their entries in turn."""
    row = np.empty(2)
    for i in range(lo, hi):
        _pair_row_sum(indices, weights, np.uint64(indptr[i]), np.uint64(indptr[i + 1]), source, row)
        out[i], other[i] = row[0], row[1]


@compiled
def interleave(first: Any, second: Any, factor: Any, out: Any) -> None:
    """The entries of two vectors in turn, each times its ``factor`` where there is one."""
    for i in range(first.size):
        scale = 1.0 if factor is None else factor[i]
        out[2 * i] = scale * first[i]
        out[2 * i + 1] = scale * second[i]


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
    shift: Any,
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
        w = shift[i] * x + sign * scale * inverse[i] * total[i] - carry * work[i]
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
def follow_full(
    diagonal: Any, sign: float, total: Any, mine: Any, work: Any, known: Any, scale: float, carry: float, a: float
) -> float:
    """The step of `finish_full` and `update` for a vector that takes ``a`` from another; returns ⟨u, w⟩."""
    p = 0.0
    for i in range(work.size):
        w = scale * ((diagonal[i] - a) * mine[i] + sign * total[i]) - carry * work[i]
        work[i] = w
        p += known[i] * w
    return p


@compiled
def follow_half(
    shift: Any,
    sign: float,
    inverse: Any,
    inner: Any,
    total: Any,
    mine: Any,
    work: Any,
    known: Any,
    scale: float,
    carry: float,
    a: float,
) -> float:
    """The step of `finish_half` and `update` for a vector that takes ``a`` from another; returns ⟨u, w⟩."""
    p = 0.0
    for i in range(work.size):
        w = scale * ((shift[i] - a) * mine[i] + sign * inverse[i] * total[i]) - carry * work[i]
        work[i] = w
        p += inner[i] * known[i] * w
    return p


@compiled
def remove(work: Any, known: Any, share: float) -> None:
    """``work ← work − share known``."""
    for i in range(work.size):
        work[i] -= share * known[i]


@compiled
def keep(basis: Any, place: int, vector: Any, other: Any) -> None:
    """Row ``place`` of the stored basis, where it has one."""
    if place < basis.shape[0]:
        basis[place, 0] = vector
        basis[place, 1] = other


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
    other: Any,
    other_work: Any,
    basis: Any,
    alphas: Any,
    betas: Any,
    first: int,
    steps: int,
) -> int:
    """Lanczos steps ``first … first + steps - 1`` on [[D_L, ±B], [±Bᵀ, D_R]]; returns how many there are then.

    The step j finds v_j = ``vector`` / ``betas[j]`` and, in ``work``, v_{j-1} times ``betas[j-1]``; the two arrays
    change places after every step. Fewer steps are taken when the Krylov space is exhausted. ``other`` and
    ``other_work`` follow with the same coefficients; ``basis`` keeps both vectors of each step while it has rows.
    """
    n, m = indptr.size - 1, col_indptr.size - 1
    total, other_total, source = np.empty(n + m), np.empty(n + m), np.empty(2 * max(n, m))
    for j in range(first, first + steps):
        scale = 1.0 / betas[j]
        carry = betas[j] / betas[j - 1] if j > 0 else 0.0
        keep(basis, j, vector, other)
        interleave(vector[n:], other[n:], None, source)
        gather_pair(indptr, indices, weights, source, total, other_total, 0, n)
        interleave(vector[:n], other[:n], None, source)
        gather_pair(col_indptr, col_indices, col_weights, source, total[n:], other_total[n:], 0, m)
        a, p, q = finish_full(diagonal, sign, total, vector, work, known, scale, carry)
        alphas[j] = a
        norm = update(work, vector, known, a * scale, p - a * q, None, 0, n + m)
        if norm < CANCELLED * (a * a + (betas[j] * betas[j] if j > 0 else 0.0)):
            norm = cleanse(work, vector, known, scale, None)
        betas[j + 1] = np.sqrt(norm)
        share = follow_full(diagonal, sign, other_total, other, other_work, known, scale, carry, a)
        remove(other_work, known, share)
        vector, work, other, other_work = work, vector, other_work, other
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
    shift: Any,
    sign: float,
    vector: Any,
    work: Any,
    known: Any,
    other: Any,
    other_work: Any,
    basis: Any,
    alphas: Any,
    betas: Any,
    first: int,
    steps: int,
) -> int:
    """The same on ``shift ± E Bᵀ F B``, over the outputs only."""
    n, m = indptr.size - 1, col_indptr.size - 1
    total, middle, other_total, other_middle = np.empty(m), np.empty(n), np.empty(m), np.empty(n)
    source = np.empty(2 * max(n, m))
    for j in range(first, first + steps):
        scale = 1.0 / betas[j]
        carry = betas[j] / betas[j - 1] if j > 0 else 0.0
        keep(basis, j, vector, other)
        interleave(vector, other, None, source)
        gather_pair(indptr, indices, weights, source, middle, other_middle, 0, n)
        interleave(middle, other_middle, factor, source)
        gather_pair(col_indptr, col_indices, col_weights, source, total, other_total, 0, m)
        a, p, q = finish_half(shift, sign, inverse, inner, total, vector, work, known, scale, carry)
        alphas[j] = a
        norm = update(work, vector, known, a * scale, p - a * q, inner, 0, m)
        if norm < CANCELLED * (a * a + (betas[j] * betas[j] if j > 0 else 0.0)):
            norm = cleanse(work, vector, known, scale, inner)
        betas[j + 1] = np.sqrt(norm)
        share = follow_half(shift, sign, inverse, inner, other_total, other, other_work, known, scale, carry, a)
        remove(other_work, known, share)
        vector, work, other, other_work = work, vector, other_work, other
        if betas[j + 1] <= 1e-14 * (abs(a) + (betas[j] if j > 0 else 0.0)):
            return j + 1
    return first + steps
