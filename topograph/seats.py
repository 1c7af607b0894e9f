"""`Seat`: a worker's place among those that share compiled work, and wait for each other in it (`topograph.turns`)."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_LINE = 8  # numbers of a cache line, which two workers should not both write
_FREE = np.iinfo(np.int64).max


class Seat(NamedTuple):
    """A worker's place, mostly alone.

    Parameters
    ----------
    worker, workers
        Its number, and how many there are.
    turns
        One row per worker: the first number is how many turns it has ended.
    give_way
        Address of a function of C that lets other threads run.
    """

    worker: int
    workers: int
    turns: npt.NDArray[np.int64]
    give_way: int

    def free_all(self) -> None:
        """Let nobody wait for a worker that did not begin."""
        self.turns[:] = _FREE


def seats(workers: int) -> list[Seat]:
    """The places of some workers who share their work, before the first turn."""
    turns = np.zeros((workers, _LINE), np.int64)
    return [Seat(worker, workers, turns, _give_way()) for worker in range(workers)]


@cache
def _give_way() -> int:
    """Address of the system's function that lets other threads run."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0
