"""Weights that differ by many orders of magnitude: a value with an honest interval, or a reason; and always an end."""

from fractions import Fraction

import numpy as np
import pytest

import topograph as tg
from topograph.spectral import QUANTITIES, compute_spectrum


def weighted(matrix, **options):
    matrix = np.asarray(matrix, dtype=float)
    return compute_spectrum(tg.BipartiteGraph.from_mask(matrix != 0), weights=matrix, on_failure="nan", **options)


@pytest.mark.parametrize("bridge", [1e-14, 1e-150, 1e-160, 1e-250])
def test_two_blocks_and_a_weak_bridge(bridge):
    """λ2 is the bridge times the sum of the reciprocal sizes of the blocks, to first order."""
    matrix = np.zeros((40, 30))
    matrix[:20, :15] = matrix[20:, 15:] = 1
    matrix[0, 20] = bridge
    estimate = weighted(matrix, quantities=["algebraic_connectivity"])["algebraic_connectivity"]
    assert estimate.value == pytest.approx(bridge * 2 / 35, rel=1e-9)
    assert estimate.width <= 2e-8 * estimate.value


@pytest.mark.parametrize("exponent", [-300, -120, -3, 120, 300])
def test_a_common_factor_is_a_factor_of_the_values(exponent):
    matrix = np.random.default_rng(0).uniform(1, 2, (6, 5))
    plain, scaled = weighted(matrix), weighted(matrix * 2.0**exponent)
    for name in QUANTITIES:
        factor = 1.0 if "normalized" in name else 2.0**exponent
        assert scaled[name].value == plain[name].value * factor
        assert scaled[name].low == plain[name].low * factor


def test_a_value_beyond_the_floating_point_numbers_is_a_failure():
    spectrum = weighted(np.full((3, 3), 1.5e308), quantities=["laplacian_max", "normalized_gap"])
    assert "scale the weights" in spectrum["laplacian_max"].reason
    assert spectrum["normalized_gap"].value == pytest.approx(1.0)


def test_weights_too_far_apart_are_a_failure():
    spectrum = weighted([[1e300, 1.0], [1.0, 1e-300]])
    assert all("differ by more than" in spectrum[name].reason for name in QUANTITIES)


@pytest.mark.parametrize("seed", range(40))
def test_every_interval_holds_the_exact_laplacian(seed):
    """Sylvester's law in exact arithmetic: the eigenvalues of L below a number are counted by pivots of fractions."""
    random = np.random.default_rng(seed)
    top = [8, 30, 100, 120][seed % 4]
    matrix = 10.0 ** random.uniform(-top, top, (3, 3)) * (random.random((3, 3)) < 0.8)
    matrix[0] += 10.0 ** random.uniform(-top, top)  # connected
    matrix[:, 0] += 10.0 ** random.uniform(-top, top)
    spectrum = weighted(matrix)
    for name, rank in (("algebraic_connectivity", 2), ("laplacian_max", 6), ("laplacian_second_max", 5)):
        estimate = spectrum[name]
        if np.isnan(estimate.value):
            assert estimate.reason
            continue
        assert eigenvalues_below(matrix, estimate.low - 1e-15 * abs(estimate.low)) < rank
        assert eigenvalues_below(matrix, estimate.high + 1e-15 * abs(estimate.high)) >= rank


def eigenvalues_below(matrix, number):
    n, m = matrix.shape
    weights = [[Fraction(float(entry)) for entry in row] for row in matrix]
    laplacian = [[Fraction(0)] * (n + m) for _ in range(n + m)]
    for i in range(n):
        for j in range(m):
            laplacian[i][n + j] = laplacian[n + j][i] = -weights[i][j]
            laplacian[i][i] += weights[i][j]
            laplacian[n + j][n + j] += weights[i][j]
    for i in range(n + m):
        laplacian[i][i] -= Fraction(float(number))
    count = 0
    for k in range(n + m):
        pivot = laplacian[k][k]
        count += pivot < 0
        for i in range(k + 1, n + m):
            share = laplacian[i][k] / pivot
            for j in range(k + 1, n + m):
                laplacian[i][j] -= share * laplacian[k][j]
    return count
