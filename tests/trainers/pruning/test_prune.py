"""`prune`: exact budgets, any network, nothing changed, bad input refused."""

import copy
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topograph as tg
from tests.trainers.pruning.conftest import pytorch_lenet
from topograph.errors import (
    InvalidDatasetError,
    InvalidParameterError,
    TopologyMismatchError,
    TrainingError,
    UnknownNameError,
    UnsupportedSettingError,
)
from trainers import Dataset, TrainingConfig
from trainers.initialization import initial_weights
from trainers.pruning import Pruner, available_pruners, describe_pruners, get_pruner, prune

WITHOUT_TRAINING = sorted(set(available_pruners()) - {"imp"})
CASES = [(name, scope) for name in WITHOUT_TRAINING for scope in get_pruner(name).scopes]
FAST = {"synflow": {"rounds": 5}}


@pytest.mark.parametrize(("method", "scope"), CASES)
@pytest.mark.parametrize("density", [0.07, 0.31, 0.6])
def test_chains_keep_exactly_as_many_edges_as_asked_for(one_thread, few, method, scope, density):
    topology = tg.Topology.build("dense", [6, 9, 7, 3])
    masks = prune(method, topology, few, density=density, scope=scope, **FAST.get(method, {}))
    assert masks.to_topology().sizes == topology.sizes
    assert sum(graph.n_edges for graph in masks.values()) == round(density * 138)
    if scope == "layer":
        assert [graph.n_edges for graph in masks.values()] == list(
            tg.constructions.allocation.allocate_edges([(6, 9), (9, 7), (7, 3)], round(density * 138))
        )


@pytest.mark.parametrize(("method", "scope"), CASES)
def test_models_keep_exactly_as_many_edges_as_asked_for_and_stay_as_they_are(one_thread, images, method, scope):
    model = pytorch_lenet(one_thread)
    model.train()
    before = copy.deepcopy(model.state_dict())
    drawn = one_thread.random.get_rng_state()
    masks = prune(
        method, model, images, density=0.1, scope=scope, allocation="erk", input_shape=(1, 12, 12),
        **FAST.get(method, {}),
    )  # fmt: skip
    possible = 36 + 216 + 1080 + 200
    assert sum(graph.n_edges for graph in masks.values()) == round(0.1 * possible)
    assert list(masks) == ["0.weight", "4.weight", "7.weight", "10.weight"]
    assert all(one_thread.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert one_thread.equal(drawn, one_thread.random.get_rng_state())
    masks.apply_to(model)
    assert {
        name: int((model.get_parameter(f"{name[:-7]}.parametrizations.weight.original") != 0).sum()) for name in masks
    } == {name: graph.n_edges for name, graph in masks.items()}


@settings(max_examples=25)
@given(st.lists(st.integers(1, 7), min_size=2, max_size=5), st.floats(0.05, 1), st.integers(0, 5))
@pytest.mark.parametrize("method", ["random", "magnitude", "synflow"])
def test_any_chain_keeps_its_budget_and_only_edges_that_it_had(method, sizes, density, seed):
    possible = sum(n * m for n, m in itertools.pairwise(sizes))
    edges = max(len(sizes) - 1, round(density * possible))
    masks = prune(
        method, tg.Topology.build("dense", sizes), edges=edges, seed=seed, scope="global", **FAST.get(method, {})
    )
    assert sum(graph.n_edges for graph in masks.values()) == edges


def test_a_sparse_topology_is_pruned_among_its_own_edges(one_thread, few):
    topology = tg.Topology.build("random_regular", [6, 8, 3], degrees=[4, 2], seed=1)
    for method in WITHOUT_TRAINING:
        masks = prune(method, topology, few, density=0.2, **FAST.get(method, {}))
        for graph, before in zip(masks.values(), topology, strict=True):
            assert not (graph.to_mask() & ~before.to_mask()).any(), method


def test_a_masked_model_is_pruned_among_its_own_edges(one_thread, images):
    model = pytorch_lenet(one_thread)
    first = prune("random", model, density=0.5, seed=1)
    first.apply_to(model)
    second = prune("snip", model, images, density=0.2, input_shape=(1, 12, 12))
    for name, graph in second.items():
        assert not (graph.to_mask() & ~first[name].to_mask()).any()
    assert tg.load(model)["0.weight"] == first["0.weight"]  # the copy's parametrizations went, the model's stayed
    assert len(model(one_thread.rand(3, 1, 12, 12))) == 3
    with pytest.raises(InvalidParameterError, match="766 edges"):
        prune("random", model, density=0.6, scope="global")


def test_recurrent_cells_and_attention_are_pruned_gate_by_gate_and_head_by_head(one_thread, images):
    class Cells(one_thread.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = one_thread.nn.LSTM(12, 5, batch_first=True)
            self.heads = one_thread.nn.MultiheadAttention(5 * 2, 2, batch_first=True)
            self.wide = one_thread.nn.Linear(5, 10)
            self.last = one_thread.nn.Linear(10, 10)

        def forward(self, x):
            x = self.wide(self.lstm(x)[0])
            return self.last(self.heads(x, x, x)[0][:, -1])

    for method in ("snip", "grasp", "magnitude", "random"):
        masks = prune(method, Cells(), images, density=0.2, scope="global", input_shape=(12, 12))
        assert "lstm.weight_ih_l0:cell" in masks
        assert "heads.in_proj_weight:query:head1" in masks
        assert sum(graph.n_edges for graph in masks.values()) == round(0.2 * (20 * 12 + 20 * 5 + 300 + 100 + 50 + 100))
    with pytest.raises(UnsupportedSettingError, match=r"not linear.*LSTM"):
        prune("synflow", Cells(), images, density=0.2, input_shape=(12, 12))
    with pytest.raises(UnsupportedSettingError, match="branches"):
        prune("phew", Cells(), images, density=0.2, input_shape=(12, 12))


def test_groups_of_a_convolution_are_never_joined(one_thread, images):
    nn = one_thread.nn
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)
    )
    for method in ("snip", "synflow"):
        masks = prune(method, model, images, density=0.1, input_shape=(1, 12, 12), **FAST.get(method, {}))
        masks.apply_to(copy.deepcopy(model))
        assert masks["2.weight"].shape == (36, 8)


def test_weights_survive_that_a_network_was_pruned_by(one_thread, few):
    topology, config = tg.Topology.build("dense", [6, 9, 3]), TrainingConfig(seed=4, initial_draws="dense")
    whole = initial_weights(topology, TrainingConfig(seed=4))
    pruned = prune("snip", topology, few, density=0.3, config=config).to_topology()
    for graph, kept, before in zip(pruned, initial_weights(pruned, config), whole, strict=True):
        inputs, outputs = graph.edges().T
        assert np.array_equal(kept, before.reshape(graph.shape)[inputs, outputs])


def test_another_seed_draws_other_samples_and_the_same_seed_the_same(one_thread, few):
    topology = tg.Topology.build("dense", [6, 9, 3])

    def pruned(seed):
        return prune("snip", topology, few, density=0.3, per_class=2, seed=seed).to_topology()

    assert pruned(0) == pruned(0)
    assert pruned(0) != pruned(1)


def test_all_scores_equal_are_drawn_by_the_seed(one_thread, images):
    model = one_thread.nn.Linear(144, 10)
    one_thread.nn.init.ones_(model.weight)
    first, again, second = (prune("magnitude", model, density=0.1, seed=seed)["weight"] for seed in (0, 0, 1))
    assert first == again
    assert first != second
    assert min(first.left_degrees.max(), first.right_degrees.max()) < 40  # not one corner of the layer


def test_sparsity_and_edges_say_the_same_as_density(few):
    topology = tg.Topology.build("dense", [6, 9, 3])
    by = [prune("magnitude", topology, **size) for size in ({"density": 0.25}, {"sparsity": 0.75}, {"edges": 20})]
    assert by[0].to_topology() == by[1].to_topology() == by[2].to_topology()


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_less_than_one_edge_per_layer_is_refused_with_what_is_possible(scope):
    topology = tg.Topology.build("dense", [6, 9, 3])
    with pytest.raises(InvalidParameterError, match=r"density=0.01 of 81 possible edges would keep 1 edges.*2 to 81"):
        prune("random", topology, density=0.01, scope=scope)
    assert sum(g.n_edges for g in prune("random", topology, edges=2, scope=scope).values()) == 2


def test_samples_without_some_classes_are_refused_by_class(one_thread):
    x = np.random.default_rng(0).random((20, 6)).astype(np.float32)
    y = np.array([0, 2] * 10)
    data = Dataset("gaps", x, y, x, np.arange(20) % 4)
    with pytest.raises(InvalidDatasetError, match="none of class 1, 3"):
        prune("snip", tg.Topology.build("dense", [6, 5, 4]), data, density=0.5)


def test_batch_normalisation_of_one_sample_is_refused_with_what_to_do_and_nothing_is_changed(one_thread):
    nn = one_thread.nn
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 1))
    model.train()
    before = copy.deepcopy(model.state_dict())
    data = Dataset("one", np.ones((1, 6)), np.zeros(1), np.ones((1, 6)), np.zeros(1))
    with pytest.raises(InvalidDatasetError, match="normalisation='running'"):
        prune("snip", model, data, density=0.5)
    assert model.training
    assert all(one_thread.equal(value, before[name]) for name, value in model.state_dict().items())
    assert sum(g.n_edges for g in prune("snip", model, data, density=0.5, normalisation="running").values()) == 18


def test_scores_that_are_not_finite_are_refused_and_nothing_is_changed(one_thread, images):
    model = pytorch_lenet(one_thread)
    with one_thread.no_grad():
        model[7].weight[0, 0] = float("inf")
    for method in ("magnitude", "snip", "grasp", "synflow"):
        with pytest.raises(TrainingError, match=r"not finite|NaN or infinite"):
            prune(method, model, images, density=0.1, input_shape=(1, 12, 12))
    assert not any(hasattr(part, "parametrizations") for part in model)


def test_a_shape_that_the_model_does_not_take_is_refused_with_input_shape(one_thread, images):
    with pytest.raises(InvalidParameterError, match=r"shape \(40, 144\).*input_shape="):
        prune("snip", pytorch_lenet(one_thread), images, density=0.1)


def test_what_does_not_exist_is_refused_by_name(few):
    topology = tg.Topology.build("dense", [6, 9, 3])
    with pytest.raises(UnknownNameError, match="snipp"):
        prune("snipp", topology, few, density=0.5)
    with pytest.raises(UnknownNameError, match="heat"):
        prune("grasp", topology, few, density=0.5, heat=1)
    with pytest.raises(UnsupportedSettingError, match="phew does not offer scope='layer'"):
        prune("phew", topology, few, density=0.5, scope="layer")
    with pytest.raises(InvalidParameterError, match="reads training samples"):
        prune("snip", topology, density=0.5)
    with pytest.raises(TopologyMismatchError):
        prune("snip", tg.Topology.build("dense", [5, 9, 3]), few, density=0.5)
    with pytest.raises(InvalidParameterError, match=r"a topology or a torch.nn.Module"):
        prune("magnitude", np.ones((3, 4)), density=0.5)
    with pytest.raises(InvalidParameterError, match="density, sparsity or edges"):
        prune("magnitude", topology)
    with pytest.raises(InvalidParameterError, match="input_shape= is for PyTorch models"):
        prune("magnitude", topology, density=0.5, input_shape=(1, 2))


def test_a_pruner_of_somebody_else_is_held_to_its_budget(few):
    topology = tg.Topology.build("dense", [6, 9, 3])
    greedy = Pruner("greedy", "All.", "1", lambda task: task.candidates, "nobody")
    with pytest.raises(InvalidParameterError, match=r"'greedy' was to keep 40 edges.*kept \[54, 27\]"):
        prune(greedy, topology, density=0.5)
    fair = Pruner("fair", "The first.", "-i", lambda task: task.select([-np.arange(54.0), -np.arange(27.0)]), "nobody")
    assert [g.n_edges for g in prune(fair, topology, density=0.5).values()] == [20, 20]


def test_the_table_says_for_each_pruner_what_it_does_and_needs():
    table = describe_pruners()
    assert list(table.index) == list(available_pruners())
    assert (table[["summary", "formula", "reference"]] != "").all(axis=None)
    assert table.loc["synflow", "needs"] == "weights"
    assert table.loc["imp", "needs"] == "training"


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((3, 3), r"input_shape=\(3, 3\) holds 9 numbers, but a sample has 6"),
        (6, "input_shape must be a tuple of sizes"),
        ("6", "input_shape must be a tuple of sizes"),
        ((0, 6), "whole number of at least 1"),
    ],
)
def test_a_shape_that_samples_do_not_have_is_refused(shape, words, few):
    torch = pytest.importorskip("torch")
    with pytest.raises(InvalidParameterError, match=words):
        prune("snip", torch.nn.Linear(6, 3), few, density=0.5, input_shape=shape)


def test_a_pruned_model_is_pruned_further_and_left_as_it_is(few):
    torch = pytest.importorskip("torch")
    import torch.nn.utils.prune as torch_prune

    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Linear(8, 3))
    torch_prune.random_unstructured(model[0], "weight", amount=0.5)
    before, keys = model[0].weight, list(model.state_dict())
    masks = prune("snip", model, few, edges=20)
    there = tg.load(model)["0.weight"].to_mask()
    assert masks["0.weight"].n_edges + masks["1.weight"].n_edges == 20
    assert not (masks["0.weight"].to_mask() & ~there).any()
    assert model[0].weight is before
    assert list(model.state_dict()) == keys


def test_outputs_that_are_no_scores_of_classes_are_told_apart_from_samples_that_do_not_fit(few):
    torch = pytest.importorskip("torch")

    class Named(torch.nn.Linear):
        def forward(self, x):
            return {"scores": super().forward(x)}

    with pytest.raises(InvalidParameterError, match="must return one tensor, samples × classes, but returned a dict"):
        prune("snip", Named(6, 3), few, density=0.5)
    with pytest.raises(InvalidParameterError, match=r"the loss fails on outputs of shape \(\d+, 2\)"):
        prune("snip", torch.nn.Linear(6, 2), few, density=0.5)


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")
def test_programs_and_lazy_models_are_not_pruned(few):
    torch = pytest.importorskip("torch")
    with pytest.raises(InvalidParameterError, match="prune the model that it was made from"):
        prune("magnitude", torch.jit.trace(torch.nn.Linear(6, 3), torch.ones(1, 6)), density=0.5)
    with pytest.raises(InvalidParameterError, match=r"0\.weight has no shape yet"):
        prune("snip", torch.nn.Sequential(torch.nn.LazyLinear(4), torch.nn.Linear(4, 3)), few, density=0.5)
