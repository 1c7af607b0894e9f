"""Structure, robustness, paths, motifs and communities against networkx, igraph and brute force."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from networkx.algorithms import bipartite

import topograph as tg
from tests.toys import TOYS
from topograph.metrics import get_metric

KNOWN = {
    "complete 4 × 4": {
        "diameter": 2, "mean_path_length": (16 * 1 + 12 * 2) / 28, "n_butterflies": 36, "core_number": 4,
        "n_bridges": 0, "clustering_robins_alexander": 1, "clustering_latapy": 1, "n_cut_nodes": 0,
        "block_rows": 4, "block_columns": 4,
    },
    "perfect matching of 5": {
        "diameter": 1, "mean_path_length": 1, "n_butterflies": 0, "core_number": 1, "n_bridges": 5, "n_cut_nodes": 0,
        "clustering_robins_alexander": float("nan"), "modularity": 0.8, "block_rows": 1,
    },
    "path of 7": {"diameter": 6, "mean_path_length": 8 / 3, "n_bridges": 6, "n_cut_nodes": 5, "core_share": 1},
    "cycle of 12": {"diameter": 6, "mean_path_length": 36 / 11, "n_bridges": 0, "core_number": 2, "n_butterflies": 0},
    "star 1 × 5": {"diameter": 2, "mean_path_length": 5 / 3, "n_bridges": 5, "n_cut_nodes": 1, "block_columns": 5},
    "two complete 3 × 3": {"modularity": 0.5, "block_rows": 3, "block_columns": 3, "n_butterflies": 18},
    "empty": {"diameter": float("nan"), "core_number": 0, "n_bridges": 0, "modularity": float("nan"), "block_rows": 3},
    "complete 3 × 3 with a dead neuron": {"block_rows": 3, "block_columns": 1, "core_number": 3, "core_share": 6 / 7},
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name, compute):
    graph = next(toy.graph for toy in TOYS if toy.name == name)
    for metric, expected in KNOWN[name].items():
        assert compute(metric, graph).value == pytest.approx(expected, nan_ok=True), metric


def test_against_networkx(graph, compute):
    network = graph.to_networkx()
    giant = network.subgraph(max(nx.connected_components(network), key=lambda c: (network.subgraph(c).size(), len(c))))
    left = set(range(graph.n_left))
    projected = bipartite.average_clustering(network, mode="dot")
    expected = {
        "diameter": nx.diameter(giant),
        "mean_path_length": nx.average_shortest_path_length(giant),
        "mean_path_length_sampled": nx.average_shortest_path_length(giant),  # few nodes: all are taken
        "core_number": max(nx.core_number(network).values()),
        "core_share": np.mean([k == max(nx.core_number(network).values()) for k in nx.core_number(network).values()]),
        "n_bridges": len(list(nx.bridges(network))),
        "n_cut_nodes": len(list(nx.articulation_points(network))),
        "n_butterflies": sum(
            len(set(network[a]) & set(network[b])) * (len(set(network[a]) & set(network[b])) - 1) // 2
            for a, b in itertools.combinations(left, 2)
        ),
        "clustering_latapy": projected,
    }
    for name, value in expected.items():
        assert compute(name, graph).value == pytest.approx(value), name
    found = compute("clustering_robins_alexander", graph)
    if found.reason is None:
        assert found.value == pytest.approx(bipartite.robins_alexander_clustering(network))
    else:
        assert bipartite.robins_alexander_clustering(network) == 0


def test_modularity_is_that_of_a_partition(graph, compute):
    found = compute("modularity", graph).value
    network = graph.to_networkx()
    greedy = nx.community.greedy_modularity_communities(network)
    assert found >= nx.community.modularity(network, greedy) - 0.05
    assert found == compute("modularity", tg.BipartiteGraph.from_mask(graph.to_mask())).value  # seeded
    if graph.n_nodes <= 8:
        best = max(nx.community.modularity(network, parts) for parts in partitions(list(network)))
        assert found <= best + 1e-12


def partitions(nodes):
    if not nodes:
        yield []
        return
    for parts in partitions(nodes[1:]):
        yield [{nodes[0]}, *parts]
        for place, part in enumerate(parts):
            yield [*parts[:place], part | {nodes[0]}, *parts[place + 1 :]]


def test_a_search_from_many_nodes_at_once(compute):
    """More nodes than the bits that are walked together, at a diameter that is not small."""
    half = 700
    cycle = tg.construct("regular_rotating", half, half, degree=2)
    assert compute("diameter", cycle).value == half
    assert compute("mean_path_length", cycle).value == pytest.approx(half**2 / (2 * half - 1))
    sampled = compute("mean_path_length_sampled", cycle)
    assert sampled.value == pytest.approx(half**2 / (2 * half - 1))  # every node sees the same
    assert sampled.residual == pytest.approx(0, abs=1e-9)


def test_the_sampled_mean_states_its_error(compute):
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(20):
        graph = tg.BipartiteGraph.from_mask(random.random((700, 500)) < 0.004)
        exact, sampled = compute("mean_path_length", graph), compute("mean_path_length_sampled", graph)
        assert sampled.residual > 0
        inside += abs(exact.value - sampled.value) <= sampled.residual
    assert inside >= 16  # 95 % of them, give or take chance


def test_against_igraph_on_a_larger_graph(compute):
    graph = tg.construct("random_edge", 300, 200, density=0.02, seed=3)
    network = graph.to_igraph()
    giant = network.connected_components().giant()
    assert compute("diameter", graph).value == giant.diameter()
    assert compute("mean_path_length", graph).value == pytest.approx(giant.average_path_length())
    assert compute("core_number", graph).value == max(network.coreness())
    assert compute("n_bridges", graph).value == len(network.bridges())
    common = (graph.biadjacency.astype(int) @ graph.biadjacency.T.astype(int)).toarray()
    upper = common[np.triu_indices(300, 1)]
    assert compute("n_butterflies", graph).value == (upper * (upper - 1) // 2).sum()


def blocks_by_hand(mask):
    n, m = mask.shape
    rows = [p for p in range(1, n + 1) if n % p == 0 and (mask == np.repeat(mask[::p], p, axis=0)).all()]
    columns = [q for q in range(1, m + 1) if m % q == 0 and (mask == np.repeat(mask[:, ::q], q, axis=1)).all()]
    return max(rows), max(columns)


@given(npst.arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 4))), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=80)
def test_blocks_are_found(core, p, q):
    mask = np.kron(core, np.ones((p, q), dtype=bool))
    graph = tg.BipartiteGraph.from_mask(mask)
    found = get_metric("block_rows").compute(graph).value, get_metric("block_columns").compute(graph).value
    assert found == blocks_by_hand(mask)


@given(npst.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))), st.data())
@settings(max_examples=60)
def test_a_further_connection_never_hurts(mask, data):
    """What only grows, or only shrinks, when a connection is added."""
    row = data.draw(st.integers(0, mask.shape[0] - 1))
    column = data.draw(st.integers(0, mask.shape[1] - 1))
    more = mask.copy()
    more[row, column] = True
    before, after = tg.BipartiteGraph.from_mask(mask), tg.BipartiteGraph.from_mask(more)
    for name in ("algebraic_connectivity", "n_butterflies", "core_number", "giant_share"):
        metric = get_metric(name)
        assert metric.compute(after).value >= metric.compute(before).value - 1e-9, name
    assert get_metric("n_components").compute(after).value <= get_metric("n_components").compute(before).value


def test_a_graph_seen_from_its_outputs(graph, compute):
    """What does not care about sides is equal for the transpose; the giant may be another where there are ties."""
    for metric in tg.metrics.registry.select_metrics("all"):
        if metric.network and metric.group in ("spectral", "structure", "motifs", "robustness"):
            one, other = metric.compute(graph), metric.compute(graph.T)
            if "giant" not in metric.name:
                assert one.value == pytest.approx(other.value, abs=1e-6, nan_ok=True), metric.name
