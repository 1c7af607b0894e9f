"""Draws of whole clusters, and the intervals of a correlation that come from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Statistic = Callable[[Matrix], Vector]
"""From the weights of the rows, shape ``(draws, n)``, to one value per draw."""

CERTAIN = 1 - 1e-12  # beyond this a correlation is 1 but for rounding
_BLOCK = 4_000_000  # weights held at a time


def cluster_draws(clusters: npt.NDArray[np.int64], resamples: int, seed: int) -> Iterator[Matrix]:
    """How often each row counts in each draw: as many clusters as there are, with replacement, each with all its rows.

    In blocks of draws, so that many rows do not need much memory.

    Parameters
    ----------
    clusters
        Shape ``(n,)``: number of the cluster of each row.
    resamples
        Number of draws.
    seed
        Seed of the draws.
    """
    if resamples * len(clusters) <= _BLOCK:
        yield _one_block(np.asarray(clusters, dtype=np.int64).tobytes(), resamples, seed)
    else:
        yield from _blocks(clusters, resamples, seed)


@lru_cache(maxsize=4)  # the metrics of a study are missing in the same rows, mostly: their draws are the same
def _one_block(clusters: bytes, resamples: int, seed: int) -> Matrix:
    (weights,) = _blocks(np.frombuffer(clusters, dtype=np.int64), resamples, seed)
    weights.setflags(write=False)
    return weights


def _blocks(clusters: npt.NDArray[np.int64], resamples: int, seed: int) -> Iterator[Matrix]:
    generator = np.random.default_rng(seed)
    _, member = np.unique(clusters, return_inverse=True)
    count = int(member.max()) + 1
    block = max(1, _BLOCK // len(clusters))
    for start in range(0, resamples, block):
        draws = min(block, resamples - start)
        times = generator.multinomial(count, np.full(count, 1 / count), size=draws)
        yield times.astype(float)[:, member]


def draw_statistic(statistic: Statistic, clusters: npt.NDArray[np.int64], resamples: int, seed: int) -> Vector:
    """The statistic in each draw of clusters."""
    return np.concatenate([statistic(weights) for weights in cluster_draws(clusters, resamples, seed)])


def fisher_interval(
    estimate: float, draws: Vector, confidence: float, n_clusters: int, freedom: int
) -> tuple[float, float, float]:
    """Interval and p-value of a correlation, on Fisher's z scale.

    The error of z over the draws is multiplied by √(clusters / freedom), since draws vary too little by that.
    """
    values = draws[~np.isnan(draws)]
    if freedom < 1 or values.size < 0.9 * len(draws):
        return float("nan"), float("nan"), float("nan")
    z = np.arctanh(np.clip(estimate, -CERTAIN, CERTAIN))
    error = np.arctanh(np.clip(values, -CERTAIN, CERTAIN)).std(ddof=1) * np.sqrt(n_clusters / freedom)
    if error == 0:
        return estimate, estimate, 0.0 if estimate else 1.0
    reach = stats.t.ppf(0.5 + confidence / 2, freedom) * error
    p_value = 2 * stats.t.sf(abs(z) / error, freedom)
    return float(np.tanh(z - reach)), float(np.tanh(z + reach)), float(p_value)


def plain_interval(
    estimate: float, draws: Vector, confidence: float, n_clusters: int, freedom: int
) -> tuple[float, float, float]:
    """As `fisher_interval`, for a value that is not a single correlation, such as a mean or a difference of several."""
    values = draws[~np.isnan(draws)]
    if freedom < 1 or values.size < 0.9 * len(draws):
        return float("nan"), float("nan"), float("nan")
    error = float(values.std(ddof=1)) * np.sqrt(n_clusters / freedom)
    if error == 0:
        return estimate, estimate, 0.0 if estimate else 1.0
    reach = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    return estimate - reach, estimate + reach, float(2 * stats.t.sf(abs(estimate) / error, freedom))


def holm(p_values: Vector) -> Vector:
    """Holm's step-down adjustment of p-values; statsmodels' runs the garbage collector at each call.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted
