"""`Team`: several threads on one large network, each with some of the tiles of every batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.numpy_sparse import epochs
from trainers.numpy_sparse.plan import Plan, Rule, Samples, Setting, State, Work, lanes


class Team:
    """Threads that share a network's weights and sum their gradients.

    Compiled code lets go of Python's lock, so threads of Python do. A batch costs two meetings: for a network of a
    million edges, a thousandth of its time. Who does what does not depend on who is faster, so reruns with as
    many threads give the same bits.

    Parameters
    ----------
    threads
        How many, at least 2.
    state, work
        The first worker's; the others get their own gradients and values.
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
                    values=lanes(len(work.values), work.values.dtype),
                    deltas=lanes(len(work.deltas), work.deltas.dtype),
                    active=np.zeros_like(work.active),
                    marked=np.zeros_like(work.marked),
                )
            )

    def train_epoch(
        self, plan: Plan, state: State, work: Work, setting: Setting, rule: Rule, samples: Samples,
        labels: npt.NDArray[np.int64], order: npt.NDArray[np.int64], batch: int, step: int,
        generator: np.random.Generator,
    ) -> tuple[float, int, int]:  # fmt: skip
        """As `epochs.train_epoch`."""
        threads, summed, correct = self._threads, 0.0, 0
        bounds = np.linspace(0, len(state.weights), threads + 1).astype(int)
        with ThreadPoolExecutor(threads) as pool:
            for begin in range(0, len(order), batch):
                chosen = order[begin : begin + batch]
                step += 1
                epochs.draw(plan, work, setting, generator, len(chosen))

                def learn(worker: int, chosen: Any = chosen) -> tuple[float, int]:
                    found: tuple[float, int] = epochs.accumulate(
                        plan, self._states[worker], self._works[worker], setting, rule, samples, labels, chosen,
                        worker, threads,
                    )  # fmt: skip
                    return found

                def update(worker: int, step: int = step) -> None:
                    epochs.absorb(state, self._edge_gradients, bounds[worker], bounds[worker + 1], rule, step)

                for loss, right in pool.map(learn, range(threads)):
                    summed += loss
                    correct += right
                if not np.isfinite(summed):
                    break
                list(pool.map(update, range(threads)))
                epochs.absorb_biases(state, self._bias_gradients, rule, step)
        return summed, correct, step
