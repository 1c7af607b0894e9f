"""Every spectral quantity against dense LAPACK on the whole matrix, and against networkx where it terminates."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import topograph as tg
from tests.toys import TOYS
from topograph import BipartiteGraph
from topograph.errors import InvalidParameterError, UnknownNameError
from topograph.spectral import QUANTITIES, compute_spectrum

MASKS = npst.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def reference(mask: np.ndarray) -> dict[str, float]:
    """The definitions of the convention table, by dense linear algebra alone."""
    n, m = mask.shape
    mask = mask.astype(float)
    adjacency = np.block([[np.zeros((n, n)), mask], [mask.T, np.zeros((m, m))]])
    graph = nx.from_numpy_array(adjacency)
    laplacian = np.diag(adjacency.sum(axis=0)) - adjacency
    values = np.linalg.eigvalsh(laplacian)
    components = nx.number_connected_components(graph)
    sigmas = np.append(np.linalg.svd(mask, compute_uv=False), 0.0)
    result = {
        "algebraic_connectivity": values[1] if components == 1 else 0.0,
        "sigma1": sigmas[0],
        "sigma2": sigmas[1],
        "adjacency_gap": sigmas[0] - sigmas[1],
    }
    if not mask.any():
        return result | dict.fromkeys(set(QUANTITIES) - set(result), np.nan)
    kept = mask[mask.any(axis=1)][:, mask.any(axis=0)]
    normalized = np.append(np.linalg.svd(kept / np.sqrt(np.outer(kept.sum(1), kept.sum(0))), compute_uv=False), 0.0)
    giant = max(nx.connected_components(graph), key=lambda nodes: graph.subgraph(nodes).number_of_edges())
    giants = [
        np.linalg.eigvalsh(laplacian[np.ix_(nodes, nodes)])[1]
        for nodes in map(sorted, nx.connected_components(graph))
        if graph.subgraph(nodes).number_of_edges() == graph.subgraph(giant).number_of_edges()
    ]
    return result | {
        "laplacian_gap": values[components],
        "giant_connectivity": giants[0] if len(giants) == 1 else np.nan,  # a tie: either is right
        "laplacian_max": values[-1],
        "laplacian_second_max": values[-2] if n + m - components > 1 else np.nan,
        "normalized_sigma2": normalized[1],
        "normalized_gap": 1 - normalized[1],
    }


def check(graph: BipartiteGraph, relative: float = 1e-9, **options) -> None:
    spectrum = compute_spectrum(graph, **options)
    for name, expected in reference(graph.to_mask()).items():
        found = spectrum[name]
        if np.isnan(expected):
            assert name.startswith("giant") or (np.isnan(found.value) and found.reason)
        else:
            assert found.value == pytest.approx(expected, rel=relative, abs=1e-12), name
            assert found.reason is None
            assert found.residual >= 0


@given(MASKS)
@settings(max_examples=150)
def test_any_small_mask(mask):
    check(BipartiteGraph.from_mask(mask))


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_toys(toy):
    check(toy.graph)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("density", [0.004, 0.02, 0.3])
def test_larger_masks_by_both_methods(seed, density):
    graph = tg.construct("random_edge", 90, 60, density=density, seed=seed)
    check(graph)
    check(graph, method="dense")


def test_disconnected_means_exactly_zero():
    two = np.kron(np.eye(2), tg.construct("random_regular", 40, 30, degree=5).to_mask())
    spectrum = compute_spectrum(BipartiteGraph.from_mask(two))
    assert spectrum["algebraic_connectivity"].value == 0.0
    assert spectrum["algebraic_connectivity"].residual == 0.0
    assert spectrum["normalized_sigma2"].value == 1.0
    assert tg.construct("random_edge", 200, 500, density=0.01, seed=0).algebraic_connectivity() == 0.0


def test_networkx_agrees_where_it_terminates():
    graph = tg.construct("random_regular", 60, 40, degree=6, seed=0)
    expected = nx.algebraic_connectivity(graph.to_networkx(), method="tracemin_lu", seed=0, tol=1e-12)
    assert graph.algebraic_connectivity() == pytest.approx(expected, rel=1e-7)


def test_bad_options_are_refused_in_words():
    graph = BipartiteGraph.from_mask([[1]])
    with pytest.raises(InvalidParameterError, match="method"):
        compute_spectrum(graph, method="magic")
    with pytest.raises(InvalidParameterError, match="on_failure"):
        graph.spectrum(on_failure="ignore")
    with pytest.raises(InvalidParameterError, match="tolerance"):
        compute_spectrum(graph, tolerance=0)
    with pytest.raises(UnknownNameError, match="algebraic_connectivity"):
        compute_spectrum(graph)["gap"]
