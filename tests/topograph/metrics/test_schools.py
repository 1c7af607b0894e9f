"""Metrics of other schools against networkx, brute force and closed forms."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

import topograph as tg
from topograph.metrics import WeightedGraph
from topograph.metrics.communities import barber_of
from topograph.metrics.percolation import giant_sizes
from topograph.metrics.small_world import lattice

# ---------------------------------------------------------------------- nestedness


def nodf_by_hand(mask):
    """Almeida-Neto et al.: pair by pair, with sets."""
    total, pairs = 0.0, 0
    for rows in (mask, mask.T):
        sets = [set(np.flatnonzero(row)) for row in rows]
        for first, second in itertools.combinations(sets, 2):
            pairs += 1
            larger, smaller = (first, second) if len(first) > len(second) else (second, first)
            if len(larger) > len(smaller) > 0:
                total += 100 * len(larger & smaller) / len(smaller)
    return total / pairs


def test_nodf_pair_by_pair(graph, compute):
    assert compute("nodf", graph).value == pytest.approx(nodf_by_hand(graph.to_mask()))


def test_a_triangle_of_ones_is_perfectly_nested_and_a_block_is_not(compute):
    assert compute("nodf", tg.BipartiteGraph.from_mask(np.tri(6))).value == pytest.approx(100)
    assert compute("nodf", tg.BipartiteGraph.from_mask(np.ones((4, 5)))).value == 0
    one = tg.BipartiteGraph.from_mask(np.ones((1, 3)))
    assert compute("nodf_outputs", one).value == 0
    assert math.isnan(compute("nodf_inputs", one).value)


# ---------------------------------------------------------------------- Barber's modularity


def barber_by_definition(mask, left, right):
    expected = np.outer(mask.sum(axis=1), mask.sum(axis=0)) / mask.sum()
    return float((mask - expected)[left[:, None] == right[None, :]].sum() / mask.sum())


def test_barbers_modularity_of_a_partition_is_its_definition(graph):
    random = np.random.default_rng(0)
    left, right = random.integers(0, 4, graph.n_left), random.integers(0, 4, graph.n_right)
    mask = graph.to_mask().astype(float)
    assert barber_of(graph, left, right) == pytest.approx(barber_by_definition(mask, left, right))


def test_barbers_modularity_is_at_most_the_largest_of_all_partitions(compute):
    random = np.random.default_rng(3)
    near = 0
    for _ in range(6):
        mask = random.random((3, 4)) < 0.5
        mask[0, 0] = True
        partitions = {tuple(np.unique(p, return_inverse=True)[1]) for p in itertools.product(range(3), repeat=7)}
        best = max(barber_by_definition(mask.astype(float), np.array(p[:3]), np.array(p[3:])) for p in partitions)
        found = compute("barber_modularity", tg.BipartiteGraph.from_mask(mask)).value
        assert found <= best + 1e-12
        near += found >= best - 0.1
    assert near >= 5


def test_blocks_are_communities_of_barber_too(compute):
    blocks = np.kron(np.eye(4), np.ones((3, 3)))
    assert compute("barber_modularity", tg.BipartiteGraph.from_mask(blocks)).value == pytest.approx(0.75)


# ---------------------------------------------------------------------- percolation


def test_the_giant_component_shrinks_as_networkx_counts_it(graph, compute):
    network = graph.to_networkx()
    order = np.random.default_rng(1).permutation(graph.n_nodes)
    names = list(range(graph.n_nodes))
    assert sorted(network.nodes) == names
    expected = []
    for gone in range(graph.n_nodes + 1):
        rest = network.subgraph(set(names) - set(order[:gone].tolist()))
        expected.append(max(map(len, nx.connected_components(rest)), default=0))
    assert giant_sizes(graph, order).tolist() == expected


def test_an_attack_does_more_harm_than_chance(compute):
    star = tg.BipartiteGraph.from_mask(np.ones((1, 40)))
    assert compute("attack_robustness", star).value == pytest.approx(40 / 41**2)  # 1 node is left each time
    assert compute("failure_robustness", star).value > 0.2
    complete = tg.BipartiteGraph.from_mask(np.ones((5, 5)))
    # inputs go first: 9, 8, 7, 6 in one component, then single outputs
    assert compute("attack_robustness", complete).value == pytest.approx((9 + 8 + 7 + 6 + 5 * 1) / 100)


# ---------------------------------------------------------------------- (α, β)-cores


def bicore_by_peeling(mask):
    best = 0
    for alpha in range(1, mask.shape[1] + 1):
        for beta in range(1, mask.shape[0] + 1):
            rows, columns = np.ones(mask.shape[0], bool), np.ones(mask.shape[1], bool)
            while True:
                part = mask * rows[:, None] * columns
                left, right = rows & (part.sum(axis=1) >= alpha), columns & (part.sum(axis=0) >= beta)
                if (left == rows).all() and (right == columns).all():
                    break
                rows, columns = left, right
            if rows.any() and columns.any():
                best = max(best, alpha * beta)
    return best


def test_cores_of_two_degrees_by_peeling(graph, compute):
    assert compute("bicore_product", graph).value == bicore_by_peeling(graph.to_mask().astype(int))


# ---------------------------------------------------------------------- rich club


def test_the_rich_club_by_hand(compute):
    mask = np.zeros((20, 20), dtype=int)
    mask[:2, :2] = 1  # two hubs on each side, which know each other
    mask[0, 2:12] = mask[1, 2:12] = 1
    mask[2:12, 0] = mask[2:12, 1] = 1
    graph = tg.BipartiteGraph.from_mask(mask)
    assert compute("rich_club_density", graph).value == 1
    assert compute("rich_club_ratio", graph).value == pytest.approx(44 * 4 / (24 * 24))
    regular = tg.construct("random_regular", 30, 20, degree=4)
    assert compute("rich_club_ratio", regular).value == pytest.approx(1)


# ---------------------------------------------------------------------- small worlds


def test_small_world_numbers_are_made_of_networkx_parts(compute):
    graph = tg.construct("watts_strogatz", 24, 24, degree=4, beta=0.1, seed=1)
    nulls = [tg.design.rewire(graph, seed=seed) for seed in range(5)]

    def clustering(one):
        return nx.algorithms.bipartite.robins_alexander_clustering(one.to_networkx())

    def length(one):
        network = one.to_networkx()
        return nx.average_shortest_path_length(network.subgraph(max(nx.connected_components(network), key=len)))

    ratio = np.mean([clustering(null) for null in nulls]), np.mean([length(null) for null in nulls])
    sigma = clustering(graph) / ratio[0] / (length(graph) / ratio[1])
    assert compute("small_world_sigma", graph).value == pytest.approx(sigma)
    omega = ratio[1] / length(graph) - clustering(graph) / clustering(lattice(graph))
    assert compute("small_world_omega", graph).value == pytest.approx(omega)
    band = tg.construct("regular_rotating", 40, 40, degree=4)
    assert lattice(band).left_degrees.tolist() == band.left_degrees.tolist()
    assert compute("small_world_omega", band).value < -0.1 < compute("small_world_omega", nulls[0]).value


# ---------------------------------------------------------------------- conformity


@pytest.mark.parametrize(("n", "name"), [(2, "n_of_m_2_4"), (1, "n_of_m_1_4")])
def test_groups_of_four_are_counted_one_by_one(graph, compute, n, name):
    mask = graph.to_mask()
    groups = [mask[i : i + 4, j].sum() <= n for i in range(0, graph.n_left, 4) for j in range(graph.n_right)]
    assert compute(name, graph).value == pytest.approx(np.mean(groups))


def test_full_blocks_fill_their_blocks(graph, compute):
    mask = graph.to_mask()
    blocks = [mask[i : i + 8, j : j + 8] for i in range(0, graph.n_left, 8) for j in range(0, graph.n_right, 8)]
    size = sum(block.size for block in blocks if block.any())
    assert compute("block_fill_8", graph).value == pytest.approx(mask.sum() / size)
    whole = tg.BipartiteGraph.from_mask(np.kron(np.eye(2), np.ones((16, 16))))
    assert compute("block_fill_16", whole).value == 1
    two_of_four = tg.BipartiteGraph.from_mask(np.tile([[1], [0], [0], [1]], (3, 5)))
    assert compute("n_of_m_2_4", two_of_four).value == 1
    assert compute("n_of_m_1_4", two_of_four).value == 0


# ---------------------------------------------------------------------- weight spectra


def test_weight_spectra_against_dense_lapack(compute):
    random = np.random.default_rng(0)
    matrix = random.normal(size=(30, 20)) * (random.random((30, 20)) < 0.4)
    weighted = WeightedGraph.from_matrix(matrix)
    values = np.sort(np.linalg.eigvalsh(matrix.T @ matrix))[::-1]
    assert compute("stable_rank", weighted).value == pytest.approx(np.linalg.norm(matrix) ** 2 / values[0])
    hill = 1 + 10 / np.log(values[:10] / values[10]).sum()
    assert compute("hill_alpha", weighted).value == pytest.approx(hill)
    edge = matrix.var() + matrix.mean() ** 2
    edge *= (math.sqrt(30) + math.sqrt(20)) ** 2
    assert compute("bulk_edge_ratio", weighted).value == pytest.approx(values[0] / edge)
    assert compute("n_spikes", weighted).value == np.sum(values > edge)
    again = WeightedGraph(weighted.graph, matrix[tuple(weighted.graph.edges().T)] * 1e-200)
    for name in ("stable_rank", "hill_alpha", "bulk_edge_ratio", "n_spikes"):
        assert compute(name, again).value == pytest.approx(compute(name, weighted).value), name


def test_hills_estimator_finds_the_exponent_of_a_power_law(compute):
    """Eigenvalues at the quantiles of a density λ^−α."""
    for alpha in (2.0, 3.5):
        eigenvalues = (np.arange(1, 401) / 401) ** (-1 / (alpha - 1))
        weighted = WeightedGraph.from_matrix(np.diag(np.sqrt(eigenvalues)))
        assert compute("hill_alpha", weighted).value == pytest.approx(alpha, rel=0.05)


def test_noise_stays_below_its_edge_and_a_spike_above(compute):
    noise = np.random.default_rng(1).normal(size=(200, 100))
    assert compute("bulk_edge_ratio", WeightedGraph.from_matrix(noise)).value == pytest.approx(1, abs=0.06)
    spiked = noise + 3 * np.outer(np.ones(200), np.ones(100)) / 10
    assert compute("n_spikes", WeightedGraph.from_matrix(spiked)).value == 1


def test_signs_count_in_the_spectrum_of_weights(compute):
    plus, minus = np.ones((2, 2)), np.array([[1.0, 1.0], [1.0, -1.0]])
    assert compute("stable_rank", WeightedGraph.from_matrix(plus)).value == pytest.approx(1)
    assert compute("stable_rank", WeightedGraph.from_matrix(minus)).value == pytest.approx(2)


def test_the_effective_rank_of_equal_and_of_few_singular_values(compute):
    assert compute("effective_rank", WeightedGraph.from_matrix(np.eye(7))).value == pytest.approx(7)
    assert compute("effective_rank", WeightedGraph.from_matrix(np.ones((5, 3)))).value == pytest.approx(1)
    matrix = np.random.default_rng(0).normal(size=(9, 6))
    values = np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix))
    shares = values / values.sum()
    entropy = -(shares * np.log(shares)).sum()
    assert compute("effective_rank", WeightedGraph.from_matrix(matrix)).value == pytest.approx(np.exp(entropy))


@pytest.mark.parametrize("wrap", [np.asarray, sp.csr_array, lambda matrix: {"fc": matrix}])
def test_measure_hands_signs_to_the_spectrum_of_weights(wrap):
    """A matrix of rank 3 has more as soon as its signs are lost."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20, 3)) @ rng.normal(size=(3, 12))
    row = tg.measure(wrap(matrix), ["effective_rank", "stable_rank", "weighted_gap"]).iloc[0]
    values = np.linalg.svd(matrix, compute_uv=False)
    assert row["effective_rank"] <= 3 + 1e-9
    assert row["stable_rank"] == pytest.approx((values**2).sum() / values[0] ** 2)
    magnitudes = np.linalg.svd(np.abs(matrix), compute_uv=False)
    assert row["weighted_gap"] == pytest.approx(magnitudes[0] - magnitudes[1])  # of |W|, as it says


# ---------------------------------------------------------------------- layers that fit each other


def test_alignment_of_layers(compute):
    first = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]])  # edges into the hidden neurons: 3, 2, 1, 0
    second = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]])
    along, against = (tg.Topology([first, hidden]) for hidden in (second, second[::-1]))
    assert compute("degree_alignment", along).value == pytest.approx(1)
    assert compute("degree_alignment", against).value == pytest.approx(-1)
    assert compute("misaligned_edges", along).value == 0
    assert compute("misaligned_edges", against).value == pytest.approx((3 + 3) / 12)
    regular = tg.Topology.build("random_regular", [12, 12, 12], degrees=[3, 3])
    assert "vary" in compute("degree_alignment", regular).reason
    random = tg.Topology.build("random_edge", [40, 30, 20, 10], degrees=[5, 5, 4], seed=2)
    layers = list(random)
    pairs = [(a.to_mask().sum(axis=0), b.to_mask().sum(axis=1)) for a, b in itertools.pairwise(layers)]
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])
    assert compute("degree_alignment", random).value == pytest.approx(expected)
