"""Small graphs of one shape, solved together, give what each gives alone, within intervals that hold the truth."""

import dataclasses
import pickle
from fractions import Fraction

import numpy as np
import pytest

import topograph as tg
from tests.topograph.spectral.families import reference
from topograph.spectral import QUANTITIES, compute_spectra, compute_spectrum
from topograph.spectral.estimates import EstimatesOfOne
from topograph.spectral.stacked import _shared_rows, solve_stack
from topograph.stack import GraphStack

VALUES = ["connectivity", "laplacian_max", "laplacian_second_max", "sigma1", "sigma2", "normalized_gap"]


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


@pytest.mark.parametrize("shape", [(300, 10), (10, 300), (40, 10), (12, 9), (6, 6), (3, 2), (90, 24)])
def test_together_and_alone_agree_within_their_intervals(shape):
    layers = list(_masks(np.random.default_rng(0), *shape, 40 if max(shape) < 90 else 15))
    for graph, spectrum in zip(layers, compute_spectra(layers, on_failure="nan"), strict=True):
        alone = compute_spectrum(tg.BipartiteGraph.from_mask(graph.to_mask()), on_failure="nan")
        true = reference(graph.to_mask(float))
        for name in QUANTITIES:
            ours, theirs = spectrum[name], alone[name]
            assert ours.reason == theirs.reason
            if ours.reason is None:
                assert max(ours.low, theirs.low) <= min(ours.high, theirs.high), (graph, name)
                assert ours.width <= 1e-10 * max(ours.value, 1), (graph, name)
                assert ours.value == pytest.approx(true[name], rel=1e-10, abs=1e-11), (graph, name)
                if theirs.residual == 0:
                    assert ours.residual < 1e-12


@pytest.mark.parametrize("degree", [1, 2, 3, 7])
@pytest.mark.parametrize("construction", ["random_regular", "random_edge"])
def test_masks_that_are_much_longer_than_wide_are_solved_together(construction, degree):
    layers = [tg.construct(construction, 300, 10, degree=degree, seed=seed) for seed in range(30)]
    if degree == 1 and construction == "random_regular":
        return  # forests of stars
    stack = GraphStack(layers)
    one_piece = stack.are_one_component
    assert (solve_stack(stack, VALUES)[0] | ~one_piece).mean() > 0.9


def test_intervals_hold_the_eigenvalues_of_exact_arithmetic():
    """Signs of the characteristic polynomial, in fractions, at both ends of the intervals."""
    layers = [layer for layer in _masks(np.random.default_rng(5), 40, 4, 60) if layer.is_connected]
    stack = GraphStack(layers)
    solved, values = solve_stack(stack, ["connectivity", "laplacian_max"])
    assert solved.sum() > 5
    for place in np.flatnonzero(solved).tolist():
        for name in values:
            estimate = values[name][place]
            below = [_eigenvalues_below(layers[place], Fraction(end)) for end in (estimate.low, estimate.high)]
            expected = 1 if name == "connectivity" else layers[place].n_nodes - 1
            assert below[0] <= expected < below[1], (name, estimate)


def _eigenvalues_below(graph, shift):
    """How many pivots of L − shift are negative, which is how many eigenvalues are."""
    mask = graph.to_mask(int).tolist()
    n, m = graph.shape
    rows = [[Fraction(0)] * (n + m) for _ in range(n + m)]
    for i in range(n):
        for j in range(m):
            if mask[i][j]:
                rows[i][n + j] = rows[n + j][i] = Fraction(-1)
                rows[i][i] += 1
                rows[n + j][n + j] += 1
    for i in range(n + m):
        rows[i][i] -= shift
    negative = 0
    for pivot in range(n + m):
        negative += rows[pivot][pivot] < 0
        for below in range(pivot + 1, n + m):
            factor = rows[below][pivot] / rows[pivot][pivot]
            if factor:
                rows[below] = [a - factor * b for a, b in zip(rows[below], rows[pivot], strict=True)]
    return negative


def test_nothing_of_several_pieces_is_taken_for_one():
    layers = list(_masks(np.random.default_rng(1), 300, 10, 40))
    pieces = [np.unique(graph.component_labels[: graph.n_left][graph.left_degrees > 0]).size for graph in layers]
    assert GraphStack(layers).are_one_component.tolist() == [count == 1 for count in pieces]
    assert len({*pieces}) > 1


def test_shared_rows_are_counted_by_degree():
    rng = np.random.default_rng(0)
    masks = (rng.random((5, 700, 9)) < 0.4).astype(float)
    rows = masks.sum(axis=2).astype(int)
    degrees, shared = _shared_rows(masks, rows)
    assert degrees.tolist() == sorted({*rows.ravel().tolist()} - {0})
    for graph, (mask, of_rows) in enumerate(zip(masks, rows, strict=True)):
        for place, degree in enumerate(degrees):
            chosen = mask[of_rows == degree]
            assert (shared[graph, place].reshape(9, 9) == chosen.T @ chosen).all()


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

    monkeypatch.setattr("topograph.spectral.batch.solve_stack", never)
    layers = list(_masks(np.random.default_rng(3), 30, 5, 30))
    isolated = [graph for graph in layers if not graph.left_degrees.all()]
    assert len(isolated) > 5
    for spectrum in compute_spectra(isolated, quantities=["algebraic_connectivity"]):
        assert spectrum["algebraic_connectivity"].value == 0


def test_a_spectrum_of_a_stack_travels_alone():
    layers = list(_masks(np.random.default_rng(4), 40, 6, 8))
    spectrum = next(s for s in compute_spectra(layers) if isinstance(s.estimates, EstimatesOfOne))
    travelled = pickle.loads(pickle.dumps(spectrum))
    assert type(travelled.estimates) is dict
    assert dict(travelled) == dict(spectrum)
    assert list(spectrum) == list(QUANTITIES)
