"""Distances of two masks against sets, brute force over matchings, and laws."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis.extra import numpy as npst

import topograph as tg
from topograph.errors import InvalidMaskError, TopologyMismatchError, UnknownNameError
from topograph.metrics.matching import match_outputs

NAMES = list(tg.metrics.describe_comparisons().index)


def masks(density, shape, count=2, seed=0):
    random = np.random.default_rng(seed)
    return [random.random(shape) < density for _ in range(count)]


def difference(a, b):
    """As published: edits over the union, 0 for two empty sets."""
    a, b = set(np.flatnonzero(a)), set(np.flatnonzero(b))
    return len(a ^ b) / len(a | b) if a | b else 0.0


@pytest.mark.parametrize("seed", range(4))
def test_by_definition(seed):
    first, second = masks(0.4, (7, 5), seed=seed)
    row = tg.compare_masks(first, second, "all").loc["graph"]
    one, other = set(zip(*np.nonzero(first), strict=True)), set(zip(*np.nonzero(second), strict=True))
    assert row["overlap"] == pytest.approx(len(one & other) / min(len(one), len(other)))
    assert row["jaccard"] == pytest.approx(len(one & other) / len(one | other))
    assert row["hamming"] == pytest.approx(len(one ^ other) / 35)
    assert row["density_distance"] == pytest.approx(abs(first.mean() - second.mean()))
    moved = [
        scipy.stats.wasserstein_distance(first.sum(axis=axis), second.sum(axis=axis)) / first.shape[axis]
        for axis in (0, 1)
    ]
    assert row["degree_distance"] == pytest.approx(np.mean(moved))
    costs = [[difference(a, b) for b in second.T] for a in first.T]
    best = min(np.mean([costs[j][p] for j, p in enumerate(order)]) for order in itertools.permutations(range(5)))
    assert row["nnstd"] == pytest.approx(best, abs=1e-6)
    assert row["nnstd_greedy"] >= best - 1e-6
    scaled = []
    for mask in (first, second):
        with np.errstate(divide="ignore", invalid="ignore"):
            b = np.nan_to_num(mask / np.sqrt(np.outer(mask.sum(axis=1), mask.sum(axis=0))))
        scaled.append(np.linalg.svd(b, compute_uv=False))
    assert row["spectral_distance"] == pytest.approx(np.sqrt(np.mean((scaled[0] - scaled[1]) ** 2)))


def test_greedy_brackets_the_exact_distance():
    for seed in range(6):
        first, second = masks(0.15, (60, 40), seed=seed)
        table = tg.compare_masks(first, second, ["nnstd", "nnstd_greedy"], long=True).set_index("metric")
        exact, greedy = table.loc["nnstd"], table.loc["nnstd_greedy"]
        assert exact["residual"] == 0
        assert greedy["value"] - greedy["residual"] - 1e-6 <= exact["value"] <= greedy["value"] + 1e-6


def test_an_exact_distance_is_exact():
    first, second = (tg.BipartiteGraph.from_mask(mask) for mask in ([[1], [1], [0]], [[1], [1], [1]]))
    matching = match_outputs(first, second)
    assert matching.distance == matching.least == pytest.approx(1 / 3, rel=1e-15)


def test_renumbered_neurons_are_recognised():
    """NNSTD and the spectrum are blind to the order of hidden neurons, layer after layer; edges are not."""
    random = np.random.default_rng(0)
    first = tg.Topology.build("random_regular", [30, 20, 15, 6], [6, 5, 3], seed=1)
    orders = [np.arange(30), random.permutation(20), random.permutation(15), np.arange(6)]
    second = tg.Topology(graph.to_mask()[orders[layer]][:, orders[layer + 1]] for layer, graph in enumerate(first))
    row = tg.compare_masks(first, second, "all").loc["network"]
    assert row["nnstd"] == 0
    assert row["nnstd_greedy"] == 0
    assert row["spectral_distance"] == pytest.approx(0, abs=1e-12)
    assert row["degree_distance"] == 0
    assert row["jaccard"] < 0.6
    assert list(tg.compare_masks(first, second).index) == ["l1", "l2", "l3", "network"]


@given(npst.arrays(bool, (2, 4, 3)))
@settings(max_examples=50)
def test_laws(pair):
    first, second = pair
    there, back = (tg.compare_masks(a, b, "all", long=True) for a, b in ((first, second), (second, first)))
    for one, other in zip(there.itertuples(), back.itertuples(), strict=True):
        if one.metric != "nnstd_greedy":
            assert one.value == pytest.approx(other.value, nan_ok=True, abs=1e-9)
        if math.isnan(one.value):
            assert one.reason
        else:
            assert -1e-9 <= one.value <= 1 + 1e-9
    same = tg.compare_masks(first, first, "all").iloc[0]
    for name in NAMES:
        if name in ("overlap", "jaccard"):
            assert same[name] == 1 or not first.any()
        else:
            assert same[name] == pytest.approx(0, abs=1e-6)


def test_layers_are_paired_by_name():
    first, second = masks(0.5, (4, 3))
    models = {"a": first, "b": first}, {"b": first, "a": second}
    table = tg.compare_masks(*models, ["jaccard"])
    assert table.loc["b", "jaccard"] == 1
    assert table.loc["a", "jaccard"] < 1
    assert tg.compare_masks({"x": first}, {"y": first}, "jaccard").loc["x", "jaccard"] == 1
    with pytest.raises(TopologyMismatchError, match="no layer in common"):
        tg.compare_masks({"a": first, "b": first}, {"c": first, "d": first})
    with pytest.raises(InvalidMaskError, match="in one source only, first 'c'"):
        tg.compare_masks({"a": first, "b": first}, {"a": first, "b": first, "c": first})
    with pytest.raises(TopologyMismatchError, match="shape"):
        tg.compare_masks(first, first.T)
    with pytest.raises(UnknownNameError, match="did you mean 'jaccard'"):
        tg.compare_masks(first, second, "jacard")


def test_from_files(tmp_path):
    first, second = masks(0.5, (4, 3))
    np.save(tmp_path / "one.npy", first)
    np.save(tmp_path / "two.npy", second)
    table = tg.compare_masks(tmp_path / "one.npy", tmp_path / "two.npy", "hamming")
    assert table["hamming"].iloc[0] == pytest.approx((first != second).mean())


def test_undefined_with_a_reason():
    empty = np.zeros((3, 2))
    table = tg.compare_masks(empty, empty, "all")
    assert table["nnstd"].iloc[0] == 0
    assert "neither mask has an edge" in table["reason"].iloc[0]
    with pytest.raises(TopologyMismatchError, match="one shape"):
        match_outputs(tg.BipartiteGraph.from_mask(empty), tg.BipartiteGraph.from_mask(empty.T))
