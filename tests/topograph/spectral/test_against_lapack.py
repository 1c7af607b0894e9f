"""A sample of the sweep, and graphs large enough for the solvers of large graphs."""

import math

import numpy as np
import pytest

import topograph as tg
from tests.topograph.spectral.families import FAMILIES, draw, reference
from tests.topograph.spectral.sweep import Tally, check_graph, sweep
from topograph.spectral import QUANTITIES, compute_spectrum


def test_sample_of_the_sweep():
    tally = sweep(19 * 15, seed=1)
    assert tally.failures == []
    assert {"dense", "lanczos", "inverse", "closed_form", "components"} <= set(tally.methods)


@pytest.mark.parametrize(
    ("seed", "number"), [(7, 1034), (7, 4963), (7, 5188), (7, 5315), (7, 7793), (8, 3100), (0, 7127)]
)
def test_what_the_sweep_once_found(seed, number):
    """A failure among the pieces taken for the largest; starts that hardly overlapped the eigenvector sought;
    rotations whose components are complete; a σ2 that was good enough, but not for its distance from σ1."""
    tally = Tally()
    family, graph = draw(seed, number)
    for method in ("lanczos", "dense"):
        check_graph(tally, family, graph, method)
    assert tally.failures == []


@pytest.mark.parametrize(
    ("construction", "n_left", "n_right", "degree"),
    [
        ("random_regular", 400, 150, 20),
        ("random_regular", 150, 420, 25),
        ("random_edge", 400, 350, 20),
        ("random_edge", 600, 120, 6),  # some pairs of inputs with few outputs: close eigenvalues
        ("regular_rotating", 400, 150, 12),
        ("fibonacci_rotating", 500, 180, 9),
        ("long_short_rotating", 350, 200, 8),
        ("random_edge", 300, 280, 240),  # a normalised σ2 much smaller than the gap
    ],
)
def test_large_graphs(construction, n_left, n_right, degree):
    graph = tg.construct(construction, n_left, n_right, degree=degree, seed=3)
    true = reference(graph.to_mask(float))
    spectrum = graph.spectrum()
    for name in QUANTITIES:
        estimate = spectrum[name]
        assert estimate.value == pytest.approx(true[name], rel=1e-8, abs=1e-11), name
        assert estimate.low - 1e-11 <= true[name] <= estimate.high + 1e-11
        if name != "adjacency_gap":  # as wide as the two that it comes from
            assert estimate.width <= 2.1e-8 * abs(estimate.value)


@pytest.mark.parametrize("method", ["dense", "lanczos", "inverse"])
@pytest.mark.parametrize("family", ["random", "band", "community", "power_law", "tree", "product"])
def test_methods_agree_on_weighted_graphs(family, method):
    rng = np.random.default_rng(5)
    mask = FAMILIES[family](rng)
    weights = np.where(mask, rng.lognormal(size=mask.shape), 0) * rng.choice([-1, 1], size=mask.shape)
    graph = tg.BipartiteGraph.from_mask(mask)
    names = ["algebraic_connectivity", "laplacian_gap", "normalized_gap"] if method == "inverse" else list(QUANTITIES)
    spectrum = compute_spectrum(graph, weights=weights, method=method, quantities=names)
    true = reference(weights)
    for name in names:
        if not (math.isnan(true[name]) and math.isnan(spectrum[name].value)):
            assert spectrum[name].value == pytest.approx(true[name], rel=1e-8, abs=1e-10), name


def test_weights_one_per_edge_or_a_matrix():
    graph = tg.BipartiteGraph.from_mask([[1, 1, 0], [0, 1, 1], [1, 0, 1]])
    matrix = np.array([[1.0, -2.0, 9.0], [9.0, 0.5, 3.0], [4.0, 9.0, 1.0]])
    by_matrix = compute_spectrum(graph, weights=matrix)
    by_edge = compute_spectrum(graph, weights=[1.0, 2.0, 0.5, 3.0, 4.0, 1.0])
    assert by_matrix == by_edge
    without = compute_spectrum(graph, weights=[1.0, 0.0, 0.5, 3.0, 4.0, 1.0])
    assert without["sigma1"].value == pytest.approx(reference([[1, 0, 0], [0, 0.5, 3], [4, 0, 1]])["sigma1"], rel=1e-12)
    with pytest.raises(tg.TopographError, match="one number per edge"):
        compute_spectrum(graph, weights=[1.0])
    with pytest.raises(tg.TopographError, match="shape"):
        compute_spectrum(graph, weights=np.ones((2, 3)))


def test_threads_give_the_same_values(monkeypatch):
    from topograph.spectral import threads

    graph = tg.construct("random_edge", 500, 400, degree=20, seed=0)
    alone = compute_spectrum(graph)
    monkeypatch.setattr(threads, "_EDGES", 1)
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    together = compute_spectrum(graph)
    for name in QUANTITIES:
        assert together[name].value == pytest.approx(alone[name].value, rel=1e-11)
