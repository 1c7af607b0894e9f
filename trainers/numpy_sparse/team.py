"""`Team`: one thread or several on one network, each with some of the tiles of every batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.seats import seats
from trainers.numpy_sparse import kernels
from trainers.numpy_sparse.draws import Draws
from trainers.numpy_sparse.flat import FlatNetwork, Rule, Setting, State, Work, aligned_rows
from trainers.numpy_sparse.samples import Samples


class Team:
    """Threads that share a network's weights and their gradient.

    Compiled code releases the GIL, so Python threads suffice. Within a batch they wait for each other in compiled code,
    a few times per layer (`topograph.turns`). Who adds to a gradient after whom does not depend on speed, so reruns
    with the same number of threads give the same bits.

    Parameters
    ----------
    threads
        Number of threads.
    work
        Scratch arrays of the first worker; the others get their own values.
    """

    def __init__(self, threads: int, work: Work) -> None:
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
        places = seats(len(self._works))

        def train(worker: int) -> tuple[float, int, int]:
            share: tuple[float, int, int] = kernels.train_epoch(
                flat, state, self._works[worker], setting, rule, places[worker], samples, labels, order, batch,
                step, draws,
            )  # fmt: skip
            return share

        if len(places) == 1:
            return train(0)
        with ThreadPoolExecutor(len(places) - 1) as pool:
            try:
                others = [pool.submit(train, worker) for worker in range(1, len(places))]
                shares = [train(0), *(other.result() for other in others)]
            except BaseException:
                places[0].free_all()
                raise
        losses, correct, steps = zip(*shares, strict=True)
        return sum(losses), sum(correct), steps[0]
