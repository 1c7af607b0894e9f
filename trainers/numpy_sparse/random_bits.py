"""Instructions that numba does not generate: random bits from a function of C at an address.

Numba's own way takes NumPy's generators as objects of Python, which portable code cannot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from topograph.compiling import part


def _next_bits(typing: Any, function: Any, state: Any) -> Any:
    """The next 32 bits, as ``function(state)`` returns them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(number, [byte]).as_pointer()
        return builder.call(builder.inttoptr(arguments[0], kind), [builder.inttoptr(arguments[1], byte)])

    return types.uint32(types.int64, types.int64), generate


next_bits: Any = intrinsic(_next_bits)


@part.in_place
def uniform(bits: Any) -> Any:
    """A float32 in [0, 1) from 32 bits, as NumPy makes it."""
    return np.float32(bits >> np.uint32(8)) * np.float32(2.0**-24)
