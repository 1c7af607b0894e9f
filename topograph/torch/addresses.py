# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False, disallow-untyped-defs=False
"""`array_at`: a tensor's memory as an array of compiled code, by its address.

To ask a tensor for its address takes a tenth of the time that it takes to make an array of it.

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

_intrinsic: Any = intrinsic  # it supplies the typing context itself, which its types do not say
_populate: Any = populate_array
_WORD = ir.IntType(64)


@_intrinsic
def array_at(typing_context, address, shape, like):
    """A C-contiguous array of the dtype of ``like``.

    Parameters
    ----------
    address
        Where its first number lies; whoever owns the memory must live as long as the array is used.
    shape
        Tuple of integers.
    like
        Any array of that dtype.
    """
    array = types.Array(like.dtype, len(shape), "C")

    def generate(context, builder, signature, args):
        pointer = context.get_data_type(like.dtype).as_pointer()
        size = ir.Constant(_WORD, like.dtype.bitwidth // 8)
        sides = [builder.extract_value(args[1], k) for k in range(len(shape))]
        strides = [size]
        for side in sides[:0:-1]:
            strides.insert(0, builder.mul(strides[0], side))
        view = context.make_array(array)(context, builder)
        _populate(view, builder.inttoptr(args[0], pointer), sides, strides, size, None)
        return view._getvalue()

    return array(types.int64, types.UniTuple(types.int64, len(shape)), like), generate
