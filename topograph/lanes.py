# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False, disallow-untyped-defs=False
"""`Lanes`: one neuron's values for a batch of 32 samples, held in vector registers by numba.

A loop over 32 samples written in Python leaves it to LLVM to prove, at every edge, that arrays do not overlap;
it runs at a seventh of the speed of one explicit vector operation. So a row of 32 values is a type of its own here,
with the few operations that the kernels need: `load_lanes`, `store_lanes`, `broadcast`, `scaled`, `dot`, `total`.
LLVM splits it into whatever registers the machine has (two of AVX-512, four of AVX2, eight of SSE or NEON).

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model
from numba.np.arrayobj import populate_array

from topograph.tiles import LANES

# sums may be reordered and fused; NaN and infinity keep their meaning, so that divergence is seen
FAST = ("reassoc", "contract", "nsz")
_IN_ORDER = ("nsz",)  # not reordered; numba would add flags of its own where there are none
_OFFSET = ir.IntType(64)
_populate: Any = populate_array
_intrinsic: Any = intrinsic  # it supplies the typing context itself, which its types do not say


class Lanes(types.Type):
    """The type of a row of `LANES` numbers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, ir.VectorType(manager.lookup(lanes.dtype).get_value_type(), LANES))


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Where row ``args[1]`` of the C-contiguous ``(rows, LANES)`` array ``args[0]`` begins."""
    array, row = context.make_array(signature.args[0])(context, builder, args[0]), args[1]
    if row.type.width < _OFFSET.width:
        row = (builder.sext if signature.args[1].signed else builder.zext)(row, _OFFSET)
    first = builder.gep(array.data, [builder.mul(row, ir.Constant(_OFFSET, LANES))])
    return builder.bitcast(first, ir.VectorType(first.type.pointee, LANES).as_pointer())


@_intrinsic
def load_lanes(typing_context, array, row):
    """Row ``row`` of an array of shape ``(rows, LANES)``."""

    def generate(context, builder, signature, args):
        return builder.load(_address(context, builder, signature, args), align=array.dtype.bitwidth // 8)

    return Lanes(array.dtype)(array, row), generate


@_intrinsic
def store_lanes(typing_context, array, row, lanes):
    """Write a row of an array of shape ``(rows, LANES)``."""

    def generate(context, builder, signature, args):
        builder.store(args[2], _address(context, builder, signature, args), align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, row, lanes), generate


@_intrinsic
def entries(typing_context, array, begin, end):
    """Rows ``begin … end − 1`` of an array of shape ``(rows, LANES)`` as an array of one dimension."""
    flat = types.Array(array.dtype, 1, "C")

    def generate(context, builder, signature, args):
        size = ir.Constant(_OFFSET, array.dtype.bitwidth // 8)
        length = builder.mul(builder.sub(args[2], args[1]), ir.Constant(_OFFSET, LANES))
        first = context.make_array(signature.args[0])(context, builder, args[0]).data
        first = builder.gep(first, [builder.mul(args[1], ir.Constant(_OFFSET, LANES))])
        view = context.make_array(flat)(context, builder)
        _populate(view, first, [length], [size], size, None)
        return view._getvalue()

    return flat(array, types.int64, types.int64), generate


@_intrinsic
def broadcast(typing_context, array, number):
    """One number in all lanes, in the type of ``array``."""
    lanes = Lanes(array.dtype)

    def generate(context, builder, signature, args):
        return _spread(builder, context.get_value_type(lanes), args[1])

    return lanes(array, array.dtype), generate


@_intrinsic
def scaled(typing_context, weight, lanes, rest):
    """``weight · lanes + rest``, the weight one number."""

    def generate(context, builder, signature, args):
        product = builder.fmul(_spread(builder, args[1].type, args[0]), args[1], flags=FAST)
        return builder.fadd(product, args[2], flags=FAST)

    return lanes(lanes.dtype, lanes, lanes), generate


@_intrinsic
def total(typing_context, lanes):
    """Sum over the lanes."""

    def generate(context, builder, signature, args):
        return _total(builder, args[0])

    return lanes.dtype(lanes), generate


@_intrinsic
def dot(typing_context, first, second):
    """Sum over the lanes of the products."""

    def generate(context, builder, signature, args):
        return _total(builder, builder.fmul(*args, flags=FAST))

    return first.dtype(first, second), generate


GROUP = 8
"""How many products `add_dots` sums at once."""


def _add_dots(count: int) -> Any:
    def add_dots(typing_context, sums, position, lanes, array, rows):
        def generate(context, builder, signature, args):
            first = context.make_array(signature.args[4])(context, builder, args[4]).data
            align = array.dtype.bitwidth // 8

            def product(number):
                row = builder.load(builder.gep(first, [builder.add(args[1], ir.Constant(args[1].type, number))]))
                place = _address(context, builder, array(array, rows.dtype), (args[3], row))
                return builder.fmul(args[2], builder.load(place, align=align), flags=FAST)

            def partial_sums(begin, end):  # few of them live at once: not all processors have many registers
                if end - begin == 1:
                    whole = product(begin)
                    return _halved(builder, whole, whole, 1)
                middle = (begin + end) // 2
                return _halved(builder, partial_sums(begin, middle), partial_sums(middle, end), middle - begin)

            vector = partial_sums(0, count)
            while vector.type.count > count:
                vector = _halved(builder, vector, vector, count)
            data = builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])
            pointer = builder.bitcast(data, vector.type.as_pointer())
            added = builder.fadd(builder.load(pointer, align=align), vector, flags=_IN_ORDER)
            builder.store(added, pointer, align=align)
            return context.get_dummy_value()

        return types.void(sums, position, lanes, array, rows), generate

    return _intrinsic(add_dots)


add_dot = _add_dots(1)
"""Add to the sum at a position the dot product of ``lanes`` and the row of ``array`` that ``rows`` names there."""

add_dots = _add_dots(GROUP)
"""As `add_dot`, for the `GROUP` positions from one on.

Each product's numbers are added in the order of `dot`, so the bits are the same, but one instruction adds the halves of
several products: half as many in all.
"""


def _halved(builder: Any, first: Any, second: Any, parts: int) -> Any:
    """Each part's upper half added to its lower half: of one vector, or of two side by side."""
    width = first.type.count // parts
    vectors = 1 if first is second else 2
    low = [start + k for start in range(0, vectors * first.type.count, width) for k in range(width // 2)]
    lower, upper = (
        builder.shuffle_vector(first, second, _places(places)) for places in (low, [k + width // 2 for k in low])
    )
    return builder.fadd(upper, lower, flags=FAST)


TURNED = 16
"""Side of the blocks that `turn_block` moves."""


@_intrinsic
def turn_block(typing_context, array, row, lane, table, chosen, column):
    """Columns ``column …`` of rows ``chosen[lane] …`` of a table become rows ``row …`` of ``array``, from ``lane`` on.

    A square block, `TURNED` numbers wide, is turned in registers: one number at a time would take many times as long.
    """

    def generate(context, builder, signature, args):
        into, rows, places = (context.make_array(signature.args[k])(context, builder, args[k]) for k in (0, 3, 4))
        table_type = ir.VectorType(rows.data.type.pointee, TURNED)
        width = builder.extract_value(rows.shape, 1)
        vectors = []
        for number in range(TURNED):
            place = builder.load(builder.gep(places.data, [builder.add(args[2], ir.Constant(_OFFSET, number))]))
            first = builder.gep(rows.data, [builder.add(builder.mul(place, width), args[5])])
            pointer = builder.bitcast(first, table_type.as_pointer())
            vectors.append(builder.load(pointer, align=table.dtype.bitwidth // 8))
        # vector i and vector i + step change halves of blocks of step entries: four times, and rows are columns
        step = TURNED // 2
        while step:
            low = [(k // step % 2) * TURNED + k - (k // step % 2) * step for k in range(TURNED)]
            high = [place + step for place in low]
            for number in range(TURNED):
                if not number & step:
                    pair = vectors[number], vectors[number + step]
                    vectors[number] = builder.shuffle_vector(*pair, _places(low))
                    vectors[number + step] = builder.shuffle_vector(*pair, _places(high))
            step //= 2
        wide = ir.VectorType(into.data.type.pointee, TURNED)
        for number, vector in enumerate(vectors):
            value = builder.fpext(vector, wide) if wide != table_type else vector
            at = builder.mul(builder.add(args[1], ir.Constant(_OFFSET, number)), ir.Constant(_OFFSET, LANES))
            pointer = builder.bitcast(builder.gep(into.data, [builder.add(at, args[2])]), wide.as_pointer())
            builder.store(value, pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64, table, chosen, types.int64), generate


def _places(numbers: Sequence[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), list(numbers))


@_intrinsic
def prefetch(typing_context, array, position):
    """Ask for the cache line of entry ``position`` of a one-dimensional array, without waiting for it."""

    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        byte = ir.IntType(8).as_pointer()
        address = builder.bitcast(builder.gep(data, [args[1]]), byte)
        flag = ir.IntType(32)
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]), name
        )
        builder.call(function, [address, ir.Constant(flag, 0), ir.Constant(flag, 2), ir.Constant(flag, 1)])
        return context.get_dummy_value()

    return types.void(array, position), generate


def _spread(builder: Any, vector: Any, number: Any) -> Any:
    empty = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _total(builder: Any, vector: Any) -> Any:
    """Sum: the upper half is added to the lower until one is left. Written out, since compilers halve in two ways."""
    size = LANES
    while size > 1:
        size //= 2
        lower, upper = (builder.shuffle_vector(vector, vector, _places(range(k, k + size))) for k in (0, size))
        vector = builder.fadd(upper, lower, flags=FAST)
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


@_intrinsic
def power_of_two(typing_context, exponent):
    """2 to a whole power: the bits of a float32 from an int32, of a float64 from an int64."""
    double = exponent.bitwidth == 64
    number = types.float64 if double else types.float32
    bias, shift = (1023, 52) if double else (127, 23)

    def generate(context, builder, signature, args):
        integer = args[0].type
        biased = builder.add(args[0], ir.Constant(integer, bias))
        return builder.bitcast(builder.shl(biased, ir.Constant(integer, shift)), context.get_value_type(number))

    return number(exponent), generate


def polynomial_of(coefficients: list[float]) -> Any:
    """The polynomial with these coefficients, the highest power's first, as a function of one number."""

    def make(typing_context: Any, number: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = args[0].type
            value = ir.Constant(kind, coefficients[0])
            for coefficient in coefficients[1:]:
                product = builder.fmul(value, args[0], flags=FAST)
                value = builder.fadd(product, ir.Constant(kind, coefficient), flags=FAST)
            return value

        return number(number), generate

    return _intrinsic(make)
