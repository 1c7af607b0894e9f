"""`Draws`: NumPy's random bits for compiled code, by the address of the function that makes them."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np


class Draws(NamedTuple):
    """Where the next 32 random bits of a generator come from: a function of C, and what it takes."""

    function: int
    state: int


def draws_of(generator: np.random.Generator) -> Draws:
    """The draws of a generator, which has to stay alive."""
    interface: Any = generator.bit_generator.ctypes
    return Draws(ctypes.cast(interface.next_uint32, ctypes.c_void_p).value or 0, interface.state_address)
