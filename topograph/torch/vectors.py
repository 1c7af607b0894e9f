# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False, disallow-untyped-defs=False
"""Vectors of eight numbers for the kernels: products of two rows of lanes, folded and summed; 8 × 8 transposition.

The sum over the lanes of one product costs as much as the product itself. Eight products that are folded together, two
by two, share their last steps: `folded`, three times `paired`, then one `add_eight` for eight edges.

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

from topograph.lanes import FAST
from topograph.tiles import LANES

EIGHT = 8
_INDEX = ir.IntType(32)
_intrinsic: Any = intrinsic  # it supplies the typing context itself, which its types do not say


class Eight(types.Type):
    """The type of a vector of eight numbers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"Eight({dtype})")


@register_model(Eight)
class _EightModel(models.PrimitiveModel):
    def __init__(self, manager: Any, eight: Eight) -> None:
        super().__init__(manager, eight, ir.VectorType(manager.lookup(eight.dtype).get_value_type(), EIGHT))


@_intrinsic
def folded(typing_context, first, second):
    """Eight partial sums of the products of two rows of lanes."""

    def generate(context, builder, signature, args):
        total = None
        for begin in range(0, LANES, EIGHT):
            chosen = range(begin, begin + EIGHT)
            product = builder.fmul(*(_chosen(builder, lanes, lanes, chosen) for lanes in args), flags=FAST)
            total = product if total is None else builder.fadd(product, total, flags=FAST)
        return total

    return Eight(first.dtype)(first, second), generate


def _pairing(distance: int) -> Any:
    @_intrinsic
    def paired(typing_context, first, second):
        """Sums of the numbers that lie ``distance`` apart, those of the two vectors alternating."""

        def generate(context, builder, signature, args):
            return builder.fadd(*_interleaved(builder, args[0], args[1], distance), flags=FAST)

        return first(first, second), generate

    return paired


paired_1, paired_2, paired_4 = _pairing(1), _pairing(2), _pairing(4)


@_intrinsic
def add_eight(typing_context, array, position, eight, is_first):
    """Add eight numbers to those of a one-dimensional array that begin at ``position``, or write them there first."""

    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = _as_vector(builder, builder.gep(data, [args[1]]))
        size = signature.args[0].dtype.bitwidth // 8
        more = builder.fadd(builder.load(place, align=size), args[2], flags=FAST)
        builder.store(builder.select(args[3], args[2], more), place, align=size)
        return context.get_dummy_value()

    return types.void(array, types.int64, eight, types.boolean), generate


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
    return _as_vector(builder, builder.gep(array.data, [offset]))


def _as_vector(builder: Any, pointer: Any) -> Any:
    return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, EIGHT).as_pointer())


def _interleaved(builder: Any, first: Any, second: Any, distance: int) -> tuple[Any, Any]:
    """The two halves of a butterfly: even groups of ``distance`` numbers of both vectors, then odd ones."""
    even = [k if not k & distance else EIGHT + (k ^ distance) for k in range(EIGHT)]
    odd = [k | distance if not k & distance else EIGHT + k for k in range(EIGHT)]
    return _chosen(builder, first, second, even), _chosen(builder, first, second, odd)


def _chosen(builder: Any, first: Any, second: Any, numbers: Any) -> Any:
    mask = ir.Constant(ir.VectorType(_INDEX, EIGHT), list(numbers))
    return builder.shuffle_vector(first, second, mask)
