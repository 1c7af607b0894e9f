"""λ2 ≪ λmax: the right value, or an error."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import ConvergenceError, InvalidParameterError
from topograph.spectral import Spectrum, compute_spectrum
from topograph.spectral.component import Component
from topograph.spectral.solvers.lanczos import LanczosSolver


def path_of(n):
    """A path of 2n nodes."""
    return tg.BipartiteGraph.from_edges([(i, i) for i in range(n)] + [(i + 1, i) for i in range(n - 1)])


def test_a_path():
    n = 4000
    estimate = compute_spectrum(path_of(n), quantities=["algebraic_connectivity"])["algebraic_connectivity"]
    assert estimate.value == pytest.approx(4 * np.sin(np.pi / (4 * n)) ** 2, rel=1e-11)
    assert estimate.method == "inverse"


def test_the_normalised_gap_of_a_path():
    """A path of N nodes has the normalised eigenvalues cos(π j / (N − 1)); the gap is 2 sin²(π / (2 (N − 1)))."""
    n = 500
    estimate = compute_spectrum(path_of(n), quantities=["normalized_gap"])["normalized_gap"]
    assert estimate.value == pytest.approx(2 * np.sin(np.pi / (2 * (2 * n - 1))) ** 2, rel=1e-10)


def test_a_band_is_bounded_by_two_estimates_of_its_quotient():
    """No closed form, but the interval must hold under a Rayleigh quotient and over a coarse Cheeger-like bound."""
    n, k = 3000, 6
    i = np.arange(n)
    edges = [(int(a), int(a) + d) for a in i for d in range(k) if a + d < n]
    graph = tg.BipartiteGraph.from_edges(edges, n, n)
    estimate = compute_spectrum(graph, quantities=["algebraic_connectivity"])["algebraic_connectivity"]
    wave = np.cos(np.pi * (np.concatenate([i + 0.5 * k, i + 0.5]) + 0.0) / n)
    wave -= wave.mean()
    pairs = graph.edges()
    quotient = ((wave[pairs[:, 0]] - wave[n + pairs[:, 1]]) ** 2).sum() / (wave @ wave)
    assert 0.5 * quotient < estimate.value <= quotient
    assert estimate.width < 3e-8 * estimate.value


def test_two_blobs_and_one_edge():
    half = tg.construct("random_regular", 300, 300, degree=20, seed=1).to_mask(bool)
    mask = np.kron(np.eye(2, dtype=bool), half)
    mask[0, 300] = True
    graph = tg.BipartiteGraph.from_mask(mask)
    true = np.linalg.eigvalsh(_laplacian(mask))[1]
    estimate = compute_spectrum(graph, quantities=["algebraic_connectivity"])["algebraic_connectivity"]
    assert estimate.value == pytest.approx(true, rel=1e-8)
    assert estimate.low <= true * (1 + 1e-9)
    assert estimate.high >= true * (1 - 1e-9)


def test_what_cannot_be_reached_is_an_error_or_a_reason():
    component, solver = Component(path_of(300)), LanczosSolver(patience=30)
    values = solver.solve(component, ["connectivity", "sigma2"], 1e-8)
    estimate = values["connectivity"]
    assert np.isnan(estimate.value)
    assert estimate.is_failure
    assert "30 steps" in estimate.reason
    assert "method='inverse'" in estimate.reason
    assert values["sigma2"].is_failure
    assert "inverse" not in values["sigma2"].reason  # which has the smallest eigenvalues only
    with pytest.raises(ConvergenceError, match="loosen tolerance"):
        Spectrum({"algebraic_connectivity": estimate}).require_all()


def test_a_method_that_does_not_apply_says_so():
    graph = path_of(5)
    with pytest.raises(InvalidParameterError, match="smallest eigenvalues only"):
        compute_spectrum(graph, method="inverse")
    with pytest.raises(InvalidParameterError, match="complete, star or rotating"):
        compute_spectrum(graph, method="closed_form")
    with pytest.raises(InvalidParameterError, match="method must be one of"):
        compute_spectrum(graph, method="magic")


def _laplacian(mask):
    b = mask.astype(float)
    return np.block([[np.diag(b.sum(1)), -b], [-b.T, np.diag(b.sum(0))]])
