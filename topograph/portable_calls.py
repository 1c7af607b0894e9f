"""`PortableFunction`: a compiled function under its name, by portable code where there is some, otherwise by numba.

Numba chooses among its versions of a function by the types of the arguments. So does this: each version has its own
name in the file of portable code, made of the kinds of all numbers and arrays that it takes.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from topograph.machine_code import Kernels, as_arguments

_NUMBERS = {bool: "b1", int: "i8", float: "f8", np.float32: "f4"}


class PortableFunction:
    """A function that takes numbers, arrays and named tuples of them.

    Parameters
    ----------
    kernels
        Where its portable code is.
    module, name
        Where the function is that numba compiles.
    results
        Kinds of the numbers that it returns, as `struct` names them: ``"d"`` or ``"q"`` each.
    """

    def __init__(self, kernels: Kernels, module: str, name: str, results: str = "") -> None:
        self._kernels, self._module, self.name, self._results = kernels, module, name, results

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns: a tuple where there are several results, None where there is none."""
        kinds, numbers = flattened(arguments)
        function = self._kernels.find(f"{self.name}_{kinds}", writes=bool(self._results))
        if function is None:
            return self.compiled(*arguments)
        if not self._results:
            function(*numbers)
            return None
        answer = ctypes.create_string_buffer(8 * len(self._results))
        function(ctypes.addressof(answer), *numbers)
        return struct.unpack(self._results, answer.raw)

    @property
    def compiled(self) -> Any:
        """The function as numba compiles it."""
        return getattr(import_module(self._module), self.name)


def flattened(arguments: Iterable[Any]) -> tuple[str, list[float]]:
    """The kinds of all arguments in one word, and the numbers that compiled code takes for them.

    Examples
    --------
    >>> kinds, numbers = flattened((np.zeros(3, np.float32), (True, 2.5)))
    >>> kinds, numbers[2:4], numbers[-2:]
    ('f4x1_b1_f8', [3, 4], [True, 2.5])
    """
    kinds: list[str] = []
    numbers: list[float] = []
    _flatten(arguments, kinds, numbers)
    return "_".join(kinds), numbers


def _flatten(arguments: Iterable[Any], kinds: list[str], numbers: list[float]) -> None:
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            # an array with gaps, or of another byte order, gets a kind that no portable code is for
            whole = "x" if argument.flags.c_contiguous else "y"
            kinds.append(f"{argument.dtype.str.lstrip('|<')}{whole}{argument.ndim}")
            numbers += as_arguments(argument)
        elif isinstance(argument, tuple):
            _flatten(argument, kinds, numbers)
        else:
            kinds.append(_NUMBERS.get(type(argument)) or np.asarray(argument).dtype.str.lstrip("|<"))
            numbers.append(argument)
