"""Instructions that numba does not generate: a vector at an address, and a row of products with several vectors.

Compiled code that indexes a tuple of arrays takes seconds to compile; a table of addresses takes milliseconds. Whoever
passes an address keeps the array alive, which holds float64 without gaps.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

fill_in: Any = populate_array
allocate: Any = cgutils.alloca_once_value

_AHEAD = 1024  # indices: two kilobytes
_DOUBLE = ir.DoubleType().as_pointer()
_WHOLE = ir.IntType(64)


def _doubles(typing: Any, address: Any, size: Any) -> Any:
    """The ``size`` numbers at ``address``, as an array."""
    kind = types.Array(types.float64, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(kind)(context, builder)
        data = builder.inttoptr(arguments[0], array.data.type)
        fill_in(array, data, [arguments[1]], [_WHOLE(8)], _WHOLE(8), None)
        return array._getvalue()

    return kind(types.int64, types.int64), generate


doubles: Any = intrinsic(_doubles)


def row_sums_of(width: int) -> Any:
    """Row ``start … stop`` of a product with ``width`` vectors, whose entries alternate at ``source``.

    One load brings all entries and one addition serves them all, so that further products are nearly free. Four
    accumulators hide the latency of the additions. The sums go to ``out``, ``stride`` bytes apart.
    """

    def make(typing: Any, indices: Any, weights: Any, start: Any, stop: Any, source: Any, out: Any, stride: Any) -> Any:
        signature = types.void(indices, weights, types.uint64, types.uint64, types.int64, types.int64, types.int64)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            several = ir.VectorType(ir.DoubleType(), width)

            def data(number: int) -> Any:
                return context.make_array(signature.args[number])(context, builder, arguments[number]).data

            sums = [allocate(builder, ir.Constant(several, [0.0] * width)) for _ in range(4)]
            edge = allocate(builder, arguments[2])

            def add(number: Any, total: Any) -> None:
                index = builder.load(builder.gep(data(0), [number]))
                if index.type.width < 64:
                    index = builder.zext(index, _WHOLE)
                address = builder.add(arguments[4], builder.mul(index, _WHOLE(8 * width)))
                value = builder.load(builder.inttoptr(address, several.as_pointer()), align=8)
                if not isinstance(weights, types.NoneType):
                    weight = builder.load(builder.gep(data(1), [number]))
                    repeated = ir.Constant(several, ir.Undefined)
                    for lane in range(width):
                        repeated = builder.insert_element(repeated, weight, ir.IntType(32)(lane))
                    value = builder.fmul(value, repeated)
                builder.store(builder.fadd(builder.load(total), value), total)

            for step in (4, 1):
                check, body, after = (builder.append_basic_block() for _ in range(3))
                builder.branch(check)
                builder.position_at_end(check)
                here = builder.load(edge)
                is_inside = builder.icmp_unsigned("<=", builder.add(here, _WHOLE(step)), arguments[3])
                builder.cbranch(is_inside, body, after)
                builder.position_at_end(body)
                if indices.dtype.bitwidth == 16 and step > 1:  # a large pattern, which streams from memory
                    _fetch_early(builder, builder.gep(data(0), [builder.add(here, _WHOLE(_AHEAD))]))
                for number in range(step):
                    add(builder.add(here, _WHOLE(number)), sums[number])
                builder.store(builder.add(here, _WHOLE(step)), edge)
                builder.branch(check)
                builder.position_at_end(after)
            first, second, third, fourth = (builder.load(total) for total in sums)
            total = builder.fadd(builder.fadd(first, second), builder.fadd(third, fourth))
            for lane in range(width):
                address = builder.add(arguments[5], builder.mul(arguments[6], _WHOLE(lane)))
                value = builder.extract_element(total, ir.IntType(32)(lane))
                builder.store(value, builder.inttoptr(address, _DOUBLE))
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(make)


def _fetch_early(builder: Any, address: Any) -> None:
    """Ask for what lies at ``address``, which may be past the end, before it is needed."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    builder.call(fetch, [builder.bitcast(address, byte), number(0), number(3), number(1)])  # to read, to keep, data
