"""Whole networks against dense products, brute force over paths, and networkx."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest

import topograph as tg
from topograph.metrics import product as product_module


def networks():
    random = np.random.default_rng(5)
    found = []
    for density in (0.15, 0.3, 0.6):
        for _ in range(4):
            sizes = random.integers(2, 7, size=random.integers(2, 6))
            masks = [random.random(shape) < density for shape in itertools.pairwise(sizes)]
            found.append(tg.Topology(masks))
    return found


@pytest.mark.parametrize("topology", networks(), ids=lambda t: f"{t.architecture}-{t.n_edges}")
def test_paths_by_brute_force(topology, compute):
    sizes, masks = topology.sizes, [graph.to_mask() for graph in topology]
    paths = [
        path
        for path in itertools.product(*(range(size) for size in sizes))
        if all(mask[a, b] for mask, a, b in zip(masks, path, path[1:], strict=False))
    ]
    counts = np.zeros((sizes[0], sizes[-1]))
    for path in paths:
        counts[path[0], path[-1]] += 1
    used = {(layer, a, b) for path in paths for layer, (a, b) in enumerate(itertools.pairwise(path))}
    neurons = {(layer, v) for path in paths for layer, v in enumerate(path)}
    hidden = [(layer, v) for layer in range(1, len(sizes) - 1) for v in range(sizes[layer])]
    possible = sum(mask.size for mask in masks)
    into = {v: masks[v[0] - 1][:, v[1]].any() for v in hidden}
    out = {v: masks[v[0]][v[1]].any() for v in hidden}
    expected = {
        "reachability": np.mean(counts > 0),
        "effective_density": len(used) / possible,
        "removable_connections": topology.n_edges - len(used),
        "inactive_neurons": sum(v not in neurons for v in hidden),
        "dead_neurons": sum(not into[v] and not out[v] for v in hidden),
        "source_neurons": sum(not into[v] and bool(out[v]) for v in hidden),
        "sink_neurons": sum(bool(into[v]) and not out[v] for v in hidden),
        "collapsed_layers": sum(not mask.any() for mask in masks),
    }
    for name, value in expected.items():
        assert compute(name, topology).value == pytest.approx(value), name
    if paths:
        assert compute("log_path_count", topology).value == pytest.approx(math.log(len(paths)))
        assert compute("path_count_cv", topology).value == pytest.approx(counts.std() / counts.mean(), abs=1e-6)
        assert compute("log_path_spread", topology).value == pytest.approx(np.log(counts[counts > 0]).std(), abs=1e-6)
    else:
        for name in ("log_path_count", "path_count_cv", "log_path_spread"):
            assert compute(name, topology).reason == "no input is connected to an output"


@pytest.mark.parametrize("topology", networks(), ids=lambda t: f"{t.architecture}-{t.n_edges}")
def test_product_by_dense_matrices(topology, compute):
    product = np.eye(topology.sizes[0])
    for graph in topology:
        mask = graph.to_mask(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = mask / np.sqrt(np.outer(mask.sum(axis=1), mask.sum(axis=0)))
        product = product @ np.nan_to_num(scaled)
    values = np.linalg.svd(product, compute_uv=False)
    assert compute("product_sigma1", topology).value == pytest.approx(values[0], abs=1e-10)
    assert compute("product_sigma2", topology).value == pytest.approx(values[1], abs=1e-10)


def test_product_without_the_dense_matrix(monkeypatch, compute):
    topology = tg.Topology.build("random_regular", [120, 90, 70], [9, 9], seed=2)
    names = ("product_sigma1", "product_sigma2")
    dense = [compute(name, topology) for name in names]
    monkeypatch.setattr(product_module, "_DENSE", 8)
    for turned in (topology, tg.Topology([graph.T for graph in reversed(topology)])):
        again = tg.Topology(turned.graphs)
        for name, value in zip(names, dense, strict=True):
            found = compute(name, again)
            assert found.value == pytest.approx(value.value, rel=1e-8)
            assert found.residual < 1e-7
    narrow = tg.Topology.build("dense", [30, 20, 2])  # too few for the sparse solver, whatever the size
    assert compute("product_sigma1", narrow).value == pytest.approx(1)
    assert compute("product_sigma2", narrow).value == pytest.approx(0, abs=1e-12)


def test_products_and_paths_of_a_wide_network_need_no_square_of_its_width(compute):
    """Outputs × outputs would be 320 GB."""
    random = np.random.default_rng(0)
    masks = [np.array([[1, 1, 0], [0, 1, 1]]), random.random((3, 200_000)) < 0.5]
    topology = tg.Topology(masks)
    paths = masks[0] @ masks[1]
    scaled = [mask / np.sqrt(np.maximum(np.outer(mask.sum(axis=1), mask.sum(axis=0)), 1)) for mask in masks]
    values = np.linalg.svd(scaled[0] @ scaled[1], compute_uv=False)
    assert compute("product_sigma1", topology).value == pytest.approx(values[0])
    assert compute("product_sigma2", topology).value == pytest.approx(values[1])
    assert compute("reachability", topology).value == (paths > 0).mean()
    assert compute("path_count_cv", topology).value == pytest.approx(paths.std() / paths.mean())


def test_blocks_of_outputs_change_nothing(monkeypatch, compute):
    topology = tg.Topology.build("random_edge", [40, 30, 150], [1, 3], seed=2)
    names = ("reachability", "path_count_cv", "log_path_spread")
    whole = [compute(name, topology).value for name in names]
    assert whole[0] < 1
    for room in ("reach", "path_counts"):
        monkeypatch.setattr(f"topograph.metrics.{room}._BLOCK", 8)
    again = tg.Topology(topology.graphs)
    for name, value in zip(names, whole, strict=True):
        assert compute(name, again).value == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_no_overflow_at_any_depth(compute):
    dense = tg.Topology([np.ones((50, 50))] * 400)
    assert compute("log_path_count", dense).value == pytest.approx(401 * math.log(50))
    assert compute("path_count_cv", dense).value == 0
    assert compute("log_path_spread", dense).value == pytest.approx(0, abs=1e-9)
    assert compute("product_sigma1", dense).value == pytest.approx(1)


def test_the_symmetry_of_radix_nets(compute):
    """Rotations by 0 … r − 1 and by multiples of r: every input reaches every output on one path."""
    layers = [[np.roll(np.eye(16), stride * k, axis=1) for k in range(4)] for stride in (1, 4)]
    radix = tg.Topology([sum(rotations) for rotations in layers])
    assert compute("path_count_cv", radix).value == 0
    assert compute("log_path_spread", radix).value == 0
    assert compute("reachability", radix).value == 1
    assert compute("log_path_count", radix).value == pytest.approx(math.log(256))
    uneven = tg.Topology.build("random_regular", [16, 16, 16], [4, 4])
    assert compute("path_count_cv", uneven).value > 0.1


def test_an_impossible_spread_is_refused(compute):
    """One input sees a wide part, one a narrow part, for longer than floating point can hold both."""
    wide = np.kron(np.diag([1, 0]), np.ones((60, 60))) + np.kron(np.diag([0, 1]), np.eye(60))
    topology = tg.Topology([*[wide] * 250, np.ones((120, 1))])
    found = compute("log_path_spread", topology)
    assert math.isnan(found.value)
    assert "300 orders" in found.reason
    assert compute("path_count_cv", topology).value == pytest.approx(1)  # half the inputs have all the paths


def test_the_network_is_one_multipartite_graph():
    topology = tg.Topology.build("random_regular", [12, 9, 6], [3, 3], seed=4)
    row = tg.measure(topology, "all").loc["network"]
    starts = np.cumsum([0, *topology.sizes])
    network = nx.Graph()
    network.add_nodes_from(range(starts[-1]))
    for layer, graph in enumerate(topology):
        network.add_edges_from((graph.edges() + starts[layer : layer + 2]).tolist())
    laplacian = np.linalg.eigvalsh(nx.laplacian_matrix(network).toarray().astype(float))
    assert row["algebraic_connectivity"] == pytest.approx(laplacian[1])
    assert row["laplacian_max"] == pytest.approx(laplacian[-1])
    assert row["diameter"] == nx.diameter(network)
    assert row["n_bridges"] == len(list(nx.bridges(network)))
    assert row["clustering_robins_alexander"] == pytest.approx(nx.bipartite.robins_alexander_clustering(network))
    product = topology[0].to_mask(int) @ topology[1].to_mask(int)
    assert row["reachability"] == pytest.approx((product > 0).mean())


def test_a_layer_is_no_network():
    table = tg.measure(np.eye(3), "network", long=True)
    assert table["value"].isna().all()
    assert set(table["reason"]) == {"defined for a whole network, not for a layer"}
