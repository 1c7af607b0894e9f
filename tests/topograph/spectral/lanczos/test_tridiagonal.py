"""Ritz values, vectors and growth of a tridiagonal matrix, against LAPACK and against the recurrence written out."""

import numpy as np
import pytest
import scipy.linalg

from topograph.spectral.lanczos import tridiagonal


def test_tridiagonal_against_lapack():
    rng = np.random.default_rng(0)
    for k in (1, 2, 5, 40):
        alphas, betas = rng.standard_normal(k), np.abs(rng.standard_normal(k + 1)) + 0.1
        true = scipy.linalg.eigh_tridiagonal(alphas, betas[1:k])[0][0] if k > 1 else alphas[0]
        theta = tridiagonal.smallest_ritz_value(alphas, betas, k, alphas.min(), 0.0)
        assert theta == pytest.approx(true, rel=1e-12, abs=1e-13)
        vector = tridiagonal.ritz_coordinates(alphas, betas, k, theta)
        matrix = np.diag(alphas) + np.diag(betas[1:k], 1) + np.diag(betas[1:k], -1)
        assert matrix @ vector == pytest.approx(theta * vector, abs=1e-11)


def test_growth_is_the_largest_orthonormal_polynomial():
    rng = np.random.default_rng(1)
    k = 12
    alphas, betas = rng.standard_normal(k), np.abs(rng.standard_normal(k + 1)) + 0.5
    mu = tridiagonal.smallest_ritz_value(alphas, betas, k, alphas.min(), 0.0) - 0.1
    p = [1.0]
    for j in range(k):
        before = betas[j] * p[j - 1] if j else 0.0
        p.append(((mu - alphas[j]) * p[j] - before) / betas[j + 1])
    assert tridiagonal.growth(alphas, betas, k, mu) == pytest.approx(np.abs(p).max(), rel=1e-12)
    assert tridiagonal.growth(alphas, betas, k, mu + 0.2) == 0.0
