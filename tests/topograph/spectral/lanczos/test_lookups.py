"""Products by tables of partial sums are the products, and the spectra that they give those of LAPACK."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import topograph as tg
from topograph.spectral import compute_spectrum
from topograph.spectral import pattern as patterns
from topograph.spectral.index_arrays import is_soon_connected
from topograph.spectral.lanczos import kernels
from topograph.spectral.lanczos.lookups import look_up_several
from topograph.spectral.lanczos.table import WORD, space_for
from topograph.spectral.pattern import Pattern


def _graph(n, m, density, seed=0):
    return tg.BipartiteGraph.from_mask(np.random.default_rng(seed).random((n, m)) < density)


def _products(codes, vectors, rows, parts):
    """Of ``vectors``, entries × width, row by row in parts."""
    entries, width = vectors.shape
    source = np.full((-(-entries // WORD) * WORD, width), np.nan)  # what lies past the end is never added
    source[:entries] = vectors
    totals = np.full((width, rows), np.nan)
    for lo, hi in parts:
        space = np.full(space_for(width, hi - lo), np.nan)
        where = space.ctypes.data
        look_up_several(codes, source.ctypes.data, totals.ctypes.data, 8 * rows, width, lo, hi, where)
    return totals.T


@given(
    n=st.integers(1, 150), m=st.integers(1, 150), width=st.sampled_from([2, 4, 8]), density=st.floats(0, 1),
    cut=st.floats(0, 1), seed=st.integers(0, 99),
)  # fmt: skip
def test_a_product_is_that_of_the_dense_matrix(n, m, width, density, cut, seed):
    graph = _graph(n, m, density, seed)
    dense, codes = graph.to_mask(float), Pattern.of(graph).codes
    random = np.random.default_rng(seed)
    for matrix, code in ((dense, codes[0]), (dense.T, codes[1])):
        rows, entries = matrix.shape
        vectors, middle = random.standard_normal((entries, width)), round(cut * rows)
        parts = [(lo, hi) for lo, hi in ((0, middle), (middle, rows)) if lo < hi]
        np.testing.assert_allclose(_products(code, vectors, rows, parts), matrix @ vectors, rtol=1e-12, atol=1e-12)


def test_parts_give_the_same_bits_as_the_whole():
    codes = Pattern.of(_graph(97, 130, 0.5)).codes[0]
    vectors = np.random.default_rng(1).standard_normal((130, 4))
    whole = _products(codes, vectors, 97, [(0, 97)])
    assert np.array_equal(_products(codes, vectors, 97, [(0, 13), (13, 60), (60, 97)]), whole)


@pytest.fixture
def small_ones_too(monkeypatch):
    monkeypatch.setattr(patterns, "_NARROW_FROM", 1)
    monkeypatch.setattr(patterns, "_WIDE", 1)


@pytest.mark.parametrize(("n", "m", "density"), [(300, 170, 0.5), (170, 300, 0.2), (260, 250, 0.9)])
def test_spectra_of_half_dense_patterns_are_those_of_lapack(small_ones_too, monkeypatch, n, m, density):
    found_by, find = [], kernels.KERNELS.find
    monkeypatch.setattr(kernels.KERNELS, "find", lambda name: found_by.append(name) or find(name))
    graph = _graph(n, m, density)
    dense = graph.to_mask(float)
    laplacian = np.block([[np.diag(dense.sum(1)), -dense], [-dense.T, np.diag(dense.sum(0))]])
    found = compute_spectrum(graph, method="lanczos")
    assert "advance_by_codes" in found_by
    singular = np.linalg.svd(dense, compute_uv=False)
    assert found["algebraic_connectivity"].value == pytest.approx(np.linalg.eigvalsh(laplacian)[1], rel=1e-7)
    assert found["sigma1"].value == pytest.approx(singular[0], rel=1e-7)
    assert found["sigma2"].value == pytest.approx(singular[1], rel=1e-7)


def test_a_large_half_dense_pattern_is_one_and_a_sparse_or_weighted_one_is_not():
    graph = _graph(1100, 1300, 0.75)
    assert Pattern.of(graph).is_half_dense
    assert not Pattern.of(graph, np.ones(graph.n_edges)).is_half_dense
    assert not Pattern.of(_graph(3000, 4000, 0.1)).is_half_dense
    assert not Pattern.of(_graph(40, 40, 0.5)).is_half_dense


@pytest.mark.parametrize("join", [True, False])
def test_two_blocks_are_connected_where_an_edge_joins_them(small_ones_too, join):
    mask = np.zeros((130, 150), bool)
    mask[:70, :90], mask[70:, 90:] = True, True
    mask[3, 100] = join
    for side in (mask, mask.T):
        pattern = Pattern.of(tg.BipartiteGraph.from_mask(side))
        assert pattern.is_half_dense
        assert pattern.is_connected is join


def test_a_long_path_beside_a_dense_block_is_connected(small_ones_too):
    """From its end, it takes more steps than are taken over bits."""
    mask = np.zeros((120, 120), bool)
    mask[:100, :100] = True
    for k in range(99, 119):
        mask[k, k + 1] = mask[k + 1, k + 1] = True
    pattern = Pattern.of(tg.BipartiteGraph.from_mask(mask))
    assert pattern.is_half_dense
    assert not is_soon_connected(pattern.codes[0][:, ::-1])
    assert pattern.is_connected


def test_degrees_are_counted_from_bits(small_ones_too):
    graph = _graph(90, 130, 0.4)
    pattern = Pattern.of(graph)
    assert pattern.is_half_dense
    assert pattern.left.tolist() == graph.left_degrees.tolist() == pattern.transposed.right.tolist()
    assert pattern.right.tolist() == graph.right_degrees.tolist() == pattern.transposed.left.tolist()
    assert pattern.col_indptr.dtype == pattern.indptr.dtype
    assert np.array_equal(pattern.col_indptr, pattern.by_columns.indptr)
