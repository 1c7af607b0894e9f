"""`Interval`: a difference in accuracy points with its 95 % confidence interval, and how it is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

CONFIDENCE = 0.95
MARGIN = 0.25
"""Differences of less than this many accuracy points count as none in a verdict."""


@dataclass(frozen=True)
class Interval:
    """An estimate in accuracy points with its confidence interval; the ends are NaN where it cannot be told.

    Parameters
    ----------
    estimate, low, high
        In accuracy points.
    """

    estimate: float
    low: float
    high: float

    @property
    def above(self) -> bool:
        """Whether the whole interval is above zero."""
        return bool(self.low > 0)

    @property
    def below(self) -> bool:
        """Whether the whole interval is below zero."""
        return self.high < 0

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)

    def __str__(self) -> str:
        if not self.known:
            return f"{signed(self.estimate)} (too few networks for an interval)"
        return f"{signed(self.estimate)} ({signed(self.low)} … {signed(self.high)})"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, such as −0.25.

    Examples
    --------
    >>> signed(-0.254), signed(0.1)
    ('−0.25', '+0.10')
    """
    return f"{value:+.{digits}f}".replace("-", "−")


def mean_interval(values: npt.ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Student's interval for the mean of independent values.

    Examples
    --------
    >>> str(mean_interval([1.0, 2.0, 3.0]))
    '+2.00 (−0.48 … +4.48)'
    """
    data = np.asarray(values, dtype=float)
    estimate = float(data.mean()) if data.size else math.nan
    if data.size < 2:
        return Interval(estimate, math.nan, math.nan)
    half = float(stats.t.ppf((1 + confidence) / 2, data.size - 1) * data.std(ddof=1) / math.sqrt(data.size))
    return Interval(estimate, estimate - half, estimate + half)


def difference(
    first: npt.ArrayLike, second: npt.ArrayLike, *, pooled: bool = False, confidence: float = CONFIDENCE
) -> Interval:
    """Interval for the difference of two means: Welch's, or Student's with one variance for both groups.

    Parameters
    ----------
    first, second
        Independent values.
    pooled
        Whether both groups have the same variance; then one of them may be a single value.
    confidence
        Coverage of the interval, in (0, 1).

    Examples
    --------
    >>> str(difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0]))
    '+1.00 (−1.27 … +3.27)'
    >>> str(difference([5.0], [1.0, 2.0, 3.0], pooled=True))
    '+3.00 (−1.97 … +7.97)'
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    estimate = float(a.mean() - b.mean()) if a.size and b.size else math.nan
    freedom: Any = a.size + b.size - 2
    if not (a.size and b.size) or freedom < 1 or (not pooled and min(a.size, b.size) < 2):
        return Interval(estimate, math.nan, math.nan)
    if pooled:
        variance = (((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / freedom
        error = math.sqrt(variance * (1 / a.size + 1 / b.size))
    else:
        shares = np.array([a.var(ddof=1) / a.size, b.var(ddof=1) / b.size])
        error = math.sqrt(shares.sum())
        freedom = shares.sum() ** 2 / (shares**2 / [a.size - 1, b.size - 1]).sum() if error else freedom
    half = float(stats.t.ppf((1 + confidence) / 2, freedom) * error)
    return Interval(estimate, estimate - half, estimate + half)
