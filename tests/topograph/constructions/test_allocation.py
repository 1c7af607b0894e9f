"""Network-wide allocation: exact to the edge, in the proportions it names."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topograph import Topology
from topograph.constructions import ALLOCATIONS, allocate_edges
from topograph.errors import InvalidParameterError

SIZES = [784, 300, 100, 10]
PAIRS = [(784, 300), (300, 100), (100, 10)]


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.sampled_from(sorted(ALLOCATIONS)), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_every_share_is_feasible_and_the_sum_exact(sizes, allocation, where):
    pairs = list(itertools.pairwise(sizes))
    total = sum(n * m for n, m in pairs)
    edges = round(len(pairs) + where * (total - len(pairs)))
    counts = allocate_edges(pairs, edges, allocation)
    assert sum(counts) == edges
    assert all(1 <= count <= n * m for count, (n, m) in zip(counts, pairs, strict=True))


@pytest.mark.parametrize(
    ("allocation", "weights"),
    [
        ("uniform", [784 * 300, 300 * 100, 1000]),
        ("er", [1084, 400, 110]),
        ("erk", [1084, 400, 110]),
        ("balanced", [1, 1, 1]),
        ("degree", [784, 300, 100]),
    ],
)
def test_proportions(allocation, weights):
    counts = np.array(allocate_edges(PAIRS, 2500, allocation))
    assert np.abs(counts - 2500 * np.array(weights) / sum(weights)).max() < 1


def test_full_layers_pass_on_what_they_cannot_hold():
    counts = allocate_edges(PAIRS, 30_000, "balanced")
    assert counts == [14_500, 14_500, 1_000]


def test_erk_counts_kernels():
    counts = allocate_edges([(27, 16), (144, 32), (512, 10)], 1000, "erk", kernels=[(3, 3), (3, 3), None])
    weights = np.array([3 + 16 + 6, 16 + 32 + 6, 522])
    assert np.abs(np.array(counts) - 1000 * weights / weights.sum()).max() < 1


@pytest.mark.parametrize("construction", ["random_regular", "fibonacci_rotating", "erdos_renyi", "biregular_random"])
@pytest.mark.parametrize("allocation", sorted(ALLOCATIONS))
def test_networks_are_exact_to_the_edge(construction, allocation):
    topology = Topology.build(construction, SIZES, edges=12_345, allocation=allocation, seed=1)
    assert topology.n_edges == 12_345
    assert [graph.n_edges for graph in topology] == allocate_edges(PAIRS, 12_345, allocation)
    assert Topology.build(construction, SIZES, density=0.05, allocation=allocation).n_edges == round(0.05 * 266_200)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"edges": 2}, "from 3 to 266200"),
        ({"edges": 300_000}, "from 3 to 266200"),
        ({"density": 1.2}, "density"),
        ({"edges": 1000, "allocation": "fair"}, "uniform, er, erk, balanced, degree"),
        ({"edges": 1000, "degrees": 3}, "one of"),
    ],
)
def test_bad_arguments(arguments, says):
    with pytest.raises(InvalidParameterError, match=says):
        Topology.build("erdos_renyi", SIZES, **arguments)


def test_bad_kernels():
    with pytest.raises(InvalidParameterError, match="divide"):
        allocate_edges([(28, 16)], 10, "erk", kernels=[(3, 3)])
    with pytest.raises(InvalidParameterError, match="kernels has 2"):
        allocate_edges([(27, 16)], 10, "erk", kernels=[(3, 3), None])
