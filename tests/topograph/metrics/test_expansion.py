"""Ramanujan measures, IMDB, NaRC, weights, expansion: published values, dense matrices, brute force."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp

import topograph as tg
from topograph.errors import InvalidParameterError
from topograph.metrics import WeightedGraph

PUBLISHED = tg.construct("random_regular", 784, 300, degree=15, seed=0)


def sigmas(mask):
    values = np.linalg.svd(np.asarray(mask, dtype=float), compute_uv=False)
    return float(values[0]), float(values[1]) if len(values) > 1 else 0.0


def connected(mask):
    mask = np.asarray(mask)
    return mask[mask.any(axis=1)][:, mask.any(axis=0)]


def test_the_published_example(compute):
    # FIELD.md: σ2 = 9.736 for one random draw, bounds 9.922 and 9.705, so Δr calls it Ramanujan and Δs does not
    assert compute("ramanujan_bound", PUBLISHED).value == pytest.approx(9.922, abs=5e-4)
    first, second = sigmas(PUBLISHED.to_mask())
    assert second == pytest.approx(9.736, abs=0.15)  # another draw
    assert compute("delta_s_bound", PUBLISHED).value == pytest.approx(9.705, abs=0.02)
    assert compute("ramanujan_gap", PUBLISHED).value == pytest.approx(9.9222 - second, abs=1e-3)
    assert compute("delta_s", PUBLISHED).value == pytest.approx(2 * math.sqrt(first - 1) - second, abs=1e-8 * second)
    assert compute("imdb_hoang", PUBLISHED).value == compute("ramanujan_gap", PUBLISHED).value
    assert compute("imdb_cunegatti", PUBLISHED).value == compute("ramanujan_gap_normalized", PUBLISHED).value


def test_ramanujan_by_definition(graph, compute):
    mask = connected(graph.to_mask())
    (left, right), edges = mask.shape, mask.sum()
    n, m = graph.shape
    first, second = sigmas(mask)
    bound = math.sqrt(edges / left - 1) + math.sqrt(edges / right - 1)
    discrepancy = {
        times: abs(times * edges - edges / left / m * left * right) for times in (1, 2)
    }  # as in the published scores.py, where the directed edge list holds each edge twice
    mixing = (second**2 / 4 + 1) * math.sqrt(left * right)
    expected = {
        "ramanujan_bound": bound,
        "ramanujan_gap": bound - second,
        "delta_s_bound": 2 * math.sqrt(first - 1),
        "delta_s": 2 * math.sqrt(first - 1) - second,
        "narc_hoang": (mixing - discrepancy[2]) / (n * m),
        "narc_corrected": (mixing - discrepancy[1]) / (n * m),
    }
    if bound:
        expected["ramanujan_ratio"] = second / bound
        expected["ramanujan_gap_normalized"] = 1 - second / bound
    for name, value in expected.items():
        assert compute(name, graph).value == pytest.approx(value, abs=1e-6), name


def imdb_by_hand(mask, least_inputs, normalised):
    degrees, scores = mask.sum(axis=1), []
    for degree in set(degrees.tolist()):
        piece = connected(mask[degrees == degree])
        if (degrees == degree).sum() < least_inputs or degree < 3 or piece.sum() / piece.shape[1] < 3:
            continue
        bound = math.sqrt(degree - 1) + math.sqrt(piece.sum() / piece.shape[1] - 1)
        scores.append((bound - sigmas(piece)[1]) / (bound if normalised else 1))
    return np.mean(scores) if scores else None


@pytest.mark.parametrize(
    ("name", "least_inputs", "normalised"),
    [("imdb_hoang", 3, False), ("imdb_hoang_normalized", 3, True), ("imdb_cunegatti", 0, True)],
)
def test_imdb_by_hand(compute, name, least_inputs, normalised):
    random = np.random.default_rng(3)
    defined = 0
    for density in (0.1, 0.3, 0.5, 0.7):
        mask = random.random((40, 12)) < density
        expected = imdb_by_hand(mask, least_inputs, normalised)
        found = compute(name, tg.BipartiteGraph.from_mask(mask))
        if expected is None:
            assert "degree of at least 3" in found.reason
        else:
            assert found.value == pytest.approx(expected, rel=1e-7)
            defined += 1
    assert defined >= 3


def test_the_two_forms_of_imdb_differ(compute):
    """Two inputs alone hold a degree: form 1 leaves them out, form 2 does not."""
    mask = np.zeros((12, 6))
    mask[:10, :3] = 1
    mask[10:, :] = 1
    mask[10:, 5] = 0
    wide = tg.BipartiteGraph.from_mask(mask)
    one = compute("imdb_hoang_normalized", wide)
    assert one.value == 1  # ten inputs of degree 3 on the same outputs: σ2 = 0
    assert compute("imdb_cunegatti", wide).value == 1
    mask[10, 5], mask[10, 0] = 1, 0
    mask = np.vstack([mask, mask[10:], mask[10:]])  # six of degree 5 with two patterns: σ2 > 0
    assert compute("imdb_hoang_normalized", tg.BipartiteGraph.from_mask(mask)).value < 1


# ---------------------------------------------------------------------- weights


def test_weighted_gaps_by_definition():
    random = np.random.default_rng(0)
    weights = random.normal(size=(20, 9)) * (random.random((20, 9)) < 0.6)
    names = ["weighted_gap", "weighted_gap_relative", "weighted_normalized_gap", "weighted_connectivity"]
    size = np.abs(weights)
    first, second = sigmas(size)
    scaled = size / np.sqrt(np.outer(size.sum(axis=1), size.sum(axis=0)))
    adjacency = np.block([[np.zeros((20, 20)), size], [size.T, np.zeros((9, 9))]])
    laplacian = np.diag(adjacency.sum(axis=0)) - adjacency
    expected = [first - second, 1 - second / first, 1 - sigmas(scaled)[1], np.linalg.eigvalsh(laplacian)[1]]
    for source in (weights, sp.csc_array(weights), {"fc": weights}, weights.astype(np.float32)):
        row = tg.measure(source, names).iloc[0]
        assert row[names].tolist() == pytest.approx(expected, rel=1e-5)
        assert row["reason"] == ""
    # the trap: the second largest |λ| of the adjacency is σ1 again
    values = np.sort(np.abs(np.linalg.eigvalsh(adjacency)))
    assert values[-1] == pytest.approx(values[-2])


def test_a_mere_mask_has_no_weighted_gap():
    graph = tg.construct("random_regular", 8, 6, degree=2)
    for source in (graph, graph.to_mask(), graph.to_mask(int), {"a": graph.to_mask(float)}, tg.Topology([graph])):
        table = tg.measure(source, "weighted", long=True)
        assert table["value"].isna().all()
        assert table["reason"].iloc[0] == "needs weights, but this is a pattern; measure the weight matrix itself"


def test_weights_follow_the_edge_rule_and_the_unfolding():
    random = np.random.default_rng(1)
    kernel = random.normal(size=(4, 3, 2, 2))  # outputs × inputs × taps
    table = tg.measure({"conv": kernel}, ["weighted_gap"], orientation="out_in", density=0.5)
    flat = kernel.transpose(1, 2, 3, 0).reshape(12, 4)
    flat = np.where(np.abs(flat) >= np.sort(np.abs(flat), axis=None)[-24], flat, 0)
    first, second = sigmas(np.abs(flat))
    assert table.loc["conv", "weighted_gap"] == pytest.approx(first - second)
    table = tg.measure({"conv": kernel}, ["weighted_gap"], orientation="out_in", unfold="channel")
    first, second = sigmas(np.sqrt(np.square(kernel).sum(axis=(2, 3))).T)
    assert table.loc["conv", "weighted_gap"] == pytest.approx(first - second)
    table = tg.measure({"conv": kernel}, ["weighted_gap"], orientation="out_in", unfold="unrolled", geometry=(5, 5))
    assert math.isnan(table.loc["conv", "weighted_gap"])


def test_weights_must_fit_the_graph():
    graph = tg.BipartiteGraph.from_mask([[1, 0], [1, 1]])
    with pytest.raises(InvalidParameterError, match="one number per edge"):
        WeightedGraph(graph, [1.0, 2.0])
    assert WeightedGraph(graph, [1.0, 0.0, 2.0]).graph.n_edges == 2


# ---------------------------------------------------------------------- expansion


def least_expansion(graph):
    mask, n = graph.to_mask(), graph.n_left
    sets = (s for size in range(1, math.ceil(n / 2) + 1) for s in itertools.combinations(range(n), size))
    return min(mask[list(chosen)].any(axis=0).sum() / len(chosen) for chosen in sets)


def test_vertex_expansion_brackets_the_truth(graph, compute):
    found = compute("vertex_expansion", graph)
    truth = least_expansion(graph)
    assert found.value - found.residual - 1e-9 <= truth <= found.value + 1e-9
    assert found.value <= truth * 1.5 + 1e-9  # and the search comes close on small graphs


def test_mixing_brackets_the_truth(graph, compute):
    found = compute("mixing_discrepancy", graph)
    mask = connected(graph.to_mask()).astype(float)
    n, m = mask.shape
    if min(n, m) < 2 or n + m > 14:
        assert found.reason is not None or n + m > 14
        return
    left, right, edges = mask.sum(axis=1), mask.sum(axis=0), mask.sum()
    inputs = np.array([s for s in itertools.product([0, 1], repeat=n) if 0 < sum(s) < n])
    outputs = np.array([s for s in itertools.product([0, 1], repeat=m) if 0 < sum(s) < m])
    a, b = inputs @ left, outputs @ right
    uneven = np.abs(inputs @ mask @ outputs.T - np.outer(a, b) / edges)
    truth = (uneven / np.sqrt(np.outer(a * (1 - a / edges), b * (1 - b / edges)))).max()
    assert found.value - 1e-9 <= truth <= found.value + found.residual + 1e-7


def test_expansion_of_known_graphs(compute):
    complete = tg.BipartiteGraph.from_mask(np.ones((6, 5)))
    assert compute("vertex_expansion", complete).value == pytest.approx(5 / 3)
    assert compute("vertex_expansion", complete).residual == pytest.approx(0, abs=1e-6)
    assert compute("mixing_discrepancy", complete).value == pytest.approx(0, abs=1e-9)
    matching = tg.BipartiteGraph.from_mask(np.eye(6))
    assert compute("vertex_expansion", matching).value == 1
    assert compute("vertex_expansion", matching).residual == pytest.approx(0, abs=1e-6)
    two = tg.BipartiteGraph.from_mask(np.kron(np.eye(2), np.ones((4, 4))))
    assert compute("mixing_discrepancy", two).value == pytest.approx(1)
    dead = tg.BipartiteGraph.from_mask([[1, 1], [0, 0]])
    assert compute("vertex_expansion", dead).value == 0


def test_conductance_lies_between_the_cheeger_bounds(graph, compute):
    mask = connected(graph.to_mask()).astype(float)
    n, m = mask.shape
    if n + m > 14:
        return
    adjacency = np.block([[np.zeros((n, n)), mask], [mask.T, np.zeros((m, m))]])
    degrees = adjacency.sum(axis=0)
    sets = np.array([s for s in itertools.product([0, 1], repeat=n + m) if 0 < sum(s) < n + m])
    volumes = sets @ degrees
    cuts = np.einsum("si,ij,sj->s", sets, adjacency, 1 - sets)
    truth = (cuts / np.minimum(volumes, degrees.sum() - volumes)).min()
    assert compute("cheeger_lower", graph).value - 1e-9 <= truth <= compute("cheeger_upper", graph).value + 1e-9
