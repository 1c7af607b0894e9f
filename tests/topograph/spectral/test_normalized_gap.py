"""κ = 1 − σ2²: a tolerance on it is one on the gap and on σ2 alike."""

import math

import pytest

from topograph.spectral.normalized_gap import gap_from, gap_scale


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.3, 0.5, 0.8, 0.999])
def test_a_tolerance_holds_for_the_gap_and_for_sigma(sigma):
    kappa, tolerance = 1 - sigma**2, 1e-6
    moved = kappa + tolerance * gap_scale(kappa)
    gap = gap_from(kappa)
    assert abs(gap_from(moved) - gap) <= 1.001 * tolerance * min(gap, sigma)
    assert abs(gap_from(moved) - gap) >= 0.99 * tolerance * min(gap, sigma)


def test_a_vanishing_sigma_has_the_tolerance_of_a_hundredth():
    assert gap_scale(1 - 1e-8) == pytest.approx(2 * 1e-4 * 0.01)
    assert gap_scale(1.0) == 0.0
    assert math.isclose(gap_scale(1e-12), 1e-12, rel_tol=1e-6)  # a small gap: κ is twice the gap
