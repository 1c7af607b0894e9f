"""The search over graphs of fixed degrees: spectral steps of many swaps at once, down to single annealed swaps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from topograph.design.krylov import WarmSpectrum
from topograph.design.quantities import Modes, Quantity
from topograph.design.swaps import SwapState
from topograph.graph import BipartiteGraph

if TYPE_CHECKING:
    import pandas as pd

_POOL = 12  # up to 2^12 random pairs are weighed up for a step
_HEAT = 1.0  # initial temperature, in units of the changes seen lately
_ZERO = 1e-9  # a score below this is the rounding of a disconnected graph
_PATIENCE = 4  # steps for each edge without a new best, after which the search begins again from a random graph
_SMOOTHING = 0.3  # width of the soft minimum over the modes, in units of their range


class Step(NamedTuple):
    """One step of a search: value of the metric proposed, whether it was accepted, swaps made, best value so far."""

    step: int
    value: float
    accepted: bool
    swaps: int
    best: float


@dataclass
class Search:
    """One search: from a graph towards a goal, keeping all degrees.

    Parameters
    ----------
    graph
        Where it begins.
    quantity
        The metric.
    goal
        +∞ for as high a score as can be, −∞ for as low, or the score wanted.
    generator
        Source of randomness.
    """

    graph: BipartiteGraph
    quantity: type[Quantity]
    goal: float
    generator: np.random.Generator
    steps: list[Step] = field(default_factory=list)

    def run(self, steps: int, tolerance: float, deadline: float = math.inf, *, cooling: bool = True) -> BipartiteGraph:
        """Take up to ``steps`` steps, or until the goal is within ``tolerance``; returns the best graph met.

        With ``cooling`` the temperature falls from step to step; without, nothing worse is ever accepted.
        """
        if self.graph.n_edges < 2 or min(self.graph.shape) == 1:
            return self.graph  # the degrees leave no choice

        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # the matrices are small: further threads would only wait for each other
            return self._run(steps, tolerance, deadline, cooling)

    def _run(self, steps: int, tolerance: float, deadline: float, cooling: bool) -> BipartiteGraph:
        state = SwapState(self.graph)
        # to raise or to lower it is enough to know which graph is better; to meet a value it must be known
        warm = WarmSpectrum(self.quantity(self.graph), 1e-3 if math.isinf(self.goal) else 1e-6)
        modes = warm.modes(state.columns)
        best_keys, best, best_value = state.keys, self._merit(modes), self._value(modes)
        stale, patience = 0, _PATIENCE * (state.keys.size + 10)
        batch, change = max(1.0, state.keys.size / 100), 0.0
        for number in range(steps):
            if self._met(best, tolerance) or time.monotonic() > deadline:
                break
            pairs = self._propose(state, modes, max(1, int(batch)))
            if not pairs.size:
                batch = max(1.0, batch / 2)
                continue
            keys = state.swapped(pairs)
            found = warm.modes(keys - state.base)
            gain = self._smooth(found, modes) - self._smooth(modes, modes)
            change = abs(gain) if not change else 0.95 * change + 0.05 * abs(gain)
            heat = _HEAT * change * (1 - number / steps) if cooling else 0.0
            accepted = gain > 0 or (heat > 0 and self.generator.random() < math.exp(gain / heat))
            batch = min(batch * 1.25, state.keys.size / 8) if gain > 0 else max(1.0, batch * 0.8)
            stale += 1
            if accepted:
                state.keys, modes = keys, found
                if self._merit(found) > best:
                    best_keys, best, best_value = keys, self._merit(found), self._value(found)
                    stale = 0
            self.steps.append(Step(number, self._value(found), accepted, len(pairs), best_value))
            if stale > patience:  # a small graph has been searched around here: begin again elsewhere
                state.shuffle(self.generator)
                modes, stale = warm.modes(state.columns), 0
        state.keys = best_keys
        return state.to_graph()

    def trace(self) -> pd.DataFrame:
        """The steps as a table."""
        import pandas as pd

        return pd.DataFrame(self.steps, columns=list(Step._fields))

    # ------------------------------------------------------------------ what is better

    def _value(self, modes: Modes) -> float:
        return self.quantity.sign() * float(modes.scores[0])

    def _met(self, merit: float, tolerance: float) -> bool:
        """Whether there is nothing left to gain."""
        if self.goal == -math.inf:  # a connectivity cannot be less than nothing
            return self.quantity.sign() > 0 and merit >= -_ZERO
        return self.goal < math.inf and -merit <= tolerance

    def merit(self, score: float) -> float:
        """What the search maximises; towards a value it is 0 where that is met."""
        return score if self.goal == math.inf else -score if self.goal == -math.inf else -abs(score - self.goal)

    def _merit(self, modes: Modes) -> float:
        return self.merit(float(modes.scores[0]))

    def _width(self, modes: Modes) -> float:
        return _SMOOTHING * float(modes.scores[-1] - modes.scores[0])

    def _smooth(self, modes: Modes, reference: Modes) -> float:
        """The merit; where the lowest score is to rise, it is softened over all modes, for they rise together."""
        width = self._width(reference)
        if self.goal < math.inf or width <= 0:
            return self._merit(modes)
        lowest = float(modes.scores[0])
        return lowest - width * math.log(float(np.exp((lowest - modes.scores) / width).mean()))

    # ------------------------------------------------------------------ what to try

    def _propose(self, state: SwapState, modes: Modes, batch: int) -> npt.NDArray[np.int64]:
        """Up to ``batch`` pairs that promise most, out of a random pool whose size is itself drawn.

        Small pools make nearly random proposals and large ones greedy ones: the search needs both.
        """
        pool = math.ceil(2 ** self.generator.uniform(0, _POOL)) + 8 * (batch - 1)
        direction = 1 if modes.scores[0] < self.goal else -1
        weights = np.zeros(modes.scores.size)
        weights[0] = 1.0
        width = self._width(modes)
        if direction > 0 and width > 0:
            weights = np.exp((modes.scores[0] - modes.scores) / width)
            weights /= weights.sum()
        pairs = self._draw(state, modes, direction, int(self.generator.choice(weights.size, p=weights)), pool)
        (a, c), (b, d) = state.rows[pairs].T, (state.keys[pairs] - state.base[pairs]).T
        change = ((modes.left[a] - modes.left[c]) * (modes.right[b] - modes.right[d])) @ weights
        promise = direction * modes.scale * change
        if math.isinf(self.goal):
            order = np.argsort(-promise)[: 2 * batch]
        else:  # towards a value: no further than it
            distance = abs(float(modes.scores[0]) - self.goal)
            order = np.argsort(-promise)[: 2 * batch]
            order = order[np.cumsum(np.maximum(promise[order], 0)) <= distance]
            if not order.size or batch == 1:
                order = np.argsort(np.abs(promise - distance))[:1]
        if batch > 1:
            order = order[promise[order] > 0]
        return state.compatible(pairs[order])[:batch]

    def _draw(self, state: SwapState, modes: Modes, direction: int, mode: int, pool: int) -> npt.NDArray[np.int64]:
        """Possible pairs of edges; each edge is drawn either uniformly or with the weight that it has in the mode.

        A swap changes the score by (p[a] − p[c]) · (q[b] − q[d]): to raise it, edges whose two ends agree in sign are
        wanted, to lower it edges whose ends differ, which are rare when the graph is about to fall apart.
        """
        importance = (modes.left[state.rows, mode] + direction * modes.right[state.columns, mode]) ** 2
        heights = np.cumsum(importance)
        aimed = np.searchsorted(heights, self.generator.random((pool, 2)) * heights[-1], side="right")
        uniform = self.generator.integers(state.keys.size, size=(pool, 2))
        pairs = np.where(self.generator.random((pool, 2)) < 0.5, np.minimum(aimed, state.keys.size - 1), uniform)
        return pairs[state.possible(pairs)]
