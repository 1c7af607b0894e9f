"""Masks on somebody's own model stay there during somebody's own training."""

import copy

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, InvalidParameterError, TopologyMismatchError, UnknownNameError

TOPOLOGY = tg.Topology.build("random_regular", [20, 15, 5], degrees=2, seed=0)


@pytest.fixture
def torch():
    module = pytest.importorskip("torch", reason="PyTorch is not installed")
    module.manual_seed(0)
    return module


def perceptron(torch):
    return torch.nn.Sequential(torch.nn.Linear(20, 15), torch.nn.ReLU(), torch.nn.Linear(15, 5))


def train(torch, model, optimizer, shape, steps=5):
    for _ in range(steps):
        optimizer.zero_grad()
        made = model(torch.randn(shape))
        (made[0] if isinstance(made, tuple) else made).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.1}),
        ("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    ],
)
def test_masks_hold_against_momentum_that_was_there_before(torch, name, options):
    model = perceptron(torch)
    optimizer = getattr(torch.optim, name)(model.parameters(), **options)
    train(torch, model, optimizer, (8, 20))
    assert TOPOLOGY.apply_to(model) == ("0.weight", "2.weight")
    for _ in range(5):
        before = model[0].weight.detach().clone()
        train(torch, model, optimizer, (8, 20), steps=1)
        for layer, graph in zip((model[0], model[2]), TOPOLOGY, strict=True):
            assert (layer.weight[torch.from_numpy(~graph.to_mask().T)] == 0).all()
        assert not torch.equal(before, model[0].weight)  # and the rest learns
    assert tg.load(model).to_topology() == TOPOLOGY


def test_saved_loaded_copied_and_made_final(torch, tmp_path):
    model = perceptron(torch)
    TOPOLOGY.apply_to(model, ["0", "2"])
    torch.save(model.state_dict(), tmp_path / "m.pt")
    assert tg.load(tmp_path / "m.pt").to_topology() == TOPOLOGY
    assert tg.load(copy.deepcopy(model)).to_topology() == TOPOLOGY
    twin = perceptron(torch)
    TOPOLOGY.apply_to(twin)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin[0].weight, model[0].weight)
    for layer in (model[0], model[2]):
        torch.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    assert tg.load(model).to_topology() == TOPOLOGY


def test_a_second_mask_replaces_the_first(torch):
    model = perceptron(torch)
    tg.Topology.build("dense", [20, 15, 5]).apply_to(model)
    TOPOLOGY.apply_to(model)
    assert tg.load(model).to_topology() == TOPOLOGY
    assert len(model[0].parametrizations.weight) == 1


@pytest.mark.parametrize("unfold", ["kernel", "channel"])
def test_masks_read_from_one_model_go_onto_another(torch, unfold):
    def network():
        nn = torch.nn
        return nn.ModuleDict(
            {
                "conv": nn.Conv2d(4, 6, 3, groups=2),
                "up": nn.ConvTranspose2d(4, 6, 2, groups=2),
                "lstm": nn.LSTM(4, 3),
                "attention": nn.MultiheadAttention(4, 2),
            }
        )

    masks = tg.load(network(), density=0.3, unfold=unfold)
    other = network()
    masks.apply_to(other)
    again = tg.load(other, unfold=unfold)
    assert dict(again) == dict(masks)
    train(torch, other["lstm"], torch.optim.Adam(other["lstm"].parameters(), lr=0.1), (5, 2, 4))
    assert dict(tg.load(other, unfold=unfold)) == dict(masks)


def test_only_some_layers(torch):
    model = perceptron(torch)
    assert tg.MaskSet({"2": TOPOLOGY[1]}).apply_to(model) == ("2.weight",)
    assert tg.load(model)["0.weight"].density == 1


def test_what_does_not_fit(torch):
    with pytest.raises(TopologyMismatchError, match="2 layers, but the model has 1: weight"):
        TOPOLOGY.apply_to(torch.nn.Linear(20, 15))
    with pytest.raises(TopologyMismatchError, match=r"0\.weight takes a graph of 9 × 15, but got 20 × 15"):
        TOPOLOGY.apply_to(torch.nn.Sequential(torch.nn.Linear(9, 15), torch.nn.Linear(15, 5)))
    with pytest.raises(UnknownNameError, match=r"unknown layer 'fc'.*0\.weight, 2\.weight"):
        TOPOLOGY.apply_to(perceptron(torch), ["fc", "2"])
    with pytest.raises(InvalidParameterError, match=r"keras\.Model or a torch\.nn\.Module, but got dict"):
        TOPOLOGY.apply_to({"a": np.ones((20, 15)), "b": np.ones((15, 5))})
    with pytest.raises(InvalidParameterError, match=r"keras\.Model or a torch\.nn\.Module, but got ndarray"):
        tg.MaskSet({"fc": TOPOLOGY[0]}).apply_to(np.ones((20, 15)))
    full = tg.MaskSet({"weight": tg.construct("dense", 4, 6)})
    with pytest.raises(TopologyMismatchError, match="edges between them"):
        full.apply_to(torch.nn.Conv1d(4, 6, 1, groups=2))


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_keras(torch, name, tmp_path):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(15, activation="relu"), keras.layers.Dense(5, kernel_constraint="non_neg")]
    model = keras.Sequential([keras.Input((20,)), *layers])
    options = {"momentum": 0.9, "nesterov": True} if name == "SGD" else {}
    model.compile(getattr(keras.optimizers, name)(0.01, weight_decay=0.1, **options), "mse")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(64, 20)).astype("f4"), random.normal(size=(64, 5)).astype("f4") ** 2
    model.fit(x, y, verbose=0)
    names = [f"{layer.name}/kernel" for layer in layers]
    assert TOPOLOGY.apply_to(model) == tuple(names)
    before = np.array(layers[0].kernel.value.detach())
    model.fit(x, y, epochs=3, verbose=0)
    assert not np.array_equal(before, layers[0].kernel.value.detach().numpy())
    for layer, graph in zip(layers, TOPOLOGY, strict=True):
        assert not layer.kernel.value.detach().numpy()[~graph.to_mask()].any()
    assert (layers[1].kernel.value.detach().numpy() >= 0).all()  # the layer's own constraint still holds
    assert tg.load(model)[names[0]] == TOPOLOGY[0]
    model.save(tmp_path / "m.keras")
    assert tg.load(tmp_path / "m.keras")[names[0]] == TOPOLOGY[0]


def test_a_tensor_that_two_layers_share_is_masked_in_both(torch):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = torch.nn.Embedding(9, 4), torch.nn.Linear(4, 9, bias=False)
            self.head.weight = self.table.weight

        def forward(self, x):
            return self.head(self.table(x))

    torch.manual_seed(0)
    graph = tg.BipartiteGraph.from_mask(np.random.default_rng(0).random((4, 9)) < 0.4)
    for name in ("table", "head"):
        model = Tied()
        tg.MaskSet({name: graph}).apply_to(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for _ in range(3):
            model(torch.arange(9)).square().sum().backward()
            optimizer.step()
        kept = torch.from_numpy(graph.to_mask().T)
        for weight in (model.table.weight, model.head.weight):
            assert torch.equal(weight != 0, kept)
        assert tg.load(model, include="head*")["head.weight"] == graph
    with pytest.raises(TopologyMismatchError, match="one tensor, but their masks differ"):
        tg.MaskSet({"table": graph, "head": tg.BipartiteGraph.from_mask(np.ones((4, 9)))}).apply_to(Tied())


def test_one_layer_may_be_named_as_it_is_and_none_twice():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential()
    model.add_module("first", torch.nn.Linear(4, 4))
    model.add_module("second", torch.nn.Linear(4, 4))
    assert tg.Topology.build("dense", [4, 4]).apply_to(model, layers="second") == ("second.weight",)
    with pytest.raises(TopologyMismatchError, match="names 'first' twice"):
        tg.Topology.build("dense", [4, 4, 4]).apply_to(model, layers=["first", "first"])
    with pytest.raises(InvalidParameterError, match="layers must be names of layers, but got layers=1"):
        tg.Topology.build("dense", [4, 4]).apply_to(model, layers=1)


@pytest.mark.parametrize(
    "graphs", [{"a": np.eye(3)}, [tg.construct("dense", 2, 2)], None, tg.Topology.build("dense", [3, 2])]
)
def test_a_mask_set_holds_graphs_by_name_and_nothing_else(graphs):
    kind = "ndarray" if isinstance(graphs, dict) else type(graphs).__name__
    with pytest.raises(InvalidMaskError, match=f"maps names of layers to graphs, but got a {kind}"):
        tg.MaskSet(graphs)


@pytest.mark.parametrize("graphs", [None, tg.construct("dense", 2, 2), "masks.npz", {"a": tg.construct("dense", 2, 2)}])
def test_a_topology_is_made_of_a_list(graphs):
    with pytest.raises(InvalidMaskError, match=f"made of a list of graphs or masks, but got a {type(graphs).__name__}"):
        tg.Topology(graphs)


def test_patterns_that_are_not_texts_are_refused():
    with pytest.raises(InvalidParameterError, match="include must be one or more globs"):
        tg.load({"a": np.eye(3)}, include=3)
