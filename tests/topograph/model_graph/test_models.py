"""Whole models through the door: chains, refusals, and what a model may hold."""

import warnings

import numpy as np
import pytest

import topograph as tg
from tests.topograph.model_graph.compared import check_against, randomly_masked, there
from tests.topograph.model_graph.written_out import Written
from topograph.errors import InvalidParameterError, UnsupportedModelError
from topograph.metrics.registry import get_metric
from topograph.model_graph import row, spectrum
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.path_counts import log_counts, log_path_count

torch = pytest.importorskip("torch")
nn = torch.nn


def chain(seed=0, density=0.3):
    model = nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 4))
    return randomly_masked(model, seed, density)


@pytest.mark.parametrize("seed", range(6))
def test_a_chain_has_the_row_of_its_topology_to_the_digit(seed):
    model = chain(seed)
    topology = tg.load(model).to_topology()
    metrics = ["network", "spectral", "structure", "sizes"]
    expected = tg.measure(topology, metrics).loc["network"]
    row_of_model = tg.measure(model, metrics, example=(9,)).loc["network"]
    assert row_of_model.drop(["reason", "read_as"]).equals(expected.drop("reason"))


@pytest.mark.parametrize("seed", range(6))
def test_a_chain_has_the_same_numbers_by_sweeps_over_its_units(seed):
    model = chain(seed)
    network = tg.network_graph(model, (9,))
    topology = network.as_topology
    network.__dict__["as_topology"] = None  # as if it were more than a chain
    metrics = [get_metric(name) for name in row.COMPUTED]
    swept = {name: value for _, name, value, _, _ in row.graph_records(network, metrics)}
    expected = tg.measure(topology, list(row.COMPUTED)).loc["network"]
    for name, value in swept.items():
        known = expected[name]
        if name == "adjacency_gap" and np.isnan(value):
            assert expected["n_components"] > 1
            continue
        assert value == pytest.approx(
            float(known) if known is not None else np.nan, rel=1e-9, abs=1e-12, nan_ok=True
        ), name


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(8, 2)).train()
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tg.measure(model, "effective_density", example=(1, 4, 4))
    assert [module.training for module in model] == [True, True, False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not torch.nn.modules.module._global_forward_hooks
    assert torch.is_grad_enabled()


def test_an_input_and_its_shape_give_the_same_graph():
    model = randomly_masked(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)), 1)
    tables = [
        tg.measure(model, ["network", "n_components"], example=example)
        for example in ((1, 4, 4), torch.randn(5, 1, 4, 4), np.zeros((1, 1, 4, 4)), (torch.randn(2, 1, 4, 4),))
    ]
    assert all(table.equals(tables[0]) for table in tables)


def test_without_an_example_there_is_no_row_of_the_network():
    assert "network" not in tg.measure(chain(), "density").index


class Choosing(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.expert = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.expert(x.gather(1, self.gate(x).topk(4).indices))


class Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)

    def forward(self, x):
        return torch.fft.fft(self.first(x)).real


@pytest.mark.parametrize(("model", "operation"), [(Choosing(), "aten::topk"), (Fourier(), "aten::_fft_r2c")])
def test_what_cannot_be_read_as_edges_is_named(model, operation):
    with pytest.raises(UnsupportedModelError, match=operation):
        tg.network_graph(model, (4,))
    table = tg.measure(model, ["density", "reachability"], example=(4,))
    assert operation in table.loc["network", "reason"]
    assert np.isnan(table.loc["network", "reachability"])
    assert table.loc[table.index != "network", "density"].eq(1).all()


def test_an_operation_is_named_with_the_module_that_does_it():
    model = nn.Sequential(nn.Linear(4, 4), Fourier())
    with pytest.raises(UnsupportedModelError, match=r"in 1 \(Fourier\)"):
        tg.network_graph(model, (4,))


def test_an_example_that_does_not_fit_is_refused_with_its_shape():
    with pytest.raises(InvalidParameterError, match=r"\(1, 5\).*without the batch"):
        tg.measure(chain(), "density", example=(5,))


@pytest.mark.parametrize("source", [np.eye(3), {"a": np.eye(3)}])
def test_an_example_is_for_live_models(source):
    with pytest.raises(InvalidParameterError, match="leave out example="):
        tg.measure(source, "density", example=(3,))


@pytest.mark.parametrize("option", [{"orientation": "in_out"}, {"null": "rewired"}])
def test_options_that_contradict_an_example_are_refused(option):
    with pytest.raises(InvalidParameterError, match="example="):
        tg.measure(chain(), "density", example=(9,), **option)


def test_a_layer_that_is_left_out_joins_all_it_can():
    model = randomly_masked(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), 0, 0.4)
    written = Written([("x", i) for i in range(4)])
    middle = written.layer("fc", written.inputs, [("h", i) for i in range(3)], there(model[0]))
    written.outputs = [written.node(("y", i)) for i in range(2)]
    for source in middle:
        for target in written.outputs:
            written.edge(source, target)
    network = tg.network_graph(model, (4,), exclude="2.*")
    expected = written.metrics(12)
    table = tg.measure(model, ["effective_density", "log_path_count"], example=(4,), exclude="2.*")
    for name in ("effective_density", "log_path_count"):
        assert table.loc["network", name] == pytest.approx(expected[name])
    assert [layer.name for layer in network.layers] == ["0.weight"]


class ChangedInPlace(nn.Module):
    """Slices, changes in place, and buffers that are filled, as people write them."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x):
        y = self.first(x)
        y[:, :3] += y[:, 3:]
        room = torch.zeros(len(x), 6)
        room[:, ::2] = y[:, :3].relu_()
        room[:, 1] = y[:, 5]
        return self.second(room)


def test_changes_in_place_are_followed():
    model = randomly_masked(ChangedInPlace(), 0, 0.5)
    written = Written([("x", i) for i in range(4)])
    rows = there(model.first)
    # y[0:3] becomes a sum: the edges of its own row are handed over; y[3], y[4], y[5] are read again or only there
    targets = [("sum", 0), ("sum", 1), ("sum", 2), ("sum", 0), ("sum", 1), ("y", 5)]
    del targets[3:5]
    sums = written.layer("low", written.inputs, targets[:3], rows[:3])
    high = written.layer("high", written.inputs, [("y", 3), ("y", 4), ("y", 5)], rows[3:])
    for i in range(3):
        written.edge(high[i], sums[i])
    room = [sums[0], high[2], sums[1], None, sums[2], None]
    written.outputs = written.layer("second", room, ["a", "b"], there(model.second))
    expected = written.metrics(4 * 6 + 12)
    table = tg.measure(model, ["log_path_count", "effective_density", "reachability"], example=(4,))
    assert table.loc["network", "log_path_count"] == pytest.approx(expected["log_path_count"])
    assert table.loc["network", "reachability"] == pytest.approx(expected["reachability"])
    effective = {(name, i, j) for name, i, j in written.effective()}
    assert table.loc["network", "effective_density"] == pytest.approx(len(effective) / 36)


def test_a_weight_that_is_used_twice_is_effective_where_one_use_is():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.last = nn.Linear(4, 4, bias=False), nn.Linear(4, 2)

        def forward(self, x):
            return self.last(torch.relu(self.inner(torch.relu(self.inner(x)))))

    model = randomly_masked(Twice(), 0, 0.35)
    written = Written([("x", i) for i in range(4)])
    middle = written.layer("inner", written.inputs, [("h", i) for i in range(4)], there(model.inner))
    upper = written.layer("inner", middle, [("k", i) for i in range(4)], there(model.inner))
    written.outputs = written.layer("last", upper, ["a", "b"], there(model.last))
    written.hidden = {name for name in written.neurons if name[0] == "inner"}
    check_against(model, (4,), written)


def test_masks_of_prune_and_sparse_layers_are_read_as_they_compute():
    from torch.nn.utils import prune

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(1, 3, 2), nn.Flatten(), nn.Linear(9, 4), nn.ReLU(), nn.Linear(4, 2))
    prune.random_unstructured(model[0], "weight", 0.4)
    prune.random_unstructured(model[2], "weight", 0.6)
    pruned = tg.measure(model, ["network", "density"], example=(1, 4)).loc["network"]
    for layer in (model[0], model[2]):
        prune.remove(layer, "weight")
    assert tg.measure(model, ["network", "density"], example=(1, 4)).loc["network"].equals(pruned)
    tg.MaskSet({"2.weight": tg.load(model)["2.weight"]}).apply_to(model, sparse=True)
    assert type(model[2]).__name__ == "SparseLinear"
    assert tg.measure(model, ["network", "density"], example=(1, 4)).loc["network"].equals(pruned)


def test_a_hand_made_mask_on_a_weight_cuts():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.last = nn.Linear(3, 3), nn.Linear(3, 1)
            self.register_buffer("chosen", torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]]))

        def forward(self, x):
            return self.last(torch.relu(nn.functional.linear(x, self.fc.weight * self.chosen)))

    network = tg.network_graph(Masked(), (3,))
    assert log_path_count(network).value == pytest.approx(np.log(2))
    assert network.effective_edges == 4


@pytest.mark.parametrize("norm", [nn.LayerNorm(6), nn.RMSNorm(6), nn.GroupNorm(2, 6), nn.LocalResponseNorm(2)])
def test_normalisations_pass_each_element_on(norm):
    model = randomly_masked(nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 2)), 0, 0.4)
    plain = tg.measure(model, "network", example=(5,)).loc["network"]
    normed = nn.Sequential(model[0], nn.Unflatten(1, (6, 1)), nn.Flatten(), norm, model[1])
    if isinstance(norm, (nn.GroupNorm, nn.LocalResponseNorm)):
        normed = nn.Sequential(model[0], nn.Unflatten(1, (6, 1)), norm, nn.Flatten(), model[1])
    assert tg.measure(normed, "network", example=(5,)).loc["network"].equals(plain)


def test_counts_beyond_floating_point_carry_exponents():
    model = nn.Sequential(*[nn.Sequential(nn.Linear(300, 300, bias=False), nn.Tanh()) for _ in range(140)])
    network = tg.network_graph(model, (300,))
    assert isinstance(network, NetworkGraph)
    assert log_path_count(network).value == pytest.approx(141 * np.log(300), rel=1e-12)
    assert log_counts(network, network.outputs, backward=True)[1] == pytest.approx(140 * np.log(300), rel=1e-12)


def test_the_operator_of_a_network_multiplies_by_its_adjacency_matrix():
    model = randomly_masked(nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)), 0, 0.5)
    network = tg.network_graph(model, (1, 6, 6))
    operator = spectrum.adjacency_operator(network)
    begins, ends = network.edges()
    matrix = np.zeros(operator.shape)
    np.add.at(matrix, (begins - 1, ends - 1), 1)
    matrix = matrix + matrix.T
    x = np.random.default_rng(0).standard_normal(network.n_units)
    assert operator @ x == pytest.approx(matrix @ x)
    assert network.degrees[1:] == pytest.approx(matrix.sum(axis=0))


def test_a_choice_between_two_has_an_edge_from_each():
    class Leaky(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, x):
            y = self.first(x)
            y = torch.where(y > 0, y, 0.1 * y)  # a function of one unit
            return self.last(torch.where(x[:, :1] > 0, y, torch.zeros(())))

    model = randomly_masked(Leaky(), 0, 0.5)
    written = Written([("x", i) for i in range(4)])
    middle = written.layer("first", written.inputs, [("h", i) for i in range(3)], there(model.first))
    chosen = [written.node(("chosen", i)) for i in range(3)]
    for before, after in zip(middle, chosen, strict=True):
        written.edge(before, after)
        written.edge(("x", 0), after)
    written.outputs = written.layer("last", chosen, ["a", "b"], there(model.last))
    written.hidden = {name for name in written.neurons if name[0] == "first"}
    check_against(model, (4,), written)


def test_a_table_that_is_also_the_last_layer_counts_as_that_layer():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.last = nn.Embedding(6, 3), nn.Linear(3, 6, bias=False)
            self.last.weight = self.table.weight

        def forward(self, words):
            return self.last(torch.tanh(self.table(words)))

    row_of_model = tg.measure(Tied(), "network", example=torch.tensor([[0, 4]])).loc["network"]
    assert row_of_model["effective_density"] == 1
    assert row_of_model["reachability"] == 0.5  # each word its own scores
    with pytest.raises(UnsupportedModelError, match="leave it out with exclude="):
        tg.network_graph(nn.Sequential(nn.Embedding(6, 3), nn.Linear(3, 2)), (2,), include="*")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own, when its compiler is loaded
def test_a_compiled_model_is_read_without_being_compiled():
    model = randomly_masked(nn.Sequential(nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Linear(6, 2)), 0, 0.5)
    plain = tg.measure(model, "network", example=(1, 4)).loc["network"]
    assert tg.measure(torch.compile(model), "network", example=(1, 4)).loc["network"].equals(plain)


def test_a_chain_over_several_places_is_no_topology():
    model = chain()[:1]
    assert tg.network_graph(model, (9,)).as_topology is not None
    network = tg.network_graph(model, (2, 9))
    assert network.as_topology is None
    one, two = (tg.measure(model, "reachability", example=shape).loc["network"] for shape in ((9,), (2, 9)))
    assert two["reachability"] == one["reachability"] / 2  # of two places, none reaches the other


def test_options_that_say_what_an_edge_is_hold_for_the_network():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))
    sparse = tg.measure(model, ["network", "n_edges"], example=(1, 4, 4), density=0.3).loc["network"]
    unrolled = tg.measure(
        model, ["network", "n_edges"], example=(1, 4, 4), density=0.3, unfold="unrolled", geometry=(4, 4)
    ).loc["network"]
    tg.load(model, density=0.3).apply_to(model)
    masked = tg.measure(model, ["network", "n_edges"], example=(1, 4, 4)).loc["network"]
    for found in (sparse, unrolled):
        assert found.drop("read_as").equals(masked.drop("read_as"))
    assert masked["n_edges"] == round(0.3 * 27) + round(0.3 * 48)
    by_channel = tg.measure(model, ["network", "n_edges"], example=(1, 4, 4), unfold="channel").loc["network"]
    assert by_channel.drop("read_as").equals(masked.drop("read_as"))  # the network is made of weights
    with pytest.raises(InvalidParameterError, match="unfold='channel'"):
        tg.measure(model, "n_edges", example=(1, 4, 4), unfold="channel", threshold=0.1)


class OfBatch(nn.Module):
    """A linear layer on what a mapping holds, as many models of language take their batches."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 5)

    def forward(self, batch):
        return self.linear(torch.cat(batch["parts"], 1) + batch["shift"])


def test_of_batches_within_mappings_and_lists_the_first_sample_is_read():
    batch = {"parts": [torch.randn(3, 2), np.ones((3, 4), dtype=np.float32)], "shift": torch.randn(3, 6)}
    network = tg.network_graph(OfBatch(), example=(batch,))
    one = {name: [part[:1] for part in value] if name == "parts" else value[:1] for name, value in batch.items()}
    assert (network.n_units, len(network.inputs), len(network.outputs)) == (
        tg.network_graph(OfBatch(), example=(one,)).n_units,
        12,
        5,
    )


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ((-6,), "sizes from 1 on"),
        (torch.ones(0, 6), "must hold a sample"),
        (np.array([["a"]]), "must hold numbers"),
    ],
)
def test_an_example_without_a_sample_is_refused(example, words):
    with pytest.raises(InvalidParameterError, match=words):
        tg.network_graph(nn.Linear(6, 5), example=example)


def lazy():
    return nn.Sequential(nn.LazyLinear(5), nn.Linear(5, 4))


def with_a_sparse_weight():
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    model[0].weight = nn.Parameter(model[0].weight.data.to_sparse())
    return model


def of_torchscript():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.trace(nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)), torch.randn(1, 6))


@pytest.mark.parametrize(
    ("make", "words"),
    [(lazy, "0.weight has no shape yet"), (with_a_sparse_weight, "make it dense"), (of_torchscript, "TorchScript")],
)
def test_weights_that_cannot_be_followed_are_the_reason_of_the_row(make, words):
    model = make()
    with pytest.raises(UnsupportedModelError, match=words):
        tg.network_graph(model, example=(6,))
    table = tg.measure(model, ["n_edges", "effective_density"], example=(6,))
    assert words in table["reason"]["network"]
    assert table["n_edges"].iloc[-2] == 20
