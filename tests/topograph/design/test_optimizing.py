"""Bounds hold and are met by designs; the optimum is never worse than any construction; networks have equal paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topograph import BipartiteGraph, construct, design
from topograph.constructions.geometry import net, paley_design
from topograph.design.quantities import QUANTITIES
from topograph.errors import InvalidParameterError


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10_000))
@settings(max_examples=150, deadline=None)
def test_no_graph_passes_the_bound(n, m, seed):
    generator = np.random.default_rng(seed)
    mask = generator.random((n, m)) < generator.random()
    if not mask.any():
        return
    graph = BipartiteGraph.from_mask(mask)
    bound = design.expansion_bound(graph)
    spectrum = graph.spectrum()
    assert spectrum["sigma2"].value >= bound.sigma2 - 1e-9
    assert spectrum["algebraic_connectivity"].value <= bound.algebraic_connectivity + 1e-9
    assert 1 - spectrum["normalized_sigma2"].value <= bound.normalized_gap + 1e-9


@pytest.mark.parametrize("graph", [construct("ramanujan", 13, 13, degree=4), paley_design(11, False), net(6, 5)])
def test_designs_meet_the_bound(graph):
    bound = design.expansion_bound(graph)
    assert graph.spectrum()["sigma2"].value == pytest.approx(bound.sigma2)
    assert graph.algebraic_connectivity() == pytest.approx(bound.algebraic_connectivity)


@pytest.mark.parametrize("metric", list(QUANTITIES))
def test_never_worse_than_any_construction(metric):
    best = design.optimize(40, 24, degree=5, metric=metric, steps=50, seed=2)
    quantity = QUANTITIES[metric]
    assert best.graph.n_edges == 200
    assert best.value == quantity.value(best.graph)
    assert quantity.sign() * best.value >= quantity.sign() * best.candidates["value"].iloc[0]
    assert (np.diff(quantity.sign() * best.candidates["value"]) <= 0).all()
    assert {"biregular_random", "fibonacci_rotating", "random_regular"} <= set(best.candidates["construction"])
    assert quantity.sign() * best.value <= quantity.sign() * best.bound + 1e-9
    assert 0 <= best.shortfall < 1
    again = design.optimize(40, 24, degree=5, metric=metric, steps=50, seed=2)
    assert best.graph == again.graph


def test_optimize_improves_and_keeps_to_the_edges():
    best = design.optimize(60, 30, edges=250, steps=150)
    assert best.graph.n_edges == 250
    assert best.value > best.candidates["value"].iloc[0]
    assert set(best.trace["start"]) <= set(best.candidates["construction"])
    quick = design.optimize(30, 20, degree=4, seconds=0.2)
    assert quick.value >= quick.candidates["value"].iloc[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "either degree or edges"),
        ({"degree": 3, "edges": 9}, "either degree or edges"),
        ({"edges": 101}, "1 to 100"),
        ({"degree": 3, "metric": "density"}, "metric must be"),
        ({"degree": 3, "seconds": -1}, "seconds"),
    ],
)
def test_bad_arguments(arguments, says):
    with pytest.raises(InvalidParameterError, match=says):
        design.optimize(10, 10, **arguments)


@pytest.mark.parametrize(("radices", "widths"), [([2, 3, 4], None), ([3, 2], [2, 3, 1]), ([2, 2, 2], [1, 4, 2, 3])])
def test_radix_net_has_equally_many_paths_for_each_pair(radices, widths):
    topology = design.radix_net(radices, widths)
    paths = np.linalg.multi_dot([graph.to_mask(int) for graph in topology])
    assert np.unique(paths).tolist() == [np.prod((widths or [1, 1])[1:-1], dtype=int)]


def test_butterfly_net_has_one_path_for_each_pair():
    paths = np.linalg.multi_dot([graph.to_mask(int) for graph in design.butterfly_net(3, 3)])
    assert (paths == 1).all()


def test_networks_refuse():
    with pytest.raises(InvalidParameterError, match="need 3 widths"):
        design.radix_net([2, 2], [1, 1])
    with pytest.raises(InvalidParameterError, match="radix"):
        design.radix_net([1, 2])
