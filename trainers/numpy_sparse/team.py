"""`Team`: several threads on one large network, each with some of the tiles of every batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.numpy_sparse import kernels
from trainers.numpy_sparse.draws import Draws
from trainers.numpy_sparse.flat import FlatNetwork, Rule, Setting, State, Work, aligned_rows
from trainers.numpy_sparse.samples import Samples


class Team:
    """Threads that share a network's weights and sum their gradients.

    Compiled code releases the GIL, so Python threads suffice. Each batch needs two barriers: for a network of a million
    edges, a thousandth of its time. The division of work does not depend on speed, so reruns with the same number of
    threads give the same bits.

    Parameters
    ----------
    threads
        Number of threads, at least 2.
    state, work
        State and scratch arrays of the first worker; the others get their own gradients and values.
    """

    def __init__(self, threads: int, state: State, work: Work) -> None:
        self._threads = threads
        self._edge_gradients = np.zeros((threads - 1, len(state.gradient)), state.gradient.dtype)
        self._bias_gradients = np.zeros((threads - 1, len(state.bias)), state.bias.dtype)
        self._states, self._works = [state], [work]
        for gradient, bias_gradient in zip(self._edge_gradients, self._bias_gradients, strict=True):
            self._states.append(state._replace(gradient=gradient, bias_gradient=bias_gradient))
            self._works.append(
                work._replace(
                    values=aligned_rows(len(work.values), work.values.dtype),
                    deltas=aligned_rows(len(work.deltas), work.deltas.dtype),
                    active=np.zeros_like(work.active),
                    marked=np.zeros_like(work.marked),
                )
            )

    def train_epoch(
        self, flat: FlatNetwork, state: State, work: Work, setting: Setting, rule: Rule, samples: Samples,
        labels: npt.NDArray[Any], order: npt.NDArray[np.int64], batch: int, step: int,
        draws: Draws,
    ) -> tuple[float, int, int]:  # fmt: skip
        """As `epochs.train_epoch`."""
        threads, summed, correct = self._threads, 0.0, 0
        bounds = np.linspace(0, len(state.weights), threads + 1).astype(int)
        with ThreadPoolExecutor(threads) as pool:
            for begin in range(0, len(order), batch):
                chosen = order[begin : begin + batch]
                step += 1
                kernels.draw(flat, work, setting, draws, len(chosen))

                def learn(worker: int, chosen: Any = chosen) -> tuple[float, int]:
                    share: tuple[float, int] = kernels.accumulate(
                        flat, self._states[worker], self._works[worker], setting, rule, samples, labels, chosen,
                        worker, threads,
                    )  # fmt: skip
                    return share

                def update(worker: int, step: int = step) -> None:
                    kernels.absorb(state, self._edge_gradients, bounds[worker], bounds[worker + 1], rule, step)

                for loss, right in pool.map(learn, range(threads)):
                    summed += loss
                    correct += right
                if not np.isfinite(summed):
                    break
                list(pool.map(update, range(threads)))
                kernels.absorb_biases(state, self._bias_gradients, rule, step)
        return summed, correct, step
