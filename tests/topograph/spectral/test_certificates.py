"""The interval of every lane holds the true value, over many seeds and spectra made to deceive it."""

import numpy as np
import pytest
import scipy.linalg

import topograph as tg
from topograph.spectral import tridiagonal
from topograph.spectral.lane import Known, Lane
from topograph.spectral.operators import FullOperator, HalfOperator
from topograph.spectral.pattern import Pattern


@pytest.fixture(scope="module")
def graph():
    half = tg.construct("random_regular", 60, 40, degree=8, seed=2).to_mask(bool)
    mask = np.kron(np.eye(2, dtype=bool), half)
    mask[0, 40] = mask[60, 0] = True  # symmetric halves: eigenvalues in close pairs
    found = tg.BipartiteGraph.from_mask(mask)
    assert found.is_connected
    return found


@pytest.mark.parametrize("seed", range(40))
def test_every_seed_every_stage(graph, seed):
    """At every step of the run, converged or not, the interval holds the eigenvalue sought."""
    pattern = Pattern.of(graph)
    b = graph.to_mask(float)
    laplacian = np.block([[np.diag(b.sum(1)), -b], [-b.T, np.diag(b.sum(0))]])
    true = np.linalg.eigvalsh(laplacian)[1]
    size = graph.n_nodes
    lane = Lane(FullOperator(pattern, -1), Known(np.full(size, size**-0.5)), 1e-8, seed=seed)
    for _ in range(30):
        lane.advance(7)
        lane.check()
        found = lane.result()
        assert found.low <= true * (1 + 1e-13)
        assert true <= found.high * (1 + 1e-13)


def test_a_perron_vector_needs_no_chance(graph):
    pattern = Pattern.of(graph)
    lane = Lane(HalfOperator.gram(pattern), None, 1e-10, start=pattern.right)
    true = np.linalg.norm(graph.to_mask(float), 2) ** 2
    for _ in range(12):
        lane.advance(1)
        lane.check()
        found = lane.result()
        assert found.low <= -true * (1 - 1e-13)
        assert -true <= found.high + 1e-11
    known = lane.as_known()
    assert known.residual < 1e-4
    assert (known.vector > 0).all()


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


def test_a_tighter_tolerance_gives_a_narrower_interval(graph):
    widths = []
    for tolerance in (1e-4, 1e-6, 1e-9):
        spectrum = graph.spectrum(tolerance=tolerance, method="lanczos", quantities=["algebraic_connectivity"])
        widths.append(spectrum["algebraic_connectivity"].width / spectrum["algebraic_connectivity"].value)
    assert widths[0] > widths[1] > widths[2]
    assert all(width <= 2 * tolerance for width, tolerance in zip(widths, (1e-4, 1e-6, 1e-9), strict=True))
