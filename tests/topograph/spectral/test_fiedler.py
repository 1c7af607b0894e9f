"""The eigenvector behind λ2 against LAPACK, and its refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import topograph as tg
from topograph.errors import ConvergenceError
from topograph.spectral.component import Component
from topograph.spectral.fiedler import fiedler_vector


def laplacian(graph: tg.BipartiteGraph, weights: np.ndarray | None, normalized: bool) -> np.ndarray:
    n, total = graph.n_left, graph.n_nodes
    matrix = np.zeros((total, total))
    left, right = graph.edges().T
    matrix[left, n + right] = matrix[n + right, left] = 1.0 if weights is None else weights
    degrees = matrix.sum(axis=0)
    result = np.diag(degrees) - matrix
    return result / np.sqrt(np.outer(degrees, degrees)) if normalized else result


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("spread", [None, 1, 6])
@pytest.mark.parametrize("sides", [(250, 150), (100, 330), (60, 50)])
def test_the_vector_is_that_of_lapack_for_any_weights(sides, spread, normalized):
    graph = tg.construct("random_regular", *sides, degree=30, seed=1)
    assert graph.is_connected
    rng = np.random.default_rng(0)
    weights = None if spread is None else 10 ** rng.uniform(-spread / 2, spread / 2, graph.n_edges)
    vector = fiedler_vector(Component(graph, weights), normalized=normalized)
    values, vectors = scipy.linalg.eigh(laplacian(graph, weights, normalized), subset_by_index=[1, 2])
    assert values[1] > values[0] * (1 + 1e-6)
    assert abs(vector @ vectors[:, 0]) == pytest.approx(1, abs=1e-6)


def test_two_blocks_joined_by_one_edge_are_told_apart():
    block = np.ones((120, 100), dtype=bool)
    mask = np.block([[block, 0 * block], [0 * block, block]])
    mask[0, 150] = True
    graph = tg.BipartiteGraph.from_mask(mask)
    for normalized in (False, True):
        vector = fiedler_vector(Component(graph), normalized=normalized)
        first = np.r_[0:120, 240:340]
        assert len({*np.sign(vector[first])}) == 1
        assert len({*np.sign(np.delete(vector, first))}) == 1


def test_a_vector_that_is_not_reached_is_refused(monkeypatch):
    from topograph.spectral import fiedler

    monkeypatch.setattr(fiedler, "_FIRST_TRY", 3)
    monkeypatch.setattr(fiedler, "_PATIENCE", 5)
    monkeypatch.setattr(fiedler, "_SOLVES", 1)
    graph = tg.construct("erdos_renyi", 300, 200, density=0.05, seed=0)
    with pytest.raises(ConvergenceError, match="relative residual"):
        fiedler_vector(Component(graph.giant_component()))
