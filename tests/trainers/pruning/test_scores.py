"""The scores of the methods against finite differences, brute force, and what they promise."""

import itertools
from collections import Counter

import numpy as np
import pytest

import topograph as tg
from tests.trainers.pruning.conftest import chain, watch
from trainers import TrainingConfig
from trainers.pruning import prune
from trainers.pruning.methods.grasp import GRASP
from trainers.pruning.network import ChainNetwork

SETTINGS = [
    {"loss": "mse"},
    {"loss": "cross_entropy", "output_activation": "softmax"},
    {"loss": "cross_entropy", "activation": "sigmoid"},
]


def numpy_loss(weights, x, y, config, temperature=1.0):
    """The loss of a chain without biases, by its definition."""
    act = {"tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}
    values = x.astype(float)
    for number, matrix in enumerate(weights):
        values = values @ matrix
        if number < len(weights) - 1:
            values = act[config.activation](values)
    z, target = values / temperature, np.eye(values.shape[1])[y]
    if config.loss == "mse":
        return np.mean((act["sigmoid"](z) - target) ** 2)
    if config.output_activation == "softmax":
        p = np.exp(z - z.max(1, keepdims=True))
        return -np.mean(np.log((p / p.sum(1, keepdims=True))[np.arange(len(y)), y]))
    p = act["sigmoid"](z)
    return -np.mean((target * np.log(p) + (1 - target) * np.log(1 - p)).sum(1))


def numpy_gradient(weights, *rest, h=1e-6):
    """Central differences by every weight."""
    result = []
    for matrix in weights:
        gradient = np.empty_like(matrix)
        for place in np.ndindex(matrix.shape):
            before = matrix[place]
            matrix[place] = before + h
            above = numpy_loss(weights, *rest)
            matrix[place] = before - h
            gradient[place] = (above - numpy_loss(weights, *rest)) / (2 * h)
            matrix[place] = before
        result.append(gradient)
    return result


def matrices(network):
    sizes = network.topology.sizes
    return [values.reshape(n, m).copy() for values, n, m in zip(network.weights(), sizes, sizes[1:], strict=False)]


@pytest.mark.parametrize("settings", SETTINGS)
def test_snip_is_the_change_of_the_loss_per_share_of_an_edge_removed(one_thread, few, settings):
    network = chain(6, 4, 3, **settings)
    task = watch("snip", network, few, 12, per_class=20)  # all samples
    weights = matrices(network)
    expected = numpy_gradient(weights, few.x_train, few.y_train, network.config)
    for score, theta, g in zip(task.seen[0], weights, expected, strict=True):
        assert np.allclose(score.reshape(theta.shape), np.abs(theta * g), rtol=1e-5, atol=1e-10)


def test_snip_in_rounds_scores_the_network_that_is_left(one_thread, few):
    network = chain(6, 4, 3)
    task = watch("snip", network, few, 9, per_class=20, rounds=2)
    once = watch("snip", network, few, round((36 * 9) ** 0.5), per_class=20)
    kept = once.select(once.seen[0])
    weights = [matrix * part.reshape(matrix.shape) for matrix, part in zip(matrices(network), kept, strict=True)]
    expected = numpy_gradient(weights, few.x_train, few.y_train, network.config)
    for score, theta, g, part in zip(task.seen[1], matrices(network), expected, kept, strict=True):
        there = part.reshape(theta.shape)
        assert np.allclose(score.reshape(theta.shape)[there], np.abs(theta * g)[there], rtol=1e-5, atol=1e-10)


def test_removed_edges_come_back_only_where_reviving_is_asked_for(one_thread, few):
    topology = tg.Topology.build("dense", [6, 12, 3])
    first, staying, revived = (
        prune("snip", topology, few, rounds=rounds, per_class=20, revive=revive, edges=edges).to_topology()
        for rounds, revive, edges in ((1, False, round((108 * 15) ** 0.5)), (2, False, 15), (2, True, 15))
    )
    inside = [(graph.to_mask() & ~before.to_mask()).sum() for graph, before in zip(staying, first, strict=True)]
    assert inside == [0, 0]
    assert revived.n_edges == staying.n_edges == 15


@pytest.mark.parametrize("settings", SETTINGS)
def test_grasp_is_the_product_of_weights_with_the_hessian_times_the_gradient(one_thread, few, settings):
    network = chain(6, 4, 3, **settings)
    task = watch("grasp", network, few, 12, per_class=20, temperature=2.0)
    weights = matrices(network)
    rest = (few.x_train, few.y_train, network.config, 2.0)
    g = numpy_gradient(weights, *rest, h=1e-5)
    step = 1e-4  # H g is the derivative of the gradient along g
    above = numpy_gradient([w + step * d for w, d in zip(weights, g, strict=True)], *rest, h=1e-5)
    below = numpy_gradient([w - step * d for w, d in zip(weights, g, strict=True)], *rest, h=1e-5)
    for score, theta, up, down in zip(task.seen[0], weights, above, below, strict=True):
        expected = theta * (up - down) / (2 * step)
        assert np.allclose(score.reshape(theta.shape), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_what_grasp_removes_raises_the_gradient_norm_more_than_removing_others(one_thread, few):
    network = chain(6, 8, 3, loss="cross_entropy", output_activation="softmax", seed=2)
    rest = (few.x_train, few.y_train, network.config, 200.0)

    def norm_without(removed):
        weights = matrices(network)
        for matrix, part in zip(weights, removed, strict=True):
            matrix[part.reshape(matrix.shape)] = 0
        return sum((g**2).sum() for g in numpy_gradient(weights, *rest, h=1e-4))

    def removed_by(keep):
        masks = prune(
            "grasp", network.topology, few, edges=68, per_class=20, config=network.config, keep=keep
        ).to_topology()
        return norm_without([~graph.to_mask() for graph in masks])

    generator = np.random.default_rng(0)
    chance = []
    for _ in range(16):
        gone = generator.permutation(72) < 4
        chance.append(norm_without([gone[:48], gone[48:]]))
    low, high = np.quantile(chance, [0.2, 0.8])  # to first order only, so chance may do better now and then
    assert removed_by("largest") > high
    assert removed_by("smallest") < low
    assert set(GRASP.options) == {"keep", "temperature", "per_class", "normalisation"}


def paths(weights):
    """Every path of a chain as its edges, with the product of the magnitudes on it."""
    sizes = [weights[0].shape[0], *(matrix.shape[1] for matrix in weights)]
    for nodes in itertools.product(*map(range, sizes)):
        edges = list(itertools.pairwise(nodes))
        yield edges, np.prod([abs(matrix[edge]) for matrix, edge in zip(weights, edges, strict=True)])


def test_synflow_is_the_sum_of_the_products_of_all_paths_through_an_edge(one_thread):
    network = chain(3, 4, 2, 3, activation="sigmoid")
    task = watch("synflow", network, None, 20, rounds=1, divide=False)
    weights = matrices(network)
    expected = [np.zeros(matrix.shape) for matrix in weights]
    for edges, product in paths(weights):
        for table, edge in zip(expected, edges, strict=True):
            table[edge] += product
    for score, table in zip(task.seen[0], expected, strict=True):
        assert np.allclose(score.reshape(table.shape), table, rtol=1e-12)


def test_synflow_collapses_no_layer_before_the_last_possible_density(one_thread):
    topology = tg.Topology.build("dense", [30, 40, 5, 20, 3])
    for edges in (4, 5, 9, 40):
        for rounds in (1, 7, 100):
            masks = prune("synflow", topology, edges=edges, rounds=rounds)
            assert min(graph.n_edges for graph in masks.values()) >= 1, (edges, rounds)
    one = prune("synflow", topology, edges=4).to_topology()
    assert one.as_graph().largest_component.n_edges == 4 if hasattr(one.as_graph(), "largest_component") else True
    # the four edges are one path
    ends = [tuple(graph.edges()[0]) for graph in one]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ends))


def test_one_undivided_round_of_synflow_collapses_a_layer(one_thread):
    topology = tg.Topology.build("dense", [30, 40, 5, 20, 3])
    masks = prune("synflow", topology, density=0.02, rounds=1, divide=False)
    assert min(graph.n_edges for graph in masks.values()) == 0


def test_the_flow_of_a_model_takes_activations_and_normalisation_as_the_identity(one_thread, images):
    nn = one_thread.nn
    one_thread.manual_seed(1)
    plain = nn.Sequential(nn.Linear(144, 8), nn.Linear(8, 10))
    bent = nn.Sequential(plain[0], nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(), plain[1], nn.Softmax(1))
    bent[1].running_mean += 3
    flat, curved = (prune("synflow", model, images, density=0.1, rounds=3) for model in (plain, bent))
    assert list(flat.values()) == list(curved.values())
    with_biases = prune("synflow", plain, images, density=0.1, rounds=3, biases=True)
    assert sum(g.n_edges for g in with_biases.values()) == sum(g.n_edges for g in flat.values())


def test_every_edge_of_phew_lies_on_a_path_from_an_input_to_an_output(one_thread):
    topology = tg.Topology.build("dense", [20, 15, 12, 4])
    for seed in range(5):
        pruned = prune("phew", topology, density=0.1, seed=seed, config=TrainingConfig(seed=seed)).to_topology()
        row = tg.measure(pruned, ["removable_connections"]).loc["network"]
        assert row["removable_connections"] <= len(topology)  # a part of the last walk at most


def test_walks_take_edges_in_proportion_to_their_weights(one_thread):
    network = ChainNetwork(tg.Topology.build("dense", [1, 4, 1]), TrainingConfig(seed=3, dtype="float64"))
    first = np.abs(network.weights()[0])
    counts = Counter()
    for seed in range(400):
        masks = prune("phew", network.topology, edges=2, seed=seed, config=network.config, both_ends=False)
        counts[int(masks["l1"].edges()[0][1])] += 1
    shares = np.array([counts[j] for j in range(4)]) / 400
    assert np.abs(shares - first / first.sum()).max() < 0.1


def test_phew_says_when_walks_reach_no_more_edges(one_thread):
    from topograph.errors import TrainingError

    model = one_thread.nn.Sequential(one_thread.nn.Linear(4, 4), one_thread.nn.Linear(4, 2))
    with one_thread.no_grad():
        model[0].weight[:2] = 0
    with pytest.raises(TrainingError, match="walks reach 12 edges"):
        prune("phew", model, edges=20)
