"""Rewiring while training, step by step against a dense masked network; what stays, what is new, when it happens."""

import math

import numpy as np
import pytest

import topograph as tg
from topograph.errors import (
    ConformanceError,
    InvalidParameterError,
    TrainingDivergedError,
    UnknownNameError,
    UnsupportedSettingError,
)
from trainers import Dataset, TrainingConfig, available_trainers, get_trainer
from trainers.conformance.reference import DenseMasked
from trainers.initialization import batch_order, dropout_generator
from trainers.rewiring import available_rewirings, get_rewiring
from trainers.rewiring.rewirer import Rewirer
from trainers.rewiring.rule import read_options
from trainers.schedule import learning_rate_at

SETTINGS = {
    "sgd": {"learning_rate": 0.5},
    "adam": {"optimizer": "adam", "learning_rate": 0.01},
    "decay": {"learning_rate": 0.5, "weight_decay": 0.01, "schedule": "cosine", "nesterov": False},
}


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(2)
    y = np.arange(90) % 4
    x = (generator.random((90, 12)) + 0.8 * np.eye(4, 12)[y]).astype(np.float32)
    return Dataset("small", x, y, x[:40], y[:40])


@pytest.fixture(scope="module")
def topology():
    return tg.Topology.build("biregular_random", [12, 10, 6, 4], [5, 3, 2], seed=3)


def config_of(rule, **changes):
    return TrainingConfig(**{
        "epochs": 4, "batch_size": 8, "activation": "tanh", "dtype": "float64", "seed": 5, "rewiring": rule, **changes
    })  # fmt: skip


class Watched(Rewirer):
    """A rewirer that remembers every change."""

    def change(self, step, weights, biases, batch):
        before = self.topology
        carried = super().change(step, weights, biases, batch)
        self.changes = [*getattr(self, "changes", []), (step, before, [w.copy() for w in weights], carried, batch)]
        return carried


def watch(monkeypatch, data, topology, config):
    """Train with the NumPy backend: the result, and every change."""
    import trainers.rewiring.rewirer as module

    made = []

    def make(*arguments):
        made.append(Watched(*arguments))
        return made[0]

    monkeypatch.setattr("trainers.numpy_sparse.trainer.make_rewirer", make)
    assert module.make_rewirer is not make
    result = get_trainer("numpy").train(topology, data, config)
    return result, made[0].changes


def train_dense(data, topology, config, change):
    """A dense masked network, trained batch by batch; ``change(network, step, batch)`` says which steps to skip."""
    network = DenseMasked(topology, config)
    size, steps = config.batch_size, math.ceil(len(data.x_train) / config.batch_size)
    for epoch in range(config.epochs):
        order, generator = batch_order(len(data.x_train), epoch, config), dropout_generator(epoch, config)
        for step in range(steps):
            batch = order[step * size : (step + 1) * size]
            if change(network, epoch * steps + step, batch) and step < steps - 1:
                continue
            _, weights, biases = network.loss(data.x_train[batch], data.y_train[batch], generator)
            network.step(weights, biases, learning_rate_at(epoch, config))
    return network


def replace(network, layer, drop, grow, fresh=0.0):
    """Change a layer of the dense network; edges that go and come at once stay as they are."""
    new = grow & (network.masks[layer] == 0)
    gone = drop & ~grow
    network.masks[layer][gone] = 0
    network.masks[layer][new] = 1
    network.weights[layer][gone] = 0
    network.weights[layer][new] = fresh
    for memory in network.memory[layer]:
        memory[gone | new] = 0


def assert_equal(result, network):
    for layer, dense, mask in zip(result.weights, network.weights, network.masks, strict=True):
        assert np.array_equal(layer.indices, np.nonzero(mask)[1])
        assert np.allclose(layer.toarray(), dense * mask, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", SETTINGS)
def test_rigl_is_the_dense_masked_reference_step_by_step(data, topology, optimizer):
    config = config_of("rigl", rewire_every=7, rewire_share=0.4, **SETTINGS[optimizer])
    total = 4 * math.ceil(90 / 8)
    changed = []

    def change(network, step, batch):
        if not (0 < step < 0.75 * total and step % 7 == 0):
            return False
        masks = [mask.copy() for mask in network.masks]
        network.masks = [np.ones_like(mask) for mask in masks]  # for the gradient of all pairs
        _, gradients, _ = network.loss(data.x_train[batch], data.y_train[batch])
        network.masks = masks
        share = 0.4 / 2 * (1 + math.cos(math.pi * step / (0.75 * total)))
        for layer, gradient in enumerate(gradients):
            mask, weights = network.masks[layer] != 0, network.weights[layer]
            count = min(round(share * mask.sum()), int((~mask).sum()))
            magnitude = np.where(mask, np.abs(weights), np.inf).ravel()
            drop = np.zeros(mask.size, bool)
            drop[np.argsort(magnitude, kind="stable")[:count]] = True
            drop = drop.reshape(mask.shape)
            score = np.where(mask & ~drop, -np.inf, np.abs(gradient)).ravel()
            grow = np.zeros(mask.size, bool)
            grow[np.argsort(-score, kind="stable")[:count]] = True
            replace(network, layer, drop, grow.reshape(mask.shape))
        changed.append(step)
        return True

    network = train_dense(data, topology, config, change)
    assert changed == [7, 14, 21, 28, 35]
    for trainer in ("numpy", "pytorch"):
        if trainer in available_trainers():
            pytest.importorskip("torch") if trainer == "pytorch" else None
            assert_equal(get_trainer(trainer).train(topology, data, config), network)


@pytest.mark.parametrize("optimizer", SETTINGS)
def test_set_is_the_dense_masked_reference_step_by_step(data, topology, optimizer, monkeypatch):
    config = config_of("set", **SETTINGS[optimizer])
    result, changes = watch(monkeypatch, data, topology, config)
    answers = {step: carried for step, _, _, carried, _ in changes}
    assert sorted(answers) == [12, 24, 36]  # at the end of every epoch but the last

    def change(network, step, batch):
        if step not in answers:
            return False
        for layer, carried in enumerate(answers[step]):
            mask, weights = network.masks[layer] != 0, network.weights[layer]
            after = carried.graph.to_mask()
            count = round(0.3 * mask.sum())
            below = round(count * (mask & (weights < 0)).sum() / mask.sum())
            expected = np.zeros(mask.shape, bool)
            negative = np.sort(weights[mask & (weights < 0)])
            positive = np.sort(weights[mask & (weights >= 0)])
            expected |= mask & (weights < 0) & (weights >= negative[len(negative) - below]) if below else False
            expected |= mask & (weights >= 0) & (weights <= positive[count - below - 1])
            assert expected.sum() == count
            kept = np.zeros(mask.shape, bool)
            pairs = carried.graph.edges()
            kept[tuple(pairs[carried.source >= 0].T)] = True
            assert np.array_equal(kept, mask & ~expected)
            fresh = np.zeros(mask.shape)
            fresh[tuple(pairs[carried.source < 0].T)] = carried.fresh[carried.source < 0]
            new = after & ~kept
            assert new.sum() == count
            network.masks[layer] = after.astype(float)
            network.weights[layer] = np.where(kept, weights, fresh)
            for memory in network.memory[layer]:
                memory[~kept] = 0
        return False

    network = train_dense(data, topology, config, change)
    assert_equal(result, network)


def test_what_set_grows_is_uniform_among_what_is_empty_and_drawn_as_initial_weights(data, monkeypatch):
    topology = tg.Topology.build("random_regular", [12, 40, 4], [10, 2], seed=0)
    grown, weights = np.zeros((12, 40)), []
    for seed in range(40):
        config = config_of("set", seed=seed, epochs=2, batch_size=90, learning_rate=1e-6)
        _, changes = watch(monkeypatch, data, topology, config)
        carried = changes[0][3][0]
        new = carried.source < 0
        grown[tuple(carried.graph.edges()[new].T)] += 1
        weights.append(carried.fresh[new])
    weights = np.concatenate(weights)
    assert abs(weights.std() / np.sqrt(2 / 52) - 1) < 0.1
    assert abs(weights.mean()) < 0.02
    # what was empty is drawn equally often: about 36 of 396 each time, over 40 times
    empty = topology[0].to_mask() == 0
    assert abs(grown[empty].mean() - 40 * 36 / (480 - 84)) < 0.8
    assert grown[empty].max() < 15


@pytest.mark.parametrize("rule", available_rewirings())
def test_every_rule_keeps_the_number_of_edges_and_what_stays_to_the_bit(data, topology, rule, monkeypatch):
    result, changes = watch(monkeypatch, data, topology, config_of(rule, rewire_every=5, learning_rate=0.5))
    assert result.topology != topology
    assert [graph.n_edges for graph in result.topology] == [graph.n_edges for graph in topology]
    for _, before, weights, carried, _ in changes:
        for graph, values, layer in zip(before, weights, carried, strict=True):
            pairs = layer.graph.edges()
            stays = layer.source >= 0
            assert np.array_equal(pairs[stays], graph.edges()[layer.source[stays]])
            assert np.array_equal(layer.values(values, layer.fresh)[stays], values[layer.source[stays]])
            assert (layer.values(values)[~stays] == 0).all()
            new = {tuple(pair) for pair in pairs[~stays].tolist()}
            if rule != "set":  # which gives fresh weights to what it dropped and drew again
                assert not new & {tuple(pair) for pair in graph.edges().tolist()}
            assert (layer.fresh[~stays] == 0).all() == (rule != "set" or stays.all())


@pytest.mark.parametrize("rule", available_rewirings())
def test_numpy_and_pytorch_change_the_same_edges(data, topology, rule):
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    config = config_of(rule, rewire_every=5, learning_rate=0.5, dropout_hidden=0.2)
    ours = get_trainer("numpy").train(topology, data, config)
    theirs, other = get_trainer("pytorch").train_many([topology, topology], data, [config, config.replace(seed=6)])
    torch.set_num_threads(before)
    assert ours.topology == theirs.topology
    assert other.topology == get_trainer("numpy").train(topology, data, config.replace(seed=6)).topology
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        assert np.allclose(a.data, b.data, rtol=1e-9, atol=1e-12)
    assert ours.history["turnover"] == theirs.history["turnover"]


def test_the_same_seed_changes_the_same_edges_and_another_others(data, topology):
    first, again, other = (
        get_trainer("numpy").train(topology, data, config_of("set", seed=seed)) for seed in (1, 1, 2)
    )
    assert first.topology == again.topology
    assert all(np.array_equal(a.data, b.data) for a, b in zip(first.weights, again.weights, strict=True))
    assert first.topology != other.topology


def test_no_evaluation_sees_edges_that_were_not_trained_with(data, topology, monkeypatch):
    steps = math.ceil(90 / 8)
    for rule in available_rewirings():
        for every in (1, steps, steps - 1, 5):
            _, changes = watch(monkeypatch, data, topology, config_of(rule, rewire_every=every, rewire_until=1.0))
            assert all(0 < step < 4 * steps for step, *_ in changes), rule
    rewirer = Rewirer(config_of("rigl"), topology, data.x_train, data.y_train, 90)
    assert [rewirer.spends(step) for step in range(steps)] == [True] * (steps - 1) + [False]


def test_the_record_tells_turnover_and_metrics_after_every_epoch(data, topology):
    result = get_trainer("numpy").train(
        topology, data, config_of("set", rewire_share=0.2, rewire_metrics="density, normalized_gap")
    )
    turnover = result.history["turnover"]
    assert turnover[0] == 0
    assert all(0.05 < value <= 0.2 for value in turnover[1:])
    assert len(result.history["l2_normalized_gap"]) == len(result.history["network_normalized_gap"]) == 4
    last = tg.measure(result.topology, ["normalized_gap"])["normalized_gap"]
    assert result.history["l2_normalized_gap"][-1] == pytest.approx(last["l2"], rel=1e-9)
    assert set(result.history["l1_density"]) == {topology[0].density}


def test_without_rewiring_the_result_has_the_topology_that_was_trained(data, topology):
    result = get_trainer("numpy").train(topology, data, config_of("none"))
    assert result.topology == topology
    assert not any("turnover" in name for name in result.history)


def test_srigl_keeps_one_fan_in_and_ablates_neurons_without_salient_edges(data, monkeypatch):
    topology = tg.Topology.build("biregular_random", [12, 10, 10, 4], [5, 4, 2], seed=0)
    gentle, _ = watch(monkeypatch, data, topology, config_of("srigl", rewire_every=5, rewire_options="gamma=0"))
    for before, after in zip(topology, gentle.topology, strict=True):
        assert set(after.right_degrees) <= {0, *range(before.n_edges // 10, 20)}
    strict, _ = watch(
        monkeypatch, data, topology, config_of("srigl", rewire_every=5, rewire_options="gamma=0.9", learning_rate=0.5)
    )
    for graph in strict.topology:
        degrees = graph.right_degrees[graph.right_degrees > 0]
        assert degrees.max() - degrees.min() <= 1
    assert any((graph.right_degrees == 0).any() for graph in strict.topology[:-1])
    assert (strict.topology[-1].right_degrees > 0).all()


def test_dense_layers_stay_and_a_layer_with_little_room_changes_as_far_as_it_can(data):
    topology = tg.Topology.build("random_regular", [12, 10, 4], [9, 4], seed=0)
    for rule in ("set", "rigl", "mest", "cht"):
        result = get_trainer("numpy").train(topology, data, config_of(rule, rewire_every=5))
        assert result.topology[1] == topology[1]
        assert result.topology[0].n_edges == topology[0].n_edges


def test_a_dropped_edge_may_come_back_only_where_it_is_allowed(data, topology, monkeypatch):
    for rule in ("rigl", "mest", "cht", "set"):
        config = config_of(rule, rewire_every=5, rewire_share=0.3, rewire_options="again=false", learning_rate=0.5)
        _, changes = watch(monkeypatch, data, topology, config)
        shares = []
        for _, before, _, carried, _ in changes:
            for graph, layer in zip(before, carried, strict=True):
                new = layer.graph.edges()[layer.source < 0]
                assert not graph.to_mask()[tuple(new.T)].any(), rule
                shares.append(len(new) / graph.n_edges)
        assert max(shares) > 0.2


def test_threads_and_large_batches_give_the_same_edges(data, topology, monkeypatch):
    """A team of threads shares the arrays that a change writes to."""
    import trainers.numpy_sparse.network as network

    config = config_of("set", batch_size=64, epochs=3, learning_rate=0.5)
    alone = get_trainer("numpy").train(topology, data, config)
    monkeypatch.setattr(network, "_LARGE", 1)
    monkeypatch.setattr(network, "available_threads", lambda: 2)
    together = get_trainer("numpy").train(topology, data, config)
    assert alone.topology == together.topology
    for a, b in zip(alone.weights, together.weights, strict=True):
        assert np.allclose(a.data, b.data, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("trainer", sorted(set(available_trainers()) - {"numpy", "pytorch"}))
def test_other_trainers_refuse_rewiring_by_name(data, topology, trainer):
    try:
        made = get_trainer(trainer)
    except Exception as error:  # its framework is not installed
        pytest.skip(str(error))
    with pytest.raises(UnsupportedSettingError, match=r"rewiring='set' \(offered: 'none'\)"):
        made.train(topology, data, TrainingConfig(rewiring="set"))


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(UnknownNameError, match="riggle"):
        TrainingConfig(rewiring="riggle")
    with pytest.raises(UnknownNameError, match="zeta"):
        TrainingConfig(rewiring="set", rewire_options="zeta=0.3")
    with pytest.raises(InvalidParameterError, match="again=true"):
        TrainingConfig(rewiring="set", rewire_options="again=maybe")
    with pytest.raises(InvalidParameterError, match="rewire_every"):
        TrainingConfig(rewire_every=0)
    with pytest.raises(InvalidParameterError, match="rewire_share"):
        TrainingConfig(rewire_share=1)
    with pytest.raises(InvalidParameterError, match="rewire_until"):
        TrainingConfig(rewire_until=0)
    with pytest.raises(UnknownNameError, match="gapp"):
        TrainingConfig(rewiring="set", rewire_metrics="gapp")
    with pytest.raises(UnsupportedSettingError, match="patience"):
        TrainingConfig(rewiring="set", validation=0.1, patience=3)


def test_srigl_refuses_a_topology_without_one_fan_in(data):
    topology = tg.Topology.build("erdos_renyi", [12, 10, 4], densities=0.4, seed=0)
    from topograph.errors import TopologyMismatchError

    with pytest.raises(TopologyMismatchError, match="same number of edges into every neuron"):
        get_trainer("numpy").train(topology, data, config_of("srigl", rewire_every=5))


def test_a_training_that_diverges_is_named_as_one_that_diverges(data, topology):
    for rule in ("set", "rigl"):
        config = config_of(rule, rewire_every=3, activation="linear", output_activation="linear", learning_rate=1e6)
        for trainer in ("numpy", "pytorch"):
            if trainer == "pytorch":
                pytest.importorskip("torch")
            with pytest.raises(TrainingDivergedError), np.errstate(all="ignore"):
                get_trainer(trainer).train(topology, data, config)


def test_a_rule_with_an_impossible_answer_is_named():
    from dataclasses import replace as changed

    from trainers.rewiring.carried import carry
    from trainers.rewiring.layer import Change, LayerState

    graph = tg.BipartiteGraph.from_mask([[1, 1, 0], [0, 1, 0]])
    state = LayerState(graph, np.ones(3), 1, np.random.default_rng(0), {}, None, None)
    one = np.ones(1)
    good = Change(np.array([0]), np.array([5]), one)
    assert carry(state, good, "r").graph.to_mask().tolist() == [[False, True, False], [False, True, True]]
    for bad in (
        changed(good, grown=np.array([4])),  # which is there
        changed(good, grown=np.array([6])),  # outside
        changed(good, dropped=np.array([0, 1])),
        changed(good, dropped=np.array([0, 0]), grown=np.array([5, 2]), weights=np.ones(2)),
        changed(good, weights=np.full(1, np.nan)),
    ):
        with pytest.raises(ConformanceError, match="the rewiring 'r'"):
            carry(state, bad, "the rewiring 'r', in layer 1")
    assert get_rewiring("rigl").spends_batch


@pytest.mark.parametrize("name", available_rewirings())
def test_every_option_of_every_rule_can_be_set(name):
    rule = get_rewiring(name)
    for option, default in rule.options.items():
        wanted = not default if isinstance(default, bool) else 0.25
        assert read_options(rule, f"{option}={str(wanted).lower()}") == {**rule.options, option: wanted}
