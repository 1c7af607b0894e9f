# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False, disallow-untyped-defs=False
"""Vector code of the kernels: products of rows of lanes, summed for eight edges at once; 8 × 8 transposition.

The sum over the lanes of one product costs as much as the product itself. Products that are folded together, two by
two, share their last steps.

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from topograph.tiles import LANES

EIGHT = 8
_INDEX = ir.IntType(32)
_FUSED = ("contract", "nsz")  # sums in the order written: compilers find others that take more instructions
_intrinsic: Any = intrinsic  # it supplies the typing context itself, which its types do not say


@_intrinsic
def sum_eight(typing_context, row, back, first, values, outputs, deltas, offset, gradient, is_first):
    """Add x_i · δ_j to the gradient of eight edges of an input; return Σ w δ_j added to ``back``.

    Parameters
    ----------
    row
        x_i, lanes.
    back
        What the input's gradient is so far, lanes; None where it is not wanted.
    first
        Number of the first of the edges in ``values``, ``outputs`` and ``gradient``.
    values, outputs
        Values and outputs of all edges.
    deltas
        δ, an array of lanes; those of output 0 are row ``offset``.
    gradient
        The gradient of the values.
    is_first
        Whether this is the first of the sums: then what is in memory does not count.
    """
    has_back = back != types.none

    def generate(context, builder, signature, args):
        first, offset, is_first = args[2], args[6], args[8]
        value_data, output_data, delta_data, gradient_data = (
            context.make_array(signature.args[k])(context, builder, args[k]).data for k in (3, 4, 5, 7)
        )
        size = gradient.dtype.bitwidth // 8
        # registers of sixteen halve the work; two of eight in their place would leave too few for the rest
        width = 2 * EIGHT if "+avx512f" in context.codegen().magic_tuple()[2] else EIGHT
        levels = [(1, 1), (2, 2), (4, 4)] if width == EIGHT else [(4, 8), (1, 1), (2, 2)]
        given_lanes = args[0], args[1] if has_back else args[0]
        parts = [range(begin, begin + width) for begin in range(0, LANES, width)]
        row_parts, back_parts = ([_chosen(builder, lanes, lanes, part) for part in parts] for lanes in given_lanes)

        def entry(data, number):
            return builder.load(builder.gep(data, [builder.add(first, ir.Constant(first.type, number))]))

        def partial_sums(number, height):
            """Of the product of an edge; above, edges whose numbers differ in one bit share a vector's lanes."""
            if height:
                bit, distance = levels[height - 1]
                lower, upper = (partial_sums(number | more, height - 1) for more in (0, bit))
                return builder.fadd(*_interleaved(builder, lower, upper, distance), flags=_FUSED)
            output = builder.add(offset, builder.zext(entry(output_data, number), offset.type))
            begin = builder.mul(output, ir.Constant(output.type, LANES))
            total, weight = None, _spread(builder, entry(value_data, number), width) if has_back else None
            for k, part in enumerate(parts):
                place = builder.gep(delta_data, [builder.add(begin, ir.Constant(begin.type, part[0]))])
                delta = builder.load(_as_vector(builder, place, width), align=size)
                product = builder.fmul(row_parts[k], delta, flags=_FUSED)
                total = product if total is None else builder.fadd(product, total, flags=_FUSED)
                if has_back:
                    scaled = builder.fmul(weight, delta, flags=_FUSED)
                    back_parts[k] = builder.fadd(scaled, back_parts[k], flags=_FUSED)
            return total

        sums = partial_sums(0, len(levels))
        if width > EIGHT:
            low = [k for k in range(width) if not k & 4]
            halves = (_chosen(builder, sums, sums, [k + more for k in low]) for more in (0, 4))
            sums = builder.fadd(*halves, flags=_FUSED)
        place = builder.gep(gradient_data, [first])
        bits = ir.IntType(8 * size)
        # a mask, since a branch would hold back whatever comes before it that is not needed at once
        kept = _spread(builder, builder.sext(builder.not_(is_first), bits), EIGHT)
        before = builder.load(_as_vector(builder, builder.bitcast(place, bits.as_pointer()), EIGHT), align=size)
        before = builder.bitcast(builder.and_(before, kept), sums.type)
        builder.store(builder.fadd(before, sums, flags=_FUSED), _as_vector(builder, place, EIGHT), align=size)
        while len(back_parts) > 1:
            count = 2 * back_parts[0].type.count
            back_parts = [
                _chosen(builder, *pair, range(count)) for pair in zip(back_parts[::2], back_parts[1::2], strict=True)
            ]
        return back_parts[0] if has_back else context.get_dummy_value()

    given = (row, back, first, values, outputs, deltas, offset, gradient, types.boolean)
    return back(*given), generate


@_intrinsic
def transpose_eight(typing_context, source, row, column, target, target_row, target_column):
    """Write the 8 × 8 numbers of ``source`` from ``(row, column)`` on, transposed, into ``target``.

    Both arrays are two-dimensional, C-contiguous, and of one dtype.
    """

    def generate(context, builder, signature, args):
        size = source.dtype.bitwidth // 8
        rows = []
        for number in range(EIGHT):
            place = _place(context, builder, signature.args[0], args[:3], number)
            rows.append(builder.load(place, align=size))
        for distance in (1, 2, 4):
            for number in range(EIGHT):
                if not number & distance:
                    pair = _interleaved(builder, rows[number], rows[number | distance], distance)
                    rows[number], rows[number | distance] = pair
        for number, vector in enumerate(rows):
            builder.store(vector, _place(context, builder, signature.args[3], args[3:], number), align=size)
        return context.get_dummy_value()

    integer = types.int64
    return types.void(source, integer, integer, target, integer, integer), generate


def _place(context: Any, builder: Any, kind: Any, args: Any, further: int) -> Any:
    """Where the eight numbers from ``(row + further, column)`` on begin, of ``(array, row, column)``."""
    array = context.make_array(kind)(context, builder, args[0])
    row = builder.add(args[1], ir.Constant(args[1].type, further))
    offset = builder.add(builder.mul(row, builder.extract_value(array.shape, 1)), args[2])
    return _as_vector(builder, builder.gep(array.data, [offset]), EIGHT)


def _as_vector(builder: Any, pointer: Any, count: int) -> Any:
    return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, count).as_pointer())


def _interleaved(builder: Any, first: Any, second: Any, distance: int) -> tuple[Any, Any]:
    """The two halves of a butterfly: even groups of ``distance`` numbers of both vectors, then odd ones."""
    count = first.type.count
    even = [k if not k & distance else count + (k ^ distance) for k in range(count)]
    odd = [k | distance if not k & distance else count + k for k in range(count)]
    return _chosen(builder, first, second, even), _chosen(builder, first, second, odd)


def _spread(builder: Any, number: Any, count: int) -> Any:
    single = builder.insert_element(ir.Constant(ir.VectorType(number.type, 1), ir.Undefined), number, _INDEX(0))
    return _chosen(builder, single, single, [0] * count)


def _chosen(builder: Any, first: Any, second: Any, numbers: Any) -> Any:
    mask = ir.Constant(ir.VectorType(_INDEX, len(numbers)), list(numbers))
    return builder.shuffle_vector(first, second, mask)
