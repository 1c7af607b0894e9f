"""Compiled kernels over a pattern: products without a data array, fused with the vector work of a Lanczos step.

Numba is imported here and nowhere else in this folder, and this module only where a large graph asks for it, so that
importing topograph stays quick. Index arrays are unsigned: a signed index costs a wrap-around check for every edge.
Weights are ``None`` for a pattern; Numba then compiles the product without them. Products and steps share one file
because Numba's cache looks at a function's own file only: a step would go on with the product that it was compiled
with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from topograph.compiling import compiled as exact
from topograph.compiling import part
from topograph.compiling import reordered as compiled

CANCELLED = 1e-6
"""A step whose squared norm falls below this share of what it was made of is made orthogonal again."""

LANES = 4
"""How many lanes share a pass: a value and a witness of each fill a line of the cache."""

FULL, FOLLOWED = 1, 2
"""Kinds of lanes: over both sides of the graph; with a second vector."""

allocate: Any = cgutils.alloca_once_value

_AHEAD = 1024  # indices: two kilobytes
_ONE, _TWO, _THREE, _FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)


# products are compiled without leave to reorder: it makes LLVM use gather instructions, which are half as fast
_product, _inlined = exact, part


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


def _fetch_early(builder: Any, address: Any) -> None:
    """Ask for what lies at ``address``, which may be past the end, before it is needed."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    builder.call(fetch, [builder.bitcast(address, byte), number(0), number(3), number(1)])  # to read, to keep, data


def _row_sums_of(width: int) -> Any:
    """``out[:width]``: one row of a product with several vectors, whose entries alternate in ``source``.

    One load brings all entries and one addition serves them all, so that further products are nearly free. Numba turns
    no such loop into vector instructions by itself, hence the instructions by hand. Four accumulators, as above.
    """

    def make(typing: Any, indices: Any, weights: Any, start: Any, stop: Any, source: Any, out: Any) -> Any:
        signature = types.void(indices, weights, types.uint64, types.uint64, source, out)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            whole, several = ir.IntType(64), ir.VectorType(ir.DoubleType(), width)

            def data(place: int) -> Any:
                return context.make_array(signature.args[place])(context, builder, arguments[place]).data

            sums = [allocate(builder, ir.Constant(several, [0.0] * width)) for _ in range(4)]
            edge = allocate(builder, arguments[2])

            def add(number: Any, total: Any) -> None:
                index = builder.load(builder.gep(data(0), [number]))
                if index.type.width < 64:
                    index = builder.zext(index, whole)
                address = builder.gep(data(4), [builder.mul(index, whole(width))])
                value = builder.load(builder.bitcast(address, several.as_pointer()), align=8)
                if not isinstance(weights, types.NoneType):
                    weight = builder.load(builder.gep(data(1), [number]))
                    all_of_it = ir.Constant(several, ir.Undefined)
                    for place in range(width):
                        all_of_it = builder.insert_element(all_of_it, weight, ir.IntType(32)(place))
                    value = builder.fmul(value, all_of_it)
                builder.store(builder.fadd(builder.load(total), value), total)

            for stride in (4, 1):
                check, body, after = (builder.append_basic_block() for _ in range(3))
                builder.branch(check)
                builder.position_at_end(check)
                here = builder.load(edge)
                is_inside = builder.icmp_unsigned("<=", builder.add(here, whole(stride)), arguments[3])
                builder.cbranch(is_inside, body, after)
                builder.position_at_end(body)
                if indices.dtype.bitwidth == 16 and stride > 1:  # a large pattern, which streams from memory
                    _fetch_early(builder, builder.gep(data(0), [builder.add(here, whole(_AHEAD))]))
                for step in range(stride):
                    add(builder.add(here, whole(step)), sums[step])
                builder.store(builder.add(here, whole(stride)), edge)
                builder.branch(check)
                builder.position_at_end(after)
            first, second, third, fourth = (builder.load(total) for total in sums)
            total = builder.fadd(builder.fadd(first, second), builder.fadd(third, fourth))
            builder.store(total, builder.bitcast(data(5), several.as_pointer()), align=8)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(make)


_sums_of_2, _sums_of_4, _sums_of_8 = (_row_sums_of(width) for width in (2, 4, 8))


@_product
def gather_one(indptr: Any, indices: Any, weights: Any, source: Any, out: Any, other: Any, lo: int, hi: int) -> None:
    """Rows of the products with the two vectors of one lane."""
    row = np.empty(2)
    for i in range(lo, hi):
        _sums_of_2(indices, weights, np.uint64(indptr[i]), np.uint64(indptr[i + 1]), source, row)
        out[i], other[i] = row[0], row[1]


@_product
def gather_two(indptr: Any, indices: Any, weights: Any, source: Any, out: Any, offset: int, lo: int, hi: int) -> None:
    """The same for two lanes, into ``out[:, offset + lo : offset + hi]``."""
    row = np.empty(4)
    for i in range(lo, hi):
        _sums_of_4(indices, weights, np.uint64(indptr[i]), np.uint64(indptr[i + 1]), source, row)
        for place in range(4):
            out[place, offset + i] = row[place]


@_product
def gather_four(indptr: Any, indices: Any, weights: Any, source: Any, out: Any, offset: int, lo: int, hi: int) -> None:
    """The same for three or four lanes."""
    row = np.empty(8)
    for i in range(lo, hi):
        _sums_of_8(indices, weights, np.uint64(indptr[i]), np.uint64(indptr[i + 1]), source, row)
        for place in range(out.shape[0]):
            out[place, offset + i] = row[place]


@compiled
def gather_lanes(indptr: Any, indices: Any, weights: Any, source: Any, out: Any, offset: int, lo: int, hi: int) -> None:
    """Rows of the products with the vectors of all lanes, into ``out[:, offset + lo : offset + hi]``.

    ``source`` is what `interleave` made of them.
    """
    if out.shape[0] == 2:
        gather_one(indptr, indices, weights, source, out[0, offset:], out[1, offset:], lo, hi)
    elif out.shape[0] == 4:
        gather_two(indptr, indices, weights, source, out, offset, lo, hi)
    else:
        gather_four(indptr, indices, weights, source, out, offset, lo, hi)


@compiled
def interleave(first: Any, second: Any, factor: Any, out: Any, lane: int, lanes: int) -> None:
    """The entries of a lane's two vectors to their places in ``out``, each times its ``factor`` where there is one."""
    if factor.size and lanes == 1:
        for i in range(first.size):
            out[2 * i] = factor[i] * first[i]
            out[2 * i + 1] = factor[i] * second[i]
        return
    if factor.size:
        first, second = factor * first, factor * second
    if lanes == 1:  # strides that the compiler knows
        for i in range(first.size):
            out[2 * i] = first[i]
            out[2 * i + 1] = second[i]
    elif lanes == 2:
        into = out[2 * lane :]
        for i in range(first.size):
            into[4 * i] = first[i]
            into[4 * i + 1] = second[i]
    else:
        into = out[2 * lane :]
        for i in range(first.size):
            into[8 * i] = first[i]
            into[8 * i + 1] = second[i]


@compiled
def make_source(n: int) -> Any:
    """Room for the entries of up to ``n`` nodes in all lanes; a node's own lie in one line of the cache."""
    room = np.zeros(8 * n + 8)
    return room[(-(room.ctypes.data // 8)) % 8 :]


@compiled
def spread_right(n: int, kinds: Any, vectors: Any, others: Any, source: Any) -> None:
    """What the outputs hold, as the product with B reads it."""
    lanes = kinds.size
    none = np.empty(0)
    for lane in range(lanes):
        start = n if kinds[lane] & FULL else 0
        interleave(vectors[lane][start:], others[lane][start:], none, source, lane, lanes)


@compiled
def spread_left(n: int, kinds: Any, vectors: Any, others: Any, factors: Any, totals: Any, source: Any) -> None:
    """What the inputs hold, as the product with Bᵀ reads it: for half the graph, what the first product gave them."""
    lanes = kinds.size
    for lane in range(lanes):
        if kinds[lane] & FULL:
            interleave(vectors[lane][:n], others[lane][:n], factors[lane], source, lane, lanes)
        else:
            interleave(totals[2 * lane, :n], totals[2 * lane + 1, :n], factors[lane], source, lane, lanes)


@compiled
def finish_full(diagonal: Any, total: Any, mine: Any, work: Any, known: Any, scale: float, carry: float) -> Any:
    """A Lanczos step of [[D_L, −B], [−Bᵀ, D_R]], whose products are in ``total``.

    ``work ← scale (D mine − total) − carry work``. Returns ⟨v, w⟩, ⟨u, w⟩ and ⟨u, v⟩ with v = ``scale mine``, w the new
    ``work``, u = ``known``.
    """
    a = p = q = 0.0
    for i in range(work.size):
        x = scale * mine[i]
        w = diagonal[i] * x - scale * total[i] - carry * work[i]
        work[i] = w
        a += x * w
        p += known[i] * w
        q += known[i] * x
    return a, p, q


@compiled
def finish_half(
    shift: Any,
    inverse: Any,
    inner: Any,
    total: Any,
    mine: Any,
    work: Any,
    known: Any,
    scale: float,
    carry: float,
) -> Any:
    """A Lanczos step of ``shift − E Bᵀ F B``: ``total`` holds Bᵀ F B ``mine``, ``inverse`` E.

    The operator is self-adjoint in the inner product with weights ``inner``, and so are the sums returned.
    """
    a = p = q = 0.0
    for i in range(work.size):
        x = scale * mine[i]
        w = shift[i] * x - scale * inverse[i] * total[i] - carry * work[i]
        work[i] = w
        a += inner[i] * x * w
        p += inner[i] * known[i] * w
        q += inner[i] * known[i] * x
    return a, p, q


@compiled
def update(work: Any, mine: Any, known: Any, a: float, c: float, inner: Any) -> float:
    """``work ← work − a mine − c known``; returns its squared norm."""
    norm = 0.0
    if inner is None:
        for i in range(work.size):
            w = work[i] - a * mine[i] - c * known[i]
            work[i] = w
            norm += w * w
    else:
        for i in range(work.size):
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
    return float(update(work, mine, known, a * scale, c, inner))


@compiled
def follow_full(
    diagonal: Any, total: Any, mine: Any, work: Any, known: Any, scale: float, carry: float, a: float
) -> float:
    """The step of `finish_full` and `update` for a vector that takes ``a`` from another; returns ⟨u, w⟩."""
    p = 0.0
    for i in range(work.size):
        w = scale * ((diagonal[i] - a) * mine[i] - total[i]) - carry * work[i]
        work[i] = w
        p += known[i] * w
    return p


@compiled
def follow_half(
    shift: Any,
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
        w = scale * ((shift[i] - a) * mine[i] - inverse[i] * total[i]) - carry * work[i]
        work[i] = w
        p += inner[i] * known[i] * w
    return p


@compiled
def remove(work: Any, known: Any, share: float) -> None:
    """``work ← work − share known``."""
    for i in range(work.size):
        work[i] -= share * known[i]


@compiled
def finish_lane(
    n: int,
    kind: int,
    terms: Any,
    total: Any,
    other_total: Any,
    vector: Any,
    work: Any,
    other: Any,
    other_work: Any,
    known: Any,
    basis: Any,
    alphas: Any,
    betas: Any,
    j: int,
) -> bool:
    """Step ``j`` of one lane, whose products are there; whether the Krylov space is exhausted."""
    if j < basis.shape[0]:
        basis[j, 0] = vector
        basis[j, 1] = other
    shift, inverse, inner = terms
    scale = 1.0 / betas[j]
    carry = betas[j] / betas[j - 1] if j > 0 else 0.0
    before = betas[j] if j > 0 else 0.0
    if kind & FULL:
        a, p, q = finish_full(shift, total, vector, work, known, scale, carry)
        norm = update(work, vector, known, a * scale, p - a * q, None)
        if norm < CANCELLED * (a * a + before * before):
            norm = cleanse(work, vector, known, scale, None)
    else:
        a, p, q = finish_half(shift, inverse, inner, total[n:], vector, work, known, scale, carry)
        norm = update(work, vector, known, a * scale, p - a * q, inner)
        if norm < CANCELLED * (a * a + before * before):
            norm = cleanse(work, vector, known, scale, inner)
    alphas[j] = a
    betas[j + 1] = np.sqrt(norm)
    if kind & FOLLOWED:
        if kind & FULL:
            share = follow_full(shift, other_total, other, other_work, known, scale, carry, a)
        else:
            share = follow_half(shift, inverse, inner, other_total[n:], other, other_work, known, scale, carry, a)
        remove(other_work, known, share)
    return bool(betas[j + 1] <= 1e-14 * (abs(a) + before))


@compiled
def advance_lane(
    indptr: Any,
    indices: Any,
    weights: Any,
    col_indptr: Any,
    col_indices: Any,
    col_weights: Any,
    kind: int,
    terms: Any,
    factor: Any,
    vector: Any,
    work: Any,
    other: Any,
    other_work: Any,
    basis: Any,
    known: Any,
    alphas: Any,
    betas: Any,
    first: int,
    steps: int,
) -> int:
    """Lanczos steps ``first … first + steps - 1`` of one lane; returns how many were taken.

    The step j finds v_j = ``vector`` / ``betas[j]`` and, in ``work``, v_{j-1} times ``betas[j-1]``; the two arrays
    change places after every step. Fewer steps are taken when the Krylov space is exhausted. ``other`` and
    ``other_work`` follow with the same coefficients; ``basis`` keeps both vectors of each step while it has rows.
    """
    n, m = indptr.size - 1, col_indptr.size - 1
    totals, source, none = np.empty((2, n + m)), np.empty(2 * max(n, m)), np.empty(0)
    right = n if kind & FULL else 0
    for j in range(first, first + steps):
        interleave(vector[right:], other[right:], none, source, 0, 1)
        gather_one(indptr, indices, weights, source, totals[0], totals[1], 0, n)
        if kind & FULL:
            interleave(vector[:n], other[:n], none, source, 0, 1)
        else:
            interleave(totals[0, :n], totals[1, :n], factor, source, 0, 1)
        gather_one(col_indptr, col_indices, col_weights, source, totals[0, n:], totals[1, n:], 0, m)
        is_exhausted = finish_lane(
            n, kind, terms, totals[0], totals[1], vector, work, other, other_work, known, basis, alphas, betas, j
        )
        vector, work, other, other_work = work, vector, other_work, other
        if is_exhausted:
            return j + 1 - first
    return steps


@compiled
def finish_lanes(
    n: int,
    kinds: Any,
    firsts: Any,
    step: int,
    terms: Any,
    totals: Any,
    vectors: Any,
    works: Any,
    others: Any,
    other_works: Any,
    knowns: Any,
    bases: Any,
    alphas: Any,
    betas: Any,
) -> bool:
    """A step of every lane, whose products are there; whether any Krylov space is exhausted."""
    shifts, inverses, inners = terms
    is_exhausted = False
    for lane in range(kinds.size):
        j = firsts[lane] + step
        is_exhausted |= finish_lane(
            n, kinds[lane], (shifts[lane], inverses[lane], inners[lane]), totals[2 * lane], totals[2 * lane + 1],
            vectors[lane], works[lane], others[lane], other_works[lane], knowns[lane], bases[lane], alphas[lane],
            betas[lane], j,
        )  # fmt: skip
    return is_exhausted


@compiled
def advance_lanes(
    indptr: Any,
    indices: Any,
    weights: Any,
    col_indptr: Any,
    col_indices: Any,
    col_weights: Any,
    kinds: Any,
    firsts: Any,
    steps: int,
    terms: Any,
    factors: Any,
    vectors: Any,
    works: Any,
    others: Any,
    other_works: Any,
    knowns: Any,
    bases: Any,
    alphas: Any,
    betas: Any,
) -> int:
    """The same for several lanes, whose products share each pass; returns how many steps were taken.

    Each argument from ``factors`` on, and each of ``terms``, has `LANES` entries, of which as many count as there are
    ``kinds``. All stop where one of them has exhausted its Krylov space.
    """
    n, m = indptr.size - 1, col_indptr.size - 1
    totals, source = np.empty((2 * kinds.size, n + m)), make_source(max(n, m))
    for step in range(steps):
        spread_right(n, kinds, vectors, others, source)
        gather_lanes(indptr, indices, weights, source, totals, 0, 0, n)
        spread_left(n, kinds, vectors, others, factors, totals, source)
        gather_lanes(col_indptr, col_indices, col_weights, source, totals, n, 0, m)
        is_exhausted = finish_lanes(
            n, kinds, firsts, step, terms, totals, vectors, works, others, other_works, knowns, bases, alphas, betas
        )
        vectors, works, others, other_works = works, vectors, other_works, others
        if is_exhausted:
            return step + 1
    return steps
