"""Iterative magnitude pruning: every round's mask, accuracy and weights; rewinding to the bit."""

import itertools

import numpy as np
import pytest

import topograph as tg
from tests.trainers.pruning.conftest import pytorch_lenet
from topograph.errors import InvalidParameterError, UnsupportedSettingError
from trainers import TrainingConfig, get_trainer
from trainers.initialization import initial_weights
from trainers.pruning import find_tickets, prune

CONFIG = TrainingConfig(epochs=3, batch_size=8, learning_rate=0.5, seed=1, dtype="float64")
TOPOLOGY = tg.Topology.build("dense", [6, 9, 3])


@pytest.fixture(scope="module")
def tickets(few):
    return find_tickets(TOPOLOGY, few, density=0.4, config=CONFIG)


def test_each_round_removes_at_most_a_fifth_and_the_last_is_exact(tickets):
    counts = [sum(g.n_edges for g in ticket.masks.values()) for ticket in tickets]
    assert counts[0] == 81
    assert counts[-1] == round(0.4 * 81)
    assert all(after >= 0.8 * before - 1 for before, after in itertools.pairwise(counts))
    assert [ticket.number for ticket in tickets] == list(range(len(counts)))
    assert [round(ticket.density * 81) for ticket in tickets] == counts


def test_each_round_keeps_the_largest_weights_of_the_one_before(tickets):
    for before, after in itertools.pairwise(tickets):
        weights = np.concatenate([np.abs(w) for w in before.weights])
        kept = np.concatenate(
            [after.masks[name].to_mask()[tuple(before.masks[name].edges().T)] for name in before.masks]
        )
        assert weights[kept].min() >= weights[~kept].max()


def test_every_round_begins_with_the_initial_weights_of_the_dense_network(tickets):
    whole = initial_weights(TOPOLOGY, CONFIG)
    for ticket in tickets:
        for values, graph, before in zip(ticket.initial_weights, ticket.masks.values(), whole, strict=True):
            assert np.array_equal(values, before.reshape(graph.shape)[tuple(graph.edges().T)])


def test_a_ticket_trains_as_the_trainer_trains_its_mask_with_dense_draws(tickets, few):
    last = tickets[-1]
    result = get_trainer("numpy").train(last.masks.to_topology(), few, CONFIG.replace(initial_draws="dense"))
    assert result.test_accuracy == last.test_accuracy
    assert result.train_accuracy == last.train_accuracy
    for layer, values in zip(result.weights, last.weights, strict=True):
        assert np.array_equal(layer.data, values)


def test_rewinding_to_a_step_returns_to_the_weights_of_that_step(few):
    step = 11  # in the second of three epochs of eight steps
    tickets = find_tickets(TOPOLOGY, few, density=0.6, config=CONFIG, rewind_to=step)
    whole = tickets[0].initial_weights
    early = get_trainer("numpy").train(TOPOLOGY, few, CONFIG.replace(epochs=1)).weights
    assert not np.allclose(whole[0], initial_weights(TOPOLOGY, CONFIG)[0])
    assert not np.allclose(whole[0], early[0].data)
    for ticket in tickets[1:]:
        for values, graph, before in zip(ticket.initial_weights, ticket.masks.values(), whole, strict=True):
            assert np.array_equal(values, before.reshape(graph.shape)[tuple(graph.edges().T)])


@pytest.mark.parametrize("rewind_to", [0, 11])
@pytest.mark.parametrize(
    "change", [{}, {"optimizer": "adam", "learning_rate": 0.01}, {"schedule": "cosine", "weight_decay": 0.01}]
)
def test_numpy_and_pytorch_find_the_same_tickets(one_thread, few, rewind_to, change):
    config = CONFIG.replace(**change)
    ours, theirs = (
        find_tickets(TOPOLOGY, few, density=0.6, config=config, rewind_to=rewind_to, trainer=trainer)
        for trainer in ("numpy", "pytorch")
    )
    for one, other in zip(ours, theirs, strict=True):
        assert one.masks.to_topology() == other.masks.to_topology()
        for a, b in zip(one.weights, other.weights, strict=True):
            assert np.allclose(a, b, rtol=1e-9, atol=1e-12)
        assert one.test_accuracy == other.test_accuracy


def test_prune_gives_the_mask_of_the_last_round(tickets, few):
    masks = prune("imp", TOPOLOGY, few, density=0.4, config=CONFIG)
    assert masks.to_topology() == tickets[-1].masks.to_topology()


def test_magnitude_after_training_keeps_the_largest_trained_weights(few):
    result = get_trainer("numpy").train(TOPOLOGY, few, CONFIG)
    masks = prune("magnitude", TOPOLOGY, few, density=0.3, scope="global", train=True, config=CONFIG)
    weights = np.concatenate([np.abs(layer.data) for layer in result.weights])
    kept = np.concatenate([graph.to_mask().ravel() for graph in masks.values()])
    assert weights[kept].min() >= weights[~kept].max()
    assert masks.to_topology() != prune("magnitude", TOPOLOGY, density=0.3, scope="global", config=CONFIG).to_topology()


def test_models_are_rewound_too_and_stay_as_they_are(one_thread, images):
    model = pytorch_lenet(one_thread)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = one_thread.random.get_rng_state()
    tickets = find_tickets(
        model, images, density=0.5, rate=0.3, config=TrainingConfig(epochs=1, batch_size=20), input_shape=(1, 12, 12)
    )
    assert [round(ticket.density, 2) for ticket in tickets] == [1.0, 0.71, 0.5]
    assert all(one_thread.equal(value, before[name]) for name, value in model.state_dict().items())
    assert one_thread.equal(drawn, one_thread.random.get_rng_state())
    graph, values = tickets[-1].masks["10.weight"], tickets[-1].initial_weights[-1]
    assert np.array_equal(values, before["10.weight"].numpy().T[tuple(graph.edges().T)])


def test_what_cannot_be_rewound_is_refused(few):
    with pytest.raises(
        InvalidParameterError, match="rewind_to=24 is not before the end of training, which has 24 steps"
    ):
        find_tickets(TOPOLOGY, few, density=0.5, config=CONFIG, rewind_to=24)
    with pytest.raises(UnsupportedSettingError, match="'pytorch_sparse' does not go on from given weights"):
        find_tickets(TOPOLOGY, few, density=0.5, config=CONFIG, trainer="pytorch_sparse")
    with pytest.raises(UnsupportedSettingError, match="patience=1 is not offered"):
        find_tickets(TOPOLOGY, few, density=0.5, config=CONFIG.replace(patience=1, validation=0.2))
    for trainer, settings in (
        ("numpy", {"rewiring": "set"}),
        ("pytorch", {"rewiring": "set"}),
        ("pytorch", {"bias": False}),
        ("pytorch", {"dropout_hidden": 0.5}),
        ("pytorch", {"dropout_input": 0.2}),
    ):
        (name,) = settings
        with pytest.raises(UnsupportedSettingError, match=f"'{trainer}, for pruning' does not offer {name}="):
            find_tickets(TOPOLOGY, few, density=0.5, config=CONFIG.replace(**settings), trainer=trainer)
