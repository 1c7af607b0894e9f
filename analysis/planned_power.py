"""How often a study of a given size finds an effect, by the t distribution and by simulation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from topograph.errors import InvalidParameterError

Vector = npt.NDArray[np.float64]
_STUDIES = 4000
_BLOCK = 2_000_000  # numbers held at a time
_LARGE = 500  # topologies from which the t distribution is as good as simulation
_MOST = 10_000_000


def topologies_needed(ratio: float, cells: int, controls: int, power: float, confidence: float) -> int:
    """The number of topologies at which the smallest detectable effect is as large as the effect.

    Parameters
    ----------
    ratio
        The effect of one standard deviation of the metric over the standard deviation of the outcome per topology.
    cells, controls
        Numbers of cells and of controls.
    power, confidence
        As asked for.

    Examples
    --------
    >>> topologies_needed(0.5, cells=1, controls=0, power=0.8, confidence=0.95)
    35
    """
    lost = 1 + cells + controls
    normal = float(stats.norm.ppf(0.5 + confidence / 2) + stats.norm.ppf(power))
    size = max(lost + 2.0, (normal / ratio) ** 2 + cells + controls)
    if size > _MOST:
        raise InvalidParameterError(
            f"such an effect, {ratio:.2g} of the spread between topologies, would need more than {_MOST:,} topologies: "
            "ask for a larger one"
        )
    for _ in range(50):
        freedom = max(1.0, size - lost)
        reach = float(stats.t.ppf(0.5 + confidence / 2, freedom) + stats.t.ppf(power, freedom))
        again = max(lost + 2.0, (reach / ratio) ** 2 + cells + controls)
        if abs(again - size) < 0.01:
            break
        size = 0.5 * (size + again)
    return math.ceil(size)


def sufficient_clusters(
    ratio: float, cells: int, controls: int, power: float, confidence: float, shape: Vector, seed: int
) -> int:
    """The smallest number of topologies at which simulated studies find the effect as often as asked for."""
    rough = topologies_needed(ratio, cells, controls, power, confidence)
    if rough > _LARGE:
        return rough

    def finds(size: int) -> bool:
        return simulated_power(ratio, size, cells, controls, confidence, shape, seed) >= power

    least = 2 * cells + controls + 2
    low, high = max(least, rough // 2), max(least, rough)
    while not finds(high):
        low, high = high, max(high + 1, math.ceil(1.3 * high))
    while low > least and finds(low):
        low, high = max(least, low // 2), low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle, high)
    return low if low == least and finds(low) else high


def simulated_power(
    ratio: float, size: int, cells: int, controls: int, confidence: float, shape: Vector, seed: int
) -> float:
    """The share of simulated studies that find the effect as `analysis.effect` does: slope and jackknife within cells.

    Parameters
    ----------
    ratio
        As for `topologies_needed`.
    size, cells, controls
        Numbers of topologies, split evenly over the cells, and of controls, which only cost degrees of freedom here.
    confidence
        Coverage of the interval that is to leave zero out.
    shape
        Values that the metric's deviations are drawn from, with mean square 1.
    seed
        Seed of the draws.

    Examples
    --------
    >>> shape = np.random.default_rng(0).normal(size=500)
    >>> round(simulated_power(0.5, 34, 1, 0, 0.95, shape, seed=0), 1)
    0.8
    """
    generator = np.random.default_rng(seed)
    cell = np.arange(size) % cells
    counts = np.bincount(cell, minlength=cells)
    averaging = np.eye(cells)[cell] / counts[cell][:, None]
    factor = (counts / np.maximum(counts - 1, 1))[cell]
    alone = counts[cell] < 2
    freedom = max(1, int(size - alone.sum() - 1 - len(set(cell[~alone])) - controls))
    reach = float(stats.t.ppf(0.5 + confidence / 2, freedom))
    finds, left = 0, _STUDIES
    while left:
        block = min(left, max(1, _BLOCK // size))
        x = generator.choice(shape, size=(block, size)) if len(shape) else generator.normal(size=(block, size))
        y = ratio * x + generator.normal(size=(block, size))
        x -= (x @ averaging)[:, cell]
        y -= (y @ averaging)[:, cell]
        square, product = (x * x).sum(axis=1, keepdims=True), (x * y).sum(axis=1, keepdims=True)
        rest = square - factor * x * x
        solid = rest > 1e-9 * square
        without = np.where(solid, (product - factor * x * y) / np.where(solid, rest, 1.0), 0.0)
        slope = product / np.where(square > 0, square, 1.0)
        shifts = np.where(alone, 0.0, without - slope)
        used = size - int(alone.sum())
        error = np.sqrt((used - 1) / used * np.square(shifts).sum(axis=1))
        finds += int((np.abs(slope[:, 0]) > reach * error).sum())
        left -= block
    return finds / _STUDIES
