"""What a statistic is without each cluster, and the intervals of a correlation that follow from it: the jackknife."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Statistic = Callable[[Matrix], Vector]
"""From the weights of the rows, shape ``(sets of weights, n)``, to one value per set."""

CERTAIN = 1 - 1e-12  # beyond this a correlation is 1 but for rounding
MOST = 1000
"""Clusters that are each left out in turn."""
GROUPS = 250
"""Groups of clusters that are left out in turn where there are more: they tell the error to 5 % of itself."""
_BLOCK = 4_000_000  # weights held at a time


def leave_each_out(statistic: Statistic, clusters: npt.NDArray[np.int64]) -> Vector:
    """The statistic without each cluster in turn; without each of 250 groups where there are more than 1,000.

    Parameters
    ----------
    statistic
        A function of the rows' weights, which are 0 for what is left out and 1 for the others.
    clusters
        Shape ``(n,)``: number of the cluster of each row.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 6.0])
    >>> leave_each_out(lambda weights: weights @ values / weights.sum(axis=1), np.array([0, 0, 1])).tolist()
    [6.0, 1.5]
    """
    return np.concatenate([statistic(weights) for weights in _weights(clusters)])


def groups_of(clusters: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The group that each row is left out with, from 0: its cluster, or one of 250 where there are more than 1,000.

    Examples
    --------
    >>> groups_of(np.array([7, 7, 3])).tolist()
    [1, 1, 0]
    """
    codes = np.unique(clusters, return_inverse=True)[1].ravel()
    return codes if not len(codes) or codes.max() < MOST else codes % GROUPS


def _weights(clusters: npt.NDArray[np.int64]) -> Iterator[Matrix]:
    groups = groups_of(clusters)
    if (int(groups.max()) + 1) * len(groups) <= _BLOCK:
        yield _one_block(groups.tobytes())
    else:
        yield from _blocks(groups)


@lru_cache(maxsize=4)  # the metrics of a study are missing in the same rows, mostly: their weights are the same
def _one_block(groups: bytes) -> Matrix:
    (weights,) = _blocks(np.frombuffer(groups, dtype=np.int64))
    weights.setflags(write=False)
    return weights


def _blocks(groups: npt.NDArray[np.int64]) -> Iterator[Matrix]:
    count = int(groups.max()) + 1
    size = max(1, _BLOCK // len(groups))
    for start in range(0, count, size):
        numbers = np.arange(start, min(start + size, count))
        yield (groups != numbers[:, None]).astype(float)


def fisher_interval(
    estimate: float, without: Vector, confidence: float, n_clusters: int, freedom: int
) -> tuple[float, float, float]:
    """Interval and p-value of a correlation, on Fisher's z scale, from its values `without` each cluster."""
    z = np.arctanh(np.clip(estimate, -CERTAIN, CERTAIN))
    low, high, p_value = plain_interval(
        float(z), np.arctanh(np.clip(without, -CERTAIN, CERTAIN)), confidence, n_clusters, freedom
    )
    if low == high:
        return estimate, estimate, p_value
    return float(np.tanh(low)), float(np.tanh(high)), p_value


def plain_interval(
    estimate: float, without: Vector, confidence: float, n_clusters: int, freedom: int
) -> tuple[float, float, float]:
    """As `fisher_interval`, for a value that is not a single correlation, such as a mean or a difference of several.

    With G groups left out the error is √((G − 1)/G · Σ (without − estimate)²), the jackknife's, times
    √(clusters / freedom). NaN where the value is not defined without one of them: then that one alone decides it.
    """
    if freedom < 1 or np.isnan(without).any():
        return float("nan"), float("nan"), float("nan")
    share = (len(without) - 1) / len(without) * n_clusters / freedom
    error = float(np.sqrt(share * np.square(without - estimate).sum()))
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
