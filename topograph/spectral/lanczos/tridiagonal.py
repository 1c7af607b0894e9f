r"""The tridiagonal matrix T of a Lanczos run: its Ritz values, and the proof that no eigenvalue lies below.

Let :math:`p_j` be the orthonormal polynomials of T, so that the j-th Lanczos vector is
:math:`v_j = p_j(A)\,v_0`. For an eigenpair :math:`(\mu, u)` of A, :math:`\langle u, v_j\rangle = p_j(\mu)\,c` with
:math:`c = \langle u, v_0\rangle`, and since :math:`\|v_j\| = 1`,

.. math:: |c| \le 1 / \max_j |p_j(\mu)|.

To the left of the smallest Ritz value every :math:`|p_j|` falls as μ rises, and its growth is a product of pivots of
T − μ over the off-diagonal entries: one pass of additions and divisions. So when the starting vector is known to
overlap every eigenvector by more than that, no eigenvalue lies at μ or below. This is the Christoffel function of the
run (Szegő, Orthogonal Polynomials, §3.4) read as a bound, and it does not rest on orthogonality of the stored vectors:
the recurrence that it follows is the one that was computed, up to rounding that it outgrows (Paige 1980).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from topograph.deferring import deferred, deferred_part

_HUGE = 1e300  # where every search ends, so that none goes on for ever with a NaN
_HALVINGS = 2200  # of an interval, until it has no inner number
_ONE, _TWO = np.int64(1), np.int64(2)  # numba would compile once per literal number


@deferred_part
def _count_below(alphas: Any, betas: Any, k: int, mu: float, most: int) -> int:
    """How many eigenvalues of T_k are not above ``mu``, at most ``most``: as many as T_k − mu has pivots ≤ 0."""
    count = 0
    pivot = alphas[0] - mu
    for j in range(1, k + 1):
        if not pivot > 0.0:
            count += 1
            if count >= most:
                break
            if pivot == 0.0:
                pivot = -1e-300
        if j < k:
            pivot = alphas[j] - mu - betas[j] * betas[j] / pivot
    return count


@deferred
def smallest_ritz_value(alphas: Any, betas: Any, k: int, above: float, precision: float) -> float:
    """Smallest eigenvalue of T_k by bisection, from above, to ``precision`` relative or to the last bit.

    ``above`` is any number that is not below it; one that is close saves time.
    """
    high = above
    step = 1e-7 * abs(high) + 1e-300
    low = high - step
    while _count_below(alphas, betas, k, low, _ONE) > 0:
        if not step < _HUGE:
            return np.nan
        high = low
        step *= 16.0
        low -= step
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high or high - low <= precision * abs(high):
            return high
        if _count_below(alphas, betas, k, middle, _ONE) == 0:
            low = middle
        else:
            high = middle
    return high


@deferred
def second_ritz_value(alphas: Any, betas: Any, k: int, theta: float) -> float:
    """A number just below the second eigenvalue of T_k, ``theta`` being the smallest; infinity where k is 1.

    To a hundredth of its distance from ``theta``: its distance need not be known better.
    """
    if k < 2:
        return np.inf
    distance = 1e-12 * abs(theta) + 1e-300
    while _count_below(alphas, betas, k, theta + 2.0 * distance, _TWO) < 2:
        if not distance < _HUGE:
            return np.inf
        distance *= 2.0
    low, high = distance, 2.0 * distance
    while high - low > 0.01 * high:
        middle = 0.5 * (low + high)
        if _count_below(alphas, betas, k, theta + middle, _TWO) < 2:
            low = middle
        else:
            high = middle
    return theta + low


@deferred_part
def _filter_at(alphas: Any, betas: Any, k: int, coordinates: Any, mu: float) -> float:
    """f(mu) of the polynomial with f(A) v_0 = Σ ``coordinates[j]`` v_j."""
    before, now, total = 0.0, 1.0, coordinates[0]
    for j in range(k - 1):
        before, now = now, ((mu - alphas[j]) * now - (betas[j] * before if j > 0 else 0.0)) / betas[j + 1]
        total += coordinates[j + 1] * now
    return float(total)


@deferred
def filtered_above(
    alphas: Any, betas: Any, k: int, coordinates: Any, theta: float, second: float, least: float
) -> float:
    """The largest number found between ``theta`` and ``second`` at which |f| is still ``least``; −∞ if there is none.

    f falls from ``theta`` to its first zero, the second Ritz value.
    """
    low, high, found = theta, second, -np.inf
    for _ in range(12):
        middle = 0.5 * (low + high)
        if abs(_filter_at(alphas, betas, k, coordinates, middle)) >= least:
            low = found = middle
        else:
            high = middle
    return found


@deferred
def shortfall(
    alphas: Any, betas: Any, k: int, coordinates: Any, theta: float, second: float, gap: float, least: float
) -> float:
    """How far, in nats, the best ρ is from having both a distance ``gap`` from ``theta`` and |f(ρ)| of ``least``.

    A distance counts half: it is asked for by the square of a residual, which shrinks as fast as ``least``.
    """
    low, high = 0.0, 1.0
    worse = 0.0
    for _ in range(12):
        middle = 0.5 * (low + high)
        rho = theta + middle * (second - theta)
        near = 0.5 * math.log(max(gap / (rho - theta), 1e-300))
        faint = math.log(max(least / max(abs(_filter_at(alphas, betas, k, coordinates, rho)), 1e-300), 1e-300))
        worse = near if near > faint else faint
        if near > faint:
            low = middle
        else:
            high = middle
    return float(worse)


@deferred_part
def _growth(alphas: Any, betas: Any, k: int, mu: float) -> float:
    pivot = alphas[0] - mu
    size = 1.0
    largest = 1.0
    for j in range(1, k + 1):
        if pivot <= 0.0:
            return 0.0
        if size < 1e280:
            size = size * (pivot / betas[j]) if betas[j] > 0.0 else 1e300
        if size > largest:
            largest = size
        if j < k:
            pivot = alphas[j] - mu - betas[j] * betas[j] / pivot
    return largest


@deferred
def growth(alphas: Any, betas: Any, k: int, mu: float) -> float:
    """``max_j |p_j(mu)|`` over j ≤ k for ``mu`` below every Ritz value; 0 when it is not below."""
    return float(_growth(alphas, betas, k, mu))


@deferred
def certified_floor(alphas: Any, betas: Any, k: int, theta: float, needed: float, reach: float) -> float:
    """The largest ``mu`` found at which the growth reaches ``needed``, seeking at least ``reach`` below ``theta``."""
    distance = reach + 1e-300
    while _growth(alphas, betas, k, theta - distance) < needed:
        distance *= 2.0
        if not distance < _HUGE:
            return -np.inf
    low, high = 0.0, distance
    for _ in range(20):
        middle = 0.5 * (low + high)
        if _growth(alphas, betas, k, theta - middle) < needed:
            low = middle
        else:
            high = middle
    return theta - high


def ritz_coordinates(alphas: Any, betas: Any, k: int, theta: float) -> Any:
    """The unit eigenvector of T_k at its smallest eigenvalue ``theta``."""
    coordinates = np.ones(k)
    _iterate_inversely(alphas, betas, k, theta, np.empty(k), coordinates)
    return coordinates


@deferred
def _iterate_inversely(alphas: Any, betas: Any, k: int, theta: float, pivots: Any, x: Any) -> None:
    """Inverse iteration with T_k from just below ``theta``; ``pivots`` is work space."""
    mu = theta - 1e-14 * abs(theta)
    while _count_below(alphas, betas, k, mu, _ONE) > 0 and mu > -_HUGE:
        mu -= 4.0 * (theta - mu) + 1e-300
    pivots[0] = alphas[0] - mu
    for j in range(1, k):
        pivots[j] = alphas[j] - mu - betas[j] * betas[j] / pivots[j - 1]
    for _ in range(4):
        for j in range(1, k):
            x[j] -= betas[j] / pivots[j - 1] * x[j - 1]
        x[k - 1] /= pivots[k - 1]
        for j in range(k - 2, -1, -1):
            x[j] = (x[j] - betas[j + 1] * x[j + 1]) / pivots[j]
        square = 0.0
        for j in range(k):
            square += x[j] * x[j]
        norm = np.sqrt(square)
        for j in range(k):
            x[j] /= norm
