"""`Team`: one thread or several on one network, each with some of the tiles of every batch."""

from __future__ import annotations

import ctypes
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.numpy_sparse import kernels
from trainers.numpy_sparse.draws import Draws
from trainers.numpy_sparse.flat import FlatNetwork, Rule, Seat, Setting, State, Work, aligned_rows
from trainers.numpy_sparse.samples import Samples

_LINE = 8  # numbers of a cache line, which two workers should not both write
_FREE = np.iinfo(np.int64).max


class Team:
    """Threads that share a network's weights and their gradient.

    Compiled code releases the GIL, so Python threads suffice. Within a batch they wait for each other in compiled code,
    a few times per layer (`trainers.numpy_sparse.turns`). Who adds to a gradient after whom does not depend on speed,
    so reruns with the same number of threads give the same bits.

    Parameters
    ----------
    threads
        Number of threads.
    work
        Scratch arrays of the first worker; the others get their own values.
    """

    def __init__(self, threads: int, work: Work) -> None:
        self._seats = seats(threads)
        self._works = [work]
        for _ in range(1, threads):
            self._works.append(
                work._replace(
                    values=aligned_rows(len(work.values), work.values.dtype),
                    deltas=aligned_rows(len(work.deltas), work.deltas.dtype),
                    active=np.zeros_like(work.active),
                    marked=np.zeros_like(work.marked),
                )
            )

    def train_epoch(
        self, flat: FlatNetwork, state: State, setting: Setting, rule: Rule, samples: Samples, labels: npt.NDArray[Any],
        order: npt.NDArray[np.int64], batch: int, step: int, draws: Draws,
    ) -> tuple[float, int, int]:  # fmt: skip
        """As `epochs.train_epoch`, with the sums over all workers."""

        def train(worker: int) -> tuple[float, int, int]:
            share: tuple[float, int, int] = kernels.train_epoch(
                flat, state, self._works[worker], setting, rule, self._seats[worker], samples, labels, order, batch,
                step, draws,
            )  # fmt: skip
            return share

        turns = self._seats[0].turns
        turns[:] = 0
        if len(self._seats) == 1:
            return train(0)
        with ThreadPoolExecutor(len(self._seats) - 1) as pool:
            try:
                others = [pool.submit(train, worker) for worker in range(1, len(self._seats))]
                shares = [train(0), *(other.result() for other in others)]
            except BaseException:
                turns[:] = _FREE  # nobody waits for a worker that did not begin
                raise
        losses, correct, steps = zip(*shares, strict=True)
        return sum(losses), sum(correct), steps[0]


def seats(workers: int) -> list[Seat]:
    """The places of some workers who share a network."""
    turns, losses = np.zeros((workers, _LINE), np.int64), np.zeros(workers)
    return [Seat(worker, workers, turns, losses, _give_way()) for worker in range(workers)]


@cache
def _give_way() -> int:
    """Address of the system's function that lets other threads run."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0
