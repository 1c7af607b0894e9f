"""Degrees against networkx, NumPy and SciPy."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import topograph as tg
from topograph.metrics import get_metric


@pytest.mark.parametrize("side", ["left", "right"])
def test_spread_by_definition(graph, compute, side):
    degrees = graph.left_degrees if side == "left" else graph.right_degrees
    pairs = [abs(int(a) - int(b)) for a, b in itertools.product(degrees, degrees)]
    expected = {
        "degree_min": degrees.min(),
        "degree_mean": degrees.mean(),
        "degree_max": degrees.max(),
        "degree_std": degrees.std(),
        "degree_cv": scipy.stats.variation(degrees),
        "degree_gini": sum(pairs) / (2 * len(degrees) ** 2 * degrees.mean()),
        "degree_entropy": scipy.stats.entropy(np.bincount(degrees)),
        "regularity": scipy.stats.mode(degrees).count / len(degrees),
    }
    for name, value in expected.items():
        assert compute(f"{side}_{name}", graph).value == pytest.approx(value, abs=1e-12), name


def test_assortativity_against_networkx(graph, compute):
    found = compute("degree_assortativity", graph)
    if found.reason is None:
        expected = nx.degree_pearson_correlation_coefficient(graph.to_networkx())
        assert found.value == pytest.approx(expected, abs=1e-9)
    else:
        ends = np.concatenate(
            [graph.left_degrees[graph.left_degrees > 0], graph.right_degrees[graph.right_degrees > 0]]
        )
        assert len(set(ends.tolist())) == 1


def test_correlation_against_numpy(graph, compute):
    edges = graph.edges()
    left, right = graph.left_degrees[edges[:, 0]], graph.right_degrees[edges[:, 1]]
    found = compute("degree_correlation", graph)
    if found.reason is None:
        assert found.value == pytest.approx(np.corrcoef(left, right)[0, 1], abs=1e-9)
    else:
        assert len(set(left.tolist())) == 1 or len(set(right.tolist())) == 1


@given(st.lists(st.integers(0, 12), min_size=1, max_size=30))
def test_laws_of_the_spread(degrees):
    mask = np.arange(12) < np.array(degrees)[:, None]
    value = {
        name: get_metric(f"left_{name}").compute(tg.BipartiteGraph.from_mask(mask)).value
        for name in ("degree_cv", "degree_gini", "degree_entropy", "regularity", "degree_std")
    }
    regular = len(set(degrees)) == 1
    assert (value["regularity"] == 1) == regular
    assert (value["degree_entropy"] == 0) == regular
    assert (value["degree_std"] == 0) == regular
    if any(degrees):
        assert (value["degree_gini"] == 0) == regular
        assert 0 <= value["degree_gini"] <= 1 - 1 / len(degrees) + 1e-12
        assert value["degree_cv"] <= math.sqrt(len(degrees) - 1) + 1e-9  # one node has all connections


def test_degrees_do_not_depend_on_numbering(graph, compute):
    random = np.random.default_rng(0)
    shuffled = tg.BipartiteGraph.from_mask(
        graph.to_mask()[random.permutation(graph.n_left)][:, random.permutation(graph.n_right)]
    )
    for metric in tg.metrics.registry.select_metrics("degrees"):
        one, other = metric.compute(graph), metric.compute(shuffled)
        assert one.value == pytest.approx(other.value, nan_ok=True)
        assert (one.reason is None) == (other.reason is None)
