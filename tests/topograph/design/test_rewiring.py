"""Swaps keep degrees; searches reach what exhaustive enumeration finds; relabelling keeps everything but names."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topograph import BipartiteGraph, construct, design
from topograph.design.krylov import WarmSpectrum
from topograph.design.quantities import QUANTITIES
from topograph.design.swaps import SwapState
from topograph.errors import InvalidParameterError

masks = st.integers(1, 9).flatmap(
    lambda n: st.integers(1, 9).flatmap(
        lambda m: st.lists(st.booleans(), min_size=n * m, max_size=n * m).map(lambda v: np.array(v).reshape(n, m))
    )
)


def same_degrees(one, other):
    return np.array_equal(one.left_degrees, other.left_degrees) and np.array_equal(
        one.right_degrees, other.right_degrees
    )


@given(masks, st.integers(0, 1000), st.none() | st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_null_keeps_degrees(mask, seed, swaps):
    graph = BipartiteGraph.from_mask(mask)
    null = design.rewire(graph, seed=seed, swaps=swaps)
    assert same_degrees(graph, null)
    assert null == design.rewire(graph, seed=seed, swaps=swaps)


@given(masks, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_batches_of_swaps_keep_degrees(mask, seed):
    graph = BipartiteGraph.from_mask(mask)
    if not graph.n_edges:
        return
    generator = np.random.default_rng(seed)
    state = SwapState(graph)
    for _ in range(4):
        pairs = generator.integers(graph.n_edges, size=(20, 2))
        pairs = state.compatible(pairs[state.possible(pairs)])
        state.keys = state.swapped(pairs)
        assert same_degrees(graph, state.to_graph())


def test_null_is_uniform():
    # degrees (2, 1, 1) and (2, 1, 1) allow five graphs
    graph = BipartiteGraph.from_mask([[1, 1, 0], [1, 0, 0], [0, 0, 1]])
    seen = [design.rewire(graph, seed=seed, swaps=40).content_hash for seed in range(2000)]
    counts = np.unique(seen, return_counts=True)[1]
    assert counts.size == 5
    assert ((counts - 400) ** 2 / 400).sum() < 23


@pytest.mark.parametrize("metric", list(QUANTITIES))
@pytest.mark.parametrize(("n", "m"), [(90, 40), (40, 90), (12, 9)])
def test_predicted_change_is_the_derivative(metric, n, m):
    graph = construct("random_regular", n, m, degree=6, seed=3)
    quantity = QUANTITIES[metric]
    state, warm = SwapState(graph), WarmSpectrum(quantity(graph), tolerance=1e-10)
    modes = warm.modes(state.columns)
    assert quantity.sign() * modes.scores[0] == pytest.approx(quantity.value(graph), rel=1e-6, abs=1e-9)
    left, right, mask = modes.left[:, 0], modes.right[:, 0], graph.to_mask(float)
    degrees = [side.astype(float) for side in (graph.left_degrees, graph.right_degrees)]
    if metric == "algebraic_connectivity":
        assert left @ (degrees[0] * left) + right @ (degrees[1] * right) - 2 * left @ mask @ right == pytest.approx(
            modes.scores[0], abs=1e-9
        )
    else:
        assert modes.scale * (left @ mask @ right) == pytest.approx(
            1 - modes.scores[0] if metric == "normalized_gap" else -modes.scores[0]
        )


@pytest.mark.parametrize("metric", list(QUANTITIES))
def test_warm_values_stay_right_while_the_graph_changes(metric):
    graph = construct("biregular_random", 80, 60, degree=6, seed=0)
    state, warm = SwapState(graph), WarmSpectrum(QUANTITIES[metric](graph), tolerance=1e-6)
    generator = np.random.default_rng(1)
    for _ in range(8):
        pairs = generator.integers(graph.n_edges, size=(6, 2))
        state.keys = state.swapped(state.compatible(pairs[state.possible(pairs)]))
        found = QUANTITIES[metric].sign() * warm.modes(state.columns).scores[0]
        assert found == pytest.approx(QUANTITIES[metric].value(state.to_graph()), rel=1e-4)


def all_graphs(left, right):
    """Every graph with these degrees, one of each class under permutations of inputs of equal degree."""
    rows = {d: list(itertools.combinations(range(len(right)), d)) for d in set(left)}

    def extend(i, room, chosen):
        if i == len(left):
            yield list(chosen)
            return
        first = rows[left[i]].index(chosen[-1]) if i and left[i] == left[i - 1] else 0
        for row in rows[left[i]][first:]:
            if all(room[j] for j in row):
                rest = [room[j] - (j in row) for j in range(len(room))]
                yield from extend(i + 1, rest, [*chosen, row])

    found = list(extend(0, list(right), []))
    masks = np.zeros((len(found), len(left), len(right)))
    for mask, chosen in zip(masks, found, strict=True):
        for i, row in enumerate(chosen):
            mask[i, list(row)] = 1
    return masks


def exhaustive(metric, masks):
    left, right = masks.sum(axis=2), masks.sum(axis=1)
    if metric == "algebraic_connectivity":
        n, m = masks.shape[1:]
        laplacian = np.zeros((len(masks), n + m, n + m))
        laplacian[:, :n, n:], laplacian[:, n:, :n] = -masks, -masks.transpose(0, 2, 1)
        laplacian[:, range(n + m), range(n + m)] = -laplacian.sum(axis=1)
        return np.linalg.eigvalsh(laplacian)[:, 1]
    if metric == "normalized_gap":
        scaled = masks / np.sqrt(left[:, :, None] * right[:, None, :])
        return 1 - np.linalg.svd(scaled, compute_uv=False)[:, 1]
    bound = np.sqrt(left.mean() - 1) + np.sqrt(right.mean() - 1)
    return np.linalg.svd(masks, compute_uv=False)[:, 1] / bound


@pytest.mark.parametrize("metric", list(QUANTITIES))
@pytest.mark.parametrize(
    ("left", "right"),
    [((2,) * 5, (2,) * 5), ((3,) * 6, (3,) * 6), ((2,) * 6, (3,) * 4), ((1, 2, 2, 3, 3), (2, 3, 3, 3))],
)
def test_search_finds_what_exhaustive_search_finds(metric, left, right):
    masks = all_graphs(left, right)
    values = np.sort(exhaustive(metric, masks))
    graph = design.rewire(BipartiteGraph.from_mask(masks[len(masks) // 2]), seed=1)
    for target, best in (("max", values[-1]), ("min", values[0])):
        found = design.rewire(graph, target=target, metric=metric, seed=0, steps=1200)
        assert found.value == pytest.approx(best, abs=1e-7)
        assert same_degrees(graph, found.graph)
    wanted = float(values[len(values) // 3])
    assert design.rewire(graph, target=wanted, metric=metric, steps=1200).value == pytest.approx(wanted, rel=2e-4)


def test_a_wanted_connectivity_at_fixed_degrees():
    graph = construct("random_regular", 120, 60, degree=8, seed=0)
    start = graph.algebraic_connectivity()
    values = [design.rewire(graph, target=target, steps=200) for target in (0.5, start / 2, "max")]
    assert values[0].value == pytest.approx(0.5, rel=1e-3)
    assert values[1].value == pytest.approx(start / 2, rel=1e-3)
    assert values[2].value > start
    for found in values:
        assert same_degrees(graph, found.graph)
        assert found.value == found.graph.algebraic_connectivity()
        assert list(found.trace.columns) == ["step", "value", "accepted", "swaps", "best"]
        assert found.start == start
    assert values[0].graph == design.rewire(graph, target=0.5, steps=200).graph


def test_the_least_connectivity_is_none():
    graph = construct("biregular_random", 150, 70, degree=6, seed=0)
    found = design.rewire(graph, target="min", steps=20)
    assert found.value == 0.0
    assert not found.graph.is_connected
    assert same_degrees(graph, found.graph)
    assert found.trace["best"].iloc[-1] == 0.0
    small = design.rewire(construct("biregular_random", 24, 18, degree=3, seed=0), target="min", steps=300)
    assert small.trace["step"].is_monotonic_increasing  # steps that propose nothing are numbered, but have no row


@given(masks, st.integers(0, 99), st.sampled_from(["left", "right", "both"]))
@settings(max_examples=50, deadline=None)
def test_relabel_is_an_isomorphism(mask, seed, side):
    graph = BipartiteGraph.from_mask(mask)
    other = design.relabel(graph, seed=seed, side=side)
    assert np.array_equal(np.sort(graph.left_degrees), np.sort(other.left_degrees))
    assert np.array_equal(np.sort(graph.right_degrees), np.sort(other.right_degrees))
    before, after = (np.linalg.svd(g.to_mask(float), compute_uv=False) for g in (graph, other))
    assert np.allclose(before, after)
    if side == "left":
        assert np.array_equal(graph.right_degrees, other.right_degrees)
    if side == "right":
        assert np.array_equal(graph.left_degrees, other.left_degrees)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"target": "high"}, "max, min"),
        ({"target": -1.0}, "target"),
        ({"target": "max", "metric": "density"}, "algebraic_connectivity, normalized_gap, ramanujan_ratio"),
        ({"target": "max", "swaps": 3}, "steps="),
        ({"target": "max", "steps": 0}, "steps"),
        ({"swaps": -1}, "swaps"),
    ],
)
def test_bad_arguments(arguments, says):
    with pytest.raises(InvalidParameterError, match=says):
        design.rewire(construct("dense", 3, 3), **arguments)


def test_graphs_without_freedom_stay():
    for graph in (construct("dense", 4, 3), BipartiteGraph.from_mask([[1, 0], [0, 0]])):
        assert design.rewire(graph) == graph
    assert design.rewire(construct("dense", 4, 3), target="max", steps=5).graph == construct("dense", 4, 3)
    for graph in (construct("dense", 5, 1), BipartiteGraph.from_mask(np.zeros((3, 4)))):
        assert design.rewire(graph, target="max").graph == graph
    with pytest.raises(InvalidParameterError, match="undefined"):
        design.rewire(construct("random_rotating", 5, 5, degree=1), target="max", metric="ramanujan_ratio")
