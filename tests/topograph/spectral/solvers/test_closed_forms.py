"""Complete graphs, stars and rotating masks, recognised from the mask itself."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

import topograph as tg
from tests.topograph.spectral.families import reference
from topograph.spectral import QUANTITIES, compute_spectrum
from topograph.spectral.pattern import Pattern
from topograph.spectral.solvers.rotating import likely_gap, recognise_rotation


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 2), (2, 1), (1, 7), (2, 2), (2, 5), (6, 6), (9, 4)])
def test_complete(a, b):
    spectrum = tg.BipartiteGraph.from_mask(np.ones((a, b))).spectrum()
    true = reference(np.ones((a, b)))
    for name in QUANTITIES:
        assert spectrum[name].method in ("closed_form", "undefined")
        assert spectrum[name].value == pytest.approx(true[name], rel=1e-12, abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("m", [2, 3, 4, 9, 12, 25])
@pytest.mark.parametrize("flip", [False, True])
def test_rotating_against_lapack(m, turns, flip):
    rng = np.random.default_rng(m)
    for k in range(1, m):
        base = rng.permutation(m) < k
        mask = np.stack([np.roll(base, i) for i in range(m * turns)])
        graph = tg.BipartiteGraph.from_mask(mask.T if flip else mask)
        true = reference(mask)
        assert recognise_rotation(graph) is not None
        spectrum = graph.spectrum()
        for name in QUANTITIES:
            assert spectrum[name].value == pytest.approx(true[name], rel=1e-9, abs=1e-11, nan_ok=True), (name, k)


def test_a_rotation_is_recognised_only_when_it_is_one():
    mask = tg.construct("random_rotating", 120, 60, degree=7, seed=0).to_mask()
    assert recognise_rotation(tg.BipartiteGraph.from_mask(mask)) is not None
    assert recognise_rotation(tg.BipartiteGraph.from_mask(mask[:-1])) is None  # m does not divide n
    assert recognise_rotation(tg.BipartiteGraph.from_mask(mask[::-1])) is None
    other = mask.copy()
    i = 80
    other[i] = np.roll(other[i], 1)
    assert recognise_rotation(tg.BipartiteGraph.from_mask(other)) is None
    other = mask.copy()
    other[i, np.flatnonzero(other[i])[0]] = False
    assert recognise_rotation(tg.BipartiteGraph.from_mask(other)) is None


def test_a_tiny_gap_has_no_cancellation():
    """A band of k = 2 is a cycle of 2m nodes: λ2 = 4 sin²(π / (2m)), however small."""
    m = 200_000
    graph = tg.construct("regular_rotating", m, m, degree=2, seed=0)
    found = graph.spectrum()
    assert found["algebraic_connectivity"].method == "closed_form"
    assert found["algebraic_connectivity"].value == pytest.approx(4 * math.sin(math.pi / (2 * m)) ** 2, rel=1e-13)
    assert found["normalized_gap"].value == pytest.approx(2 * math.sin(math.pi / (2 * m)) ** 2, rel=1e-13)
    assert found["adjacency_gap"].value == pytest.approx(4 * math.sin(math.pi / (2 * m)) ** 2, rel=1e-13)


def test_thousands_of_complete_pieces_are_one_pass():
    graph = tg.BipartiteGraph.from_mask(sp.eye_array(20_000, format="csr"))
    spectrum = compute_spectrum(graph)
    assert [spectrum[name].value for name in ("laplacian_gap", "laplacian_max", "sigma2")] == [2.0, 2.0, 1.0]


def test_a_rotation_gives_away_about_where_its_gap_is():
    """Exactly where the turns are whole; otherwise near; and a mask that only begins like one is not led astray."""
    for n, m, k in ((120, 60, 7), (784, 300, 15)):
        graph = tg.construct("regular_rotating", n, m, degree=k, seed=0)
        true = reference(graph.to_mask(float))["algebraic_connectivity"]
        assert likely_gap(Pattern.of(graph)) == pytest.approx(true, rel=1e-9 if n % m == 0 else 0.2)
    random = tg.construct("random_regular", 784, 300, degree=15, seed=0)
    assert likely_gap(Pattern.of(random)) is None
    rows = random.to_mask()
    rows[:4] = graph.to_mask()[:4]
    misleading = tg.BipartiteGraph.from_mask(rows)
    assert likely_gap(Pattern.of(misleading)) is not None
    found = misleading.spectrum(quantities=["algebraic_connectivity"])["algebraic_connectivity"]
    true = reference(rows.astype(float))["algebraic_connectivity"]
    assert found.low <= true * (1 + 1e-11)
    assert found.high >= true * (1 - 1e-11)
    assert found.value == pytest.approx(true, rel=1e-8)
