"""κ = 1 − σ2² of the normalised B, which the half-size operators have as eigenvalue, and the gap 1 − σ2."""

from __future__ import annotations

import math

from topograph.spectral.estimate import Estimate


def gap_from(kappa: float) -> float:
    """1 − √(1 − κ), without cancellation where κ is small.

    Examples
    --------
    >>> gap_from(1e-20)
    5e-21
    """
    kappa = min(max(kappa, 0.0), 1.0)
    return kappa / (1 + math.sqrt(1 - kappa))


def gap_scale(kappa: float) -> float:
    """Factor that turns a relative tolerance on the gap, and on σ2, into a tolerance on κ: dκ = 2 σ2 dσ2.

    A σ2 below 0.01 has the tolerance of 0.01: rounding allows no smaller one.
    """
    sigma = math.sqrt(min(max(1 - kappa, 0.0), 1.0))
    return 2 * sigma * min(gap_from(kappa), max(sigma, 0.01))


def gap_of_kappa(kappa: Estimate) -> Estimate:
    """The estimate of the gap."""
    return kappa.map(gap_from, 0.5 / math.sqrt(max(1 - kappa.value, 1e-30)))
