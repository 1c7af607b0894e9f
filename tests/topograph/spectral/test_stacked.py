"""Small irregular graphs, stacked for LAPACK, give to the bit what each gives alone."""

import dataclasses

import numpy as np
import pytest

import topograph as tg
from topograph.caching import cache_of
from topograph.spectral import compute_spectra, compute_spectrum
from topograph.spectral.stacked import solve_stacked


def _masks(rng, n, m, count):
    """Masks of one shape: sparse and dense ones, with and without isolated nodes, some in two pieces."""
    for _ in range(count):
        mask = rng.random((n, m)) < rng.choice([0.1, 0.3, 0.7])
        mask[rng.random(n) < rng.choice([0, 0.3])] = False
        mask[:, rng.random(m) < rng.choice([0, 0, 0.2])] = False
        if rng.random() < 0.2:
            mask[: n // 2, m // 2 :] = mask[n // 2 :, : m // 2] = False
        yield tg.BipartiteGraph.from_mask(mask)


def _parts(estimate):
    return [str(part) for part in dataclasses.astuple(estimate)]  # as texts, since NaN is not equal to itself


@pytest.mark.parametrize("shape", [(300, 10), (40, 10), (12, 9), (6, 6), (3, 2), (90, 24)])
def test_together_and_alone_are_the_same_bits(shape):
    layers = list(_masks(np.random.default_rng(0), *shape, 40))
    for graph, spectrum in zip(layers, compute_spectra(layers, on_failure="nan"), strict=True):
        if len(np.unique(graph.left_degrees)) == 1:
            continue  # regular ones are solved by their Gram matrix, whose last digits are its own
        alone = compute_spectrum(tg.BipartiteGraph.from_mask(graph.to_mask()), on_failure="nan")
        assert {name: _parts(spectrum[name]) for name in spectrum} == {name: _parts(alone[name]) for name in alone}


def test_a_stack_solves_what_it_should():
    layers = list(_masks(np.random.default_rng(1), 300, 10, 40))
    solved = dict(solve_stacked(layers, ["sigma1", "normalized_gap"], 200))
    assert len(solved) > 20
    assert all(list(values) == ["sigma1", "normalized_gap"] for values in solved.values())
    pieces = [np.unique(graph.component_labels[: graph.n_left][graph.left_degrees > 0]).size for graph in layers]
    assert not {place for place, count in enumerate(pieces) if count != 1} & set(solved)


def test_the_components_that_a_stack_keeps_are_those_of_a_search():
    layers = list(_masks(np.random.default_rng(2), 20, 6, 60))
    compute_spectra(layers, on_failure="nan")
    kept = [graph for graph in layers if graph.has_component_labels and "spectrum" not in cache_of(graph)]
    assert len(kept) > 20
    for graph in kept:
        searched = tg.BipartiteGraph.from_mask(graph.to_mask())
        assert graph.component_labels.tolist() == searched.component_labels.tolist()


def test_a_value_that_lapack_cannot_resolve_is_left_to_the_inverse_solver():
    chain = np.eye(20, 20, dtype=bool) | np.eye(20, 20, 1, dtype=bool)  # a path: its λ2 is smallest of all
    hairy = np.vstack([chain, np.eye(1, 20, dtype=bool).repeat(60, axis=0)])
    graphs = [tg.BipartiteGraph.from_mask(hairy), tg.BipartiteGraph.from_mask(hairy[::-1])]
    tight = compute_spectra(graphs, quantities=["algebraic_connectivity"], tolerance=1e-12)
    alone = [compute_spectrum(g, quantities=["algebraic_connectivity"], tolerance=1e-12) for g in graphs]
    assert [s["algebraic_connectivity"].method for s in tight] == ["inverse"] * 2
    assert [_parts(s["algebraic_connectivity"]) for s in tight] == [_parts(s["algebraic_connectivity"]) for s in alone]


def test_components_alone_cost_no_eigenvalues(monkeypatch):
    def never(*_):
        raise AssertionError("eigenvalues were computed")

    monkeypatch.setattr("topograph.spectral.batch.solve_stacked", never)
    layers = list(_masks(np.random.default_rng(3), 30, 5, 30))
    isolated = [graph for graph in layers if not graph.left_degrees.all()]
    assert len(isolated) > 5
    for spectrum in compute_spectra(isolated, quantities=["algebraic_connectivity"]):
        assert spectrum["algebraic_connectivity"].value == 0
