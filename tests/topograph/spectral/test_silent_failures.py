"""Cases in which an existing tool returns a wrong number without a word, or fails; each must come out right here."""

import numpy as np
import pytest

import topograph as tg
from tests.topograph.spectral.families import reference
from topograph.spectral import QUANTITIES, compute_spectrum

METHODS = ["auto", "dense", "lanczos"]


def rotating(n, m, k):
    return tg.construct("regular_rotating", n, m, degree=k, seed=0)


@pytest.mark.parametrize("method", [*METHODS, "inverse"])
@pytest.mark.parametrize(("n", "m", "k", "true"), [(784, 300, 15, 0.08247510223310121), (60, 60, 3, None)])
def test_networkx_lanczos_gives_the_third_eigenvalue(n, m, k, true, method):
    graph = rotating(n, m, k)
    spectrum = compute_spectrum(graph, method=method, quantities=["algebraic_connectivity"])
    true = true or reference(graph.to_mask(float))["algebraic_connectivity"]  # the first: networkx' tracemin_lu
    assert spectrum["algebraic_connectivity"].value == pytest.approx(true, rel=1e-9)


def test_eigsh_is_positive_on_a_disconnected_graph():
    graph = tg.construct("random_edge", 200, 500, degree=5, seed=0)
    assert not graph.is_connected
    estimate = graph.spectrum()["algebraic_connectivity"]
    assert (estimate.value, estimate.low, estimate.high, estimate.method) == (0.0, 0.0, 0.0, "components")


@pytest.mark.parametrize("method", METHODS)
def test_a_perfect_matching(method):
    spectrum = compute_spectrum(tg.BipartiteGraph.from_mask(np.eye(40)), method=method)
    assert spectrum["algebraic_connectivity"].value == 0.0  # eigsh: 2
    assert spectrum["laplacian_gap"].value == pytest.approx(2, rel=1e-12)
    assert spectrum["sigma1"].value == pytest.approx(1, rel=1e-12)  # propack: 1.34
    assert spectrum["sigma2"].value == pytest.approx(1, rel=1e-12)
    assert spectrum["normalized_sigma2"].value == 1.0
    assert spectrum["normalized_gap"].value == 0.0


@pytest.mark.parametrize("method", METHODS)
def test_multiple_largest_singular_value(method):
    """Four copies of rotating(100, 50, 4): svds gives 5.6012 for the multiple σ1 = 5.6569."""
    copies = np.kron(np.eye(4), rotating(100, 50, 4).to_mask(float))
    spectrum = compute_spectrum(tg.BipartiteGraph.from_mask(copies), method=method)
    assert spectrum["sigma1"].value == pytest.approx(32**0.5, rel=1e-10)
    assert spectrum["sigma2"].value == pytest.approx(32**0.5, rel=1e-10)
    assert spectrum["laplacian_second_max"].value == pytest.approx(12, rel=1e-10)


def test_tolerance_is_on_the_value_not_on_the_norm():
    """A long cycle: λ2 = 2 − 2 cos(2π / N) is 10⁻⁷ of λmax = 4."""
    n = 3000
    cycle = tg.BipartiteGraph.from_edges([(i, i) for i in range(n)] + [(i, (i + 1) % n) for i in range(n)])
    true = 4 * np.sin(np.pi / (2 * n)) ** 2
    for method in ("auto", "inverse"):
        estimate = compute_spectrum(cycle, quantities=["algebraic_connectivity"], method=method)[
            "algebraic_connectivity"
        ]
        assert estimate.value == pytest.approx(true, rel=1e-11)
        assert estimate.low <= true * (1 + 1e-11)
        assert estimate.high >= true * (1 - 1e-11)


def test_sigma2_of_a_complete_graph_is_zero_not_sigma1():
    for method in ("auto", "dense"):
        spectrum = compute_spectrum(tg.BipartiteGraph.from_mask(np.ones((30, 20))), method=method)
        assert spectrum["sigma1"].value == pytest.approx(600**0.5, rel=1e-12)
        assert abs(spectrum["sigma2"].value) < 1e-12
    spectrum = compute_spectrum(tg.BipartiteGraph.from_mask(np.ones((30, 20))), method="lanczos", on_failure="nan")
    assert spectrum["sigma2"].is_failure or abs(spectrum["sigma2"].value) < 1e-12


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_a_side_of_one_node(shape, method):
    spectrum = compute_spectrum(tg.BipartiteGraph.from_mask(np.ones(shape)), method=method)
    assert spectrum["sigma2"].value == 0.0
    assert spectrum["normalized_gap"].value == 1.0
    second = spectrum["laplacian_second_max"]
    if shape == (1, 1):
        assert np.isnan(second.value)
        assert second.reason
        assert not second.is_failure
        assert spectrum["algebraic_connectivity"].value == pytest.approx(2)
    else:
        assert second.value == pytest.approx(1)
        assert spectrum["algebraic_connectivity"].value == pytest.approx(1)


def test_without_edges():
    spectrum = tg.BipartiteGraph.from_mask(np.zeros((3, 4))).spectrum()
    for name in QUANTITIES:
        if name in ("algebraic_connectivity", "sigma1", "sigma2", "adjacency_gap"):
            assert spectrum[name].value == 0.0
        else:
            assert np.isnan(spectrum[name].value)
            assert spectrum[name].reason == "the graph has no edges"


def test_nearly_equal_eigenvalues_are_told_apart():
    """Two halves that differ in one edge, joined by one: λ's in close pairs, the first far below the rest."""
    half = tg.construct("random_regular", 120, 110, degree=12, seed=0).to_mask()
    mask = np.kron(np.eye(2), half)
    mask[0, 110] = 1
    graph = tg.BipartiteGraph.from_mask(mask)
    true = reference(mask)
    for method in ("auto", "lanczos"):
        spectrum = compute_spectrum(graph, method=method)
        for name in QUANTITIES:
            assert spectrum[name].value == pytest.approx(true[name], rel=1e-8), (name, method)
