"""`deferred`: functions that run as plain Python until they have taken so long that compiling them pays.

Numba needs a second to start and a third of a second for each function; what one layer asks of a short function takes
milliseconds in Python. The numbers are the same to the bit, before and after: both do the operations that are written,
in the order in which they are written, so sums that may be reordered cannot be deferred.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PATIENCE = 1.0
"""Seconds of processor time that a process spends in uncompiled functions before it compiles what it calls again."""

_parts: list[Callable[..., Any]] = []
_spent = 0.0
_compiling = threading.RLock()  # threads that share a call reach it at once


class Deferred:
    """A function that is compiled, or read from the disk, once waiting for it pays.

    Parameters
    ----------
    function
        The function, in the Python that numba compiles. It creates no arrays.
    meanwhile
        What is called until then, with the same arguments and the same effect; the function itself where it is None.
    """

    def __init__(self, function: Callable[..., Any], meanwhile: Callable[..., Any] | None = None) -> None:
        self.py_func = function
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        self._meanwhile = meanwhile or function
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        """The result, compiled or not."""
        if self._compiled is not None:
            return self._compiled(*arguments)
        if _spent >= PATIENCE:
            return self.compile()(*arguments)
        return self.interpret(*arguments)

    def interpret(self, *arguments: Any) -> Any:
        """The result without compiled code; the time is noted."""
        global _spent
        start = time.thread_time()
        # numbers of NumPy, which divide by 0 and overflow as compiled ones do
        numbers = [np.float64(argument) if type(argument) is float else argument for argument in arguments]
        with np.errstate(all="ignore"):
            result = self._meanwhile(*numbers)
        _spent += time.thread_time() - start
        return result.item() if isinstance(result, np.generic) else result

    def compile(self) -> Callable[..., Any]:
        """The compiled function."""
        with _compiling:
            if self._compiled is None:
                from topograph.compiling import callable_parts, compiled

                callable_parts(_parts)
                _parts.clear()
                self._compiled = compiled.in_place(self.py_func)
                module = self.py_func.__globals__
                if module.get(self.__name__) is self:  # from now on nothing stands between a call and the machine code
                    module[self.__name__] = self._compiled
            return self._compiled


def deferred(function: Callable[..., Any]) -> Deferred:
    """Run a function as it stands until compiling it pays."""
    return Deferred(function)


def deferred_by(meanwhile: Callable[..., Any]) -> Callable[[Callable[..., Any]], Deferred]:
    """As `deferred`, with another function, of NumPy's or SciPy's, until then: for loops over all edges."""
    return lambda function: Deferred(function, meanwhile)


def deferred_part(function: Callable[..., Any]) -> Any:
    """A function that deferred functions call, and that becomes part of them when they are compiled."""
    _parts.append(function)
    return function
