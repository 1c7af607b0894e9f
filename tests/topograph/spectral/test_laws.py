"""What must hold for every graph, whoever computes it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import topograph as tg
from topograph.spectral import QUANTITIES, compute_spectrum

masks = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda shape: arrays(bool, shape))
methods = st.sampled_from(["auto", "dense"])
fast = settings(max_examples=60, deadline=None)


def spectrum(mask, method="auto"):
    return compute_spectrum(tg.BipartiteGraph.from_mask(mask), method=method, on_failure="nan")


def close(a, b):
    return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-9, abs=1e-10)


@fast
@given(masks, methods)
def test_transpose_changes_nothing(mask, method):
    here, there = spectrum(mask, method), spectrum(mask.T, method)
    for name in QUANTITIES:
        if not name.startswith("giant"):  # ties between components are broken by the side
            assert close(here[name].value, there[name].value), name


@fast
@given(masks, st.randoms(use_true_random=False))
def test_the_order_of_nodes_changes_nothing(mask, random):
    rows, columns = list(range(mask.shape[0])), list(range(mask.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    here, there = spectrum(mask), spectrum(mask[rows][:, columns])
    for name in QUANTITIES:
        if not name.startswith("giant"):
            assert close(here[name].value, there[name].value), name


@fast
@given(masks, masks)
def test_union_of_two_graphs(first, second):
    both = np.zeros(np.add(first.shape, second.shape), dtype=bool)
    both[: first.shape[0], : first.shape[1]] = first
    both[first.shape[0] :, first.shape[1] :] = second
    a, b, union = spectrum(first), spectrum(second), spectrum(both)
    assert union["algebraic_connectivity"].value == 0.0
    assert close(union["sigma1"].value, max(a["sigma1"].value, b["sigma1"].value))
    sigmas = sorted([a["sigma1"].value, a["sigma2"].value, b["sigma1"].value, b["sigma2"].value])
    assert close(union["sigma2"].value, sigmas[-2])
    gaps = [s["laplacian_gap"].value for s in (a, b) if not math.isnan(s["laplacian_gap"].value)]
    assert close(union["laplacian_gap"].value, min(gaps, default=math.nan))
    if first.any() and second.any():
        assert union["normalized_gap"].value == 0.0


@fast
@given(masks, st.data())
def test_another_edge_never_lowers_the_connectivity(mask, data):
    i, j = data.draw(st.integers(0, mask.shape[0] - 1)), data.draw(st.integers(0, mask.shape[1] - 1))
    more = mask.copy()
    more[i, j] = True
    before, after = spectrum(mask), spectrum(more)
    for name in ("algebraic_connectivity", "sigma1"):
        assert after[name].value >= before[name].value - 1e-10
    if mask.any():
        assert after["laplacian_max"].value >= before["laplacian_max"].value - 1e-10
    # interlacing: one edge moves an eigenvalue at most to the next, and by at most 2
    assert after["algebraic_connectivity"].value <= before["algebraic_connectivity"].value + 2 + 1e-10


@fast
@given(masks, methods)
def test_bounds(mask, method):
    graph = tg.BipartiteGraph.from_mask(mask)
    found = spectrum(mask, method)
    d_left, d_right = graph.left_degrees.max(), graph.right_degrees.max()
    assert found["sigma1"].value ** 2 <= d_left * d_right + 1e-9
    assert 0 <= found["sigma2"].value <= found["sigma1"].value + 1e-12
    if graph.n_edges:
        assert max(d_left, d_right) + 1 <= found["laplacian_max"].value + 1e-9
        assert found["laplacian_max"].value <= d_left + d_right + 1e-9
        assert -1e-12 <= found["normalized_gap"].value <= 1 + 1e-12
        assert (
            found["algebraic_connectivity"].value
            <= min(2 if graph.n_nodes == 2 else math.inf, graph.n_nodes / (graph.n_nodes - 1) * _least_degree(graph))
            + 1e-9
        )
    assert (found["algebraic_connectivity"].value > 0) == graph.is_connected


@fast
@given(masks)
def test_leaving_out_an_output_interlaces_the_singular_values(mask):
    if mask.shape[1] > 1:
        whole, part = spectrum(mask), spectrum(mask[:, 1:])
        assert part["sigma1"].value <= whole["sigma1"].value + 1e-10
        assert whole["sigma2"].value <= part["sigma1"].value + 1e-10
        assert part["sigma2"].value <= whole["sigma2"].value + 1e-10


@fast
@given(masks, st.integers(2, 4))
def test_every_interval_holds_its_value(mask, factor):
    found = spectrum(mask)
    scaled = compute_spectrum(tg.BipartiteGraph.from_mask(mask), weights=factor * mask.astype(float), on_failure="nan")
    for name in QUANTITIES:
        estimate = found[name]
        if math.isnan(estimate.value):
            assert estimate.reason
        else:
            assert estimate.low <= estimate.value <= estimate.high
            if not estimate.is_failure and "normalized" not in name:
                assert close(scaled[name].value, factor * estimate.value), name


def _least_degree(graph):
    return min(graph.left_degrees.min(), graph.right_degrees.min())
