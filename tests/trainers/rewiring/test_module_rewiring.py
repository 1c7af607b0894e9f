"""Rewiring any PyTorch model in a loop of one's own, step by step against a dense masked model and against chains."""

import copy
import math

import numpy as np
import pytest

import topograph as tg
from topograph.errors import (
    ConformanceError,
    InvalidParameterError,
    TopologyMismatchError,
    UnknownNameError,
    UnsupportedSettingError,
)
from trainers import Dataset, TrainingConfig, get_trainer
from trainers.initialization import batch_order, initial_weights
from trainers.rewiring import Change, ModuleRewiring, RewiringRule

torch = pytest.importorskip("torch")
nn = torch.nn

STEPS, EPOCHS = 6, 4


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))


class Tied(nn.Module):
    """Two layers of one tensor."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(7, 7), nn.Linear(7, 7), nn.Linear(7, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))


MODELS = {
    "linear": (lambda: nn.Sequential(nn.Linear(9, 12), nn.Tanh(), nn.Linear(12, 3)), (9,)),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(54, 3)
        ), (2, 5, 5),
    ),
    "grouped": (
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.Tanh(), nn.Flatten(), nn.Linear(54, 3)), (4, 5, 5),
    ),
    "depthwise": (
        lambda: nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Tanh(), nn.Flatten(), nn.Linear(36, 3)), (4, 5, 5),
    ),
    "transposed": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(4, 6, 3, groups=2), nn.Tanh(), nn.Flatten(), nn.Linear(96, 3)
        ), (4, 2, 2),
    ),
    "channels last": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(54, 3)).to(
            memory_format=torch.channels_last
        ), (3, 5, 5),
    ),
    "recurrent": (Recurrent, (4, 5)),
    "attention": (Attentive, (5, 8)),
    "tied": (Tied, (7,)),
}  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda parameters: torch.optim.AdamW(parameters, 0.01, amsgrad=True),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, 0.001, momentum=0.5),
}


def make(name, seed=0):
    factory, shape = MODELS[name]
    torch.manual_seed(seed)
    model = factory().double()
    x = torch.randn(STEPS * 8, *shape, dtype=torch.float64)
    y = torch.randint(3, (STEPS * 8,))
    return model, x.split(8), y.split(8)


def masks_of(model):
    """Dense enough that no channel is without edges, which would make equal gradients: ties."""
    return tg.MaskSet.build(model, "erdos_renyi", density=0.5, seed=1)


def config_of(rule, **changes):
    return TrainingConfig(
        **{"rewiring": rule, "rewire_every": 5, "rewire_share": 0.4, "epochs": EPOCHS, "seed": 3, **changes}
    )


def train(model, x, y, rewiring, optimizer, *, begin=0, end=EPOCHS * STEPS, after=lambda step: None):
    """Anybody's loop."""
    for step in range(begin, end):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[step % STEPS]), y[step % STEPS]).backward()
        if rewiring.step(optimizer):
            optimizer.step()
        after(step)


def plain(model, name):
    """The parameter below a mask."""
    path, _, weight = name.rpartition(".")
    owner = model.get_submodule(path)
    return owner.parametrizations[weight].original if hasattr(owner, "parametrizations") else getattr(owner, weight)


class DenseMasked:
    """A model without parametrizations, multiplied by its masks before and after everything, in full tensors.

    Parts of a tensor are boolean tensors of its shape, one per layer: the pairs that its edges may be.
    """

    def __init__(self, model, masks, optimizer):
        self.model = model
        self.parts, self.masks = {}, {}
        masked = copy.deepcopy(model)
        masks.apply_to(masked)
        for name in masks:
            weight = name.split(":")[0]
            tensor = model.get_parameter(weight)
            step = masked.get_submodule(weight.rpartition(".")[0]).parametrizations[weight.rpartition(".")[2]][0]
            self.masks[weight] = step.mask.clone()
            self.parts.setdefault(weight, []).append(self._region(name, tensor))
        self._multiply()
        self.optimizer = optimizer(model.parameters())

    @staticmethod
    def _region(name, tensor):
        region, part = torch.zeros(tensor.shape, dtype=torch.bool), name.partition(":")[2]
        gates = ["input", "forget", "cell", "output"]
        if not part:
            return ~region
        if part in gates:  # PyTorch's order of an LSTM's four blocks of rows
            rows = tensor.shape[0] // 4
            region[gates.index(part) * rows :][:rows] = True
        else:  # query, key and value; two heads each
            third, head = part.split(":")
            rows = tensor.shape[0] // 6
            region[(["query", "key", "value"].index(third) * 2 + int(head[4:])) * rows :][:rows] = True
        return region

    def _multiply(self):
        with torch.no_grad():
            for name, mask in self.masks.items():
                self.model.get_parameter(name).mul_(mask)

    def gradients(self, x, y):
        """Of all parameters as if every pair were an edge of weight 0."""
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.model(x), y).backward()

    def train_step(self, x, y):
        self.gradients(x, y)
        for name, mask in self.masks.items():
            self.model.get_parameter(name).grad.mul_(mask)
        self.optimizer.step()
        self._multiply()

    def rigl(self, x, y, share):
        self.gradients(x, y)
        for name, parts in self.parts.items():
            weight = self.model.get_parameter(name).detach()
            for part in parts:
                mask = self.masks[name]
                count = min(round(share * int((mask & part).sum())), int((part & ~mask).sum()))
                if not count:
                    continue
                small = torch.where(mask & part, weight.abs(), torch.inf).flatten().argsort()[:count]
                left = mask.clone()
                left.view(-1)[small] = False
                slope = torch.where(part & ~left, self.model.get_parameter(name).grad.abs(), -torch.inf)
                new = left.clone()
                new.view(-1)[slope.contiguous().flatten().argsort(descending=True)[:count]] = True
                changed = new != mask
                self.masks[name] = new
                with torch.no_grad():
                    self.model.get_parameter(name)[changed] = 0
                for value in self.optimizer.state[self.model.get_parameter(name)].values():
                    if torch.is_tensor(value) and value.shape == changed.shape:
                        value[changed] = 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", MODELS)
def test_rigl_on_any_model_is_the_dense_masked_reference_step_by_step(name, optimizer):
    model, x, y = make(name)
    masks, config = masks_of(model), config_of("rigl")
    reference = DenseMasked(copy.deepcopy(model), masks, OPTIMIZERS[optimizer])
    rewiring = ModuleRewiring(model, masks, config, steps_per_epoch=STEPS)
    changes, total = [], STEPS * EPOCHS

    def follow(step):
        # every 5 steps until ¾; step 5 is an epoch's last and waits for one step
        at = {6, 10, 15}
        if step in at:
            reference.rigl(x[step % STEPS], y[step % STEPS], 0.2 * (1 + math.cos(math.pi * step / (0.75 * total))))
            changes.append(step)
        else:
            reference.train_step(x[step % STEPS], y[step % STEPS])
        for weight, mask in reference.masks.items():
            own = plain(model, weight)
            assert torch.equal(own != 0, reference.model.get_parameter(weight) != 0), (step, weight)
            assert torch.allclose(own, reference.model.get_parameter(weight), rtol=1e-9, atol=1e-12), (step, weight)
            path, _, last = weight.rpartition(".")
            assert torch.equal(model.get_submodule(path).parametrizations[last][0].mask, mask), (step, weight)

    trained = OPTIMIZERS[optimizer](model.parameters())
    train(model, x, y, rewiring, trained, after=follow)
    assert changes == [6, 10, 15]
    assert {key: graph.n_edges for key, graph in rewiring.masks.items()} == {
        key: graph.n_edges for key, graph in masks.items()
    }
    assert rewiring.record()["turnover"] > 0


@pytest.mark.parametrize("rule", ["rigl", "srigl"])
def test_a_sequence_of_linear_layers_is_rewired_as_the_chain_is_by_the_numpy_backend(rule):
    generator = np.random.default_rng(2)
    labels = np.arange(90) % 4
    x = (generator.random((90, 12)) + 0.8 * np.eye(4, 12)[labels]).astype(np.float32)
    data = Dataset("small", x, labels, x[:40], labels[:40])
    topology = tg.Topology.build("biregular_random", [12, 10, 6, 4], [5, 3, 2], seed=3)
    config = config_of(
        rule, rewire_every=8, epochs=4, batch_size=8, learning_rate=0.3, loss="cross_entropy", activation="tanh",
        output_activation="softmax", dtype="float64", seed=5,
    )  # fmt: skip
    chain = get_trainer("numpy").train(topology, data, config)

    layers = [nn.Linear(n, m).double() for n, m in ((12, 10), (10, 6), (6, 4))]
    for layer, graph, weights in zip(layers, topology, initial_weights(topology, config), strict=True):
        whole = np.zeros(graph.shape)
        whole[graph.to_mask()] = weights
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(whole.T))
            layer.bias.zero_()
    model = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])
    masks = dict(zip(("0.weight", "2.weight", "4.weight"), topology, strict=True))
    rewiring = ModuleRewiring(model, masks, config, steps_per_epoch=12)
    optimizer = torch.optim.SGD(model.parameters(), 0.3, momentum=0.9, nesterov=True)
    for epoch in range(4):
        order = batch_order(90, epoch, config)
        for begin in range(0, 90, 8):
            batch = order[begin : begin + 8]
            optimizer.zero_grad()
            outputs = model(torch.from_numpy(x[batch]).double())
            nn.functional.cross_entropy(outputs, torch.from_numpy(labels[batch])).backward()
            if rewiring.step(optimizer):
                optimizer.step()
    assert chain.topology != topology
    for graph, last, layer, weights in zip(rewiring.masks.values(), chain.topology, layers, chain.weights, strict=True):
        assert graph == last
        assert np.allclose(layer.weight.detach().numpy().T, weights.toarray(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", ["set", "mest", "cht", "rigl"])
@pytest.mark.parametrize("name", MODELS)
def test_every_rule_keeps_what_stays_and_forgets_what_goes(name, rule):
    model, x, y = make(name)
    masks = masks_of(model)
    rewiring = ModuleRewiring(model, masks, config_of(rule), steps_per_epoch=STEPS)
    optimizer = OPTIMIZERS["adam"](model.parameters())
    changed = []
    for step in range(STEPS * EPOCHS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[step % STEPS]), y[step % STEPS]).backward()
        before = {weight.split(":")[0]: plain(model, weight.split(":")[0]).detach().clone() for weight in masks}
        edges, due = dict(rewiring.masks), rewiring.is_due
        memory = {
            weight: {key: value.clone() for key, value in optimizer.state[plain(model, weight)].items()}
            for weight in before
        }
        trains = rewiring.step(optimizer)
        assert trains is not (due and rule == "rigl")
        assert due or edges == dict(rewiring.masks)
        assert (step + 1) % STEPS or edges == dict(rewiring.masks), "the last step of an epoch changes nothing"
        for weight, old in before.items():
            own = plain(model, weight)
            path, _, last = weight.rpartition(".")
            mask = model.get_submodule(path).parametrizations[last][0].mask
            assert not own[~mask].any()
            stays = mask & (old != 0)
            assert torch.equal(own[stays], old[stays]) or rule == "set"  # what it draws again is new
            for key, value in optimizer.state[own].items():
                if value.dim():
                    new = mask & (old == 0)
                    assert not value[~mask].any()
                    assert not value[new].any() or not due
                    kept = own == old
                    assert torch.equal((value * mask)[kept & stays], (memory[weight][key] * mask)[kept & stays])
            assert not own.grad[~mask].any()
        if due:
            changed.append(step)
        if trains:
            optimizer.step()
        assert {key: graph.n_edges for key, graph in rewiring.masks.items()} == {
            key: graph.n_edges for key, graph in masks.items()
        }
    until = {"rigl": 0.75}.get(rule, 1.0) * STEPS * EPOCHS
    assert changed == [step for step in (6, 10, 15, 20) if step < until]


def test_set_drops_what_is_nearest_to_zero_on_either_side_and_draws_weights_of_pytorchs_range():
    model, x, y = make("linear")
    masks = masks_of(model)
    rewiring = ModuleRewiring(model, masks, config_of("set", rewire_options="again=false"), steps_per_epoch=STEPS)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    train(model, x, y, rewiring, optimizer, end=6)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[0]), y[0]).backward()
    old, before = model[0].weight.detach().clone(), masks["0.weight"].to_mask().T
    rewiring.step(optimizer)
    new, after = model[0].weight.detach(), rewiring.masks["0.weight"].to_mask().T
    gone, come = before & ~after, after & ~before
    count = round(0.4 * before.sum())
    assert gone.sum() == come.sum() == count
    for sign in (1, -1):
        side = before & (sign * old.numpy() > 0)
        assert np.abs(old.numpy()[side & gone]).max() < np.abs(old.numpy()[side & ~gone]).min()
    assert np.abs(new.numpy()[come]).max() <= 1 / 3
    assert new.numpy()[come].all()


def test_own_initial_weights_are_drawn_with_the_fans_of_the_dense_layer():
    model, x, y = make("grouped")
    asked = []

    def fresh(generator, count, fan_in, fan_out):
        asked.append((fan_in, fan_out))
        return np.full(count, 7.0)

    rewiring = ModuleRewiring(model, masks_of(model), config_of("set"), steps_per_epoch=STEPS, fresh=fresh)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    train(model, x, y, rewiring, optimizer, end=7)
    assert asked == [(18, 27), (54, 3)]
    assert (model[0].weight == 7).any()


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_graph():
    ends = []
    for seed in (3, 3, 4):
        model, x, y = make("recurrent")
        rewiring = ModuleRewiring(model, masks_of(model), config_of("set", seed=seed), steps_per_epoch=STEPS)
        train(model, x, y, rewiring, OPTIMIZERS["sgd"](model.parameters()))
        ends.append((dict(rewiring.masks), model.state_dict()))
    assert ends[0][0] == ends[1][0] != ends[2][0]
    assert all(torch.equal(ends[0][1][key], ends[1][1][key]) for key in ends[0][1])


@pytest.mark.parametrize("rule", ["rigl", "set"])
def test_a_loop_that_was_stopped_goes_on_to_the_same_bits(rule, tmp_path):
    model, x, y = make("attention")
    rewiring = ModuleRewiring(model, masks_of(model), config_of(rule), steps_per_epoch=STEPS)
    optimizer = OPTIMIZERS["adam"](model.parameters())
    train(model, x, y, rewiring, optimizer, end=10)  # the next batch changes edges
    saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rewiring": rewiring.state_dict()}
    torch.save(saved, tmp_path / "saved.pt")
    train(model, x, y, rewiring, optimizer, begin=10)

    again, _, _ = make("attention")
    other = ModuleRewiring(again, masks_of(again), config_of(rule), steps_per_epoch=STEPS)
    optimizer = OPTIMIZERS["adam"](again.parameters())
    saved = torch.load(tmp_path / "saved.pt", weights_only=True)
    again.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    other.load_state_dict(saved["rewiring"])
    train(again, x, y, other, optimizer, begin=10)
    assert dict(other.masks) == dict(rewiring.masks) != dict(masks_of(make("attention")[0]))
    assert all(torch.equal(model.state_dict()[key], value) for key, value in again.state_dict().items())


def test_a_state_of_other_settings_is_refused_by_name():
    model, _, _ = make("linear")
    rewiring = ModuleRewiring(model, masks_of(model), config_of("rigl"), steps_per_epoch=STEPS)
    state = rewiring.state_dict()
    with pytest.raises(InvalidParameterError, match="saved with seed=9, but this rewiring has seed=3"):
        rewiring.load_state_dict({**state, "seed": 9})
    with pytest.raises(InvalidParameterError, match="state must have step"):
        rewiring.load_state_dict({"step": 3})


def test_summed_micro_batches_change_the_edges_as_one_batch_does():
    ends = []
    for parts in (1, 2):
        model, x, y = make("convolution")
        model = nn.Sequential(*(layer for layer in model if not isinstance(layer, nn.BatchNorm2d)))
        rewiring = ModuleRewiring(model, masks_of(model), config_of("rigl"), steps_per_epoch=STEPS)
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for step in range(STEPS * EPOCHS):
            optimizer.zero_grad()
            for inputs, labels in zip(x[step % STEPS].chunk(parts), y[step % STEPS].chunk(parts), strict=True):
                (nn.functional.cross_entropy(model(inputs), labels) / parts).backward()
            if rewiring.step(optimizer):
                optimizer.step()
        ends.append(dict(rewiring.masks))
    assert ends[0] == ends[1]


def test_a_compiled_model_reads_the_same_gradients():
    ends = []
    for compiled in (False, True):
        model, x, y = make("linear")
        rewiring = ModuleRewiring(model, masks_of(model), config_of("rigl"), steps_per_epoch=STEPS)
        runs = torch.compile(model, backend="eager") if compiled else model
        train(runs, x, y, rewiring, torch.optim.SGD(model.parameters(), 0.1))
        ends.append(dict(rewiring.masks))
    assert ends[0] == ends[1]


def test_a_gradient_that_is_not_finite_changes_nothing_and_the_step_is_the_optimizers():
    model, x, y = make("linear")
    masks = masks_of(model)
    rewiring = ModuleRewiring(model, masks, config_of("rigl"), steps_per_epoch=STEPS)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    train(model, x, y, rewiring, optimizer, end=6)
    assert rewiring.is_due
    optimizer.zero_grad()
    (model(x[0]).sum() * torch.inf).backward()
    assert rewiring.step(optimizer)
    assert dict(rewiring.masks) == dict(masks)


def test_layers_that_a_batch_does_not_reach_wait_for_the_next_change():
    model, x, y = make("linear")
    masks = masks_of(model)
    rewiring = ModuleRewiring(model, masks, config_of("rigl"), steps_per_epoch=STEPS)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    train(model, x, y, rewiring, optimizer, end=6)
    optimizer.zero_grad()
    assert rewiring.step(optimizer)
    assert dict(rewiring.masks) == dict(masks)


def test_the_names_of_neurons_stay():
    model, x, y = make("linear")
    masks = dict(masks_of(model))
    masks["0.weight"] = masks["0.weight"].labelled([f"in {i}" for i in range(9)], [f"out {i}" for i in range(12)])
    rewiring = ModuleRewiring(model, masks, config_of("set"), steps_per_epoch=STEPS)
    train(model, x, y, rewiring, torch.optim.SGD(model.parameters(), 0.1))
    assert rewiring.masks["0.weight"].left_labels[0] == "in 0"


def test_metrics_are_recorded_by_the_names_of_layers():
    model, x, y = make("grouped")
    config = config_of("set", rewire_metrics="density, isolated_left")
    rewiring = ModuleRewiring(model, masks_of(model), config, steps_per_epoch=STEPS)
    train(model, x, y, rewiring, torch.optim.SGD(model.parameters(), 0.1), end=2 * STEPS)
    values = rewiring.record()
    assert {"turnover", "0.weight_turnover", "3.weight_turnover", "0.weight_density"} <= set(values)
    assert 0 < values["turnover"] < 1
    assert rewiring.record()["turnover"] == 0


class TestWhatIsRefused:
    def refused(self, error, match, model=None, masks=None, config=None, **options):
        model = make("linear")[0] if model is None else model
        masks = masks_of(model) if masks is None else masks
        with pytest.raises(error, match=match):
            ModuleRewiring(model, masks, config or config_of("rigl"), **{"steps_per_epoch": STEPS, **options})
        return model

    def test_no_rule(self):
        self.refused(UnsupportedSettingError, "name a rule", config=TrainingConfig())

    def test_no_model_of_pytorch(self):
        self.refused(InvalidParameterError, "torch.nn.Module .* but got dict", {}, {})

    def test_one_step_per_epoch(self):
        self.refused(InvalidParameterError, "steps_per_epoch", steps_per_epoch=1)

    def test_an_output_that_is_not_a_layer(self):
        self.refused(UnknownNameError, "layer 'fc'", outputs="fc")

    def test_masks_that_do_not_fit_and_leave_the_model_as_it_was(self):
        graph = tg.construct("erdos_renyi", 5, 5, density=0.5)
        model = self.refused(TopologyMismatchError, "takes a graph of", masks={"0.weight": graph})
        assert not hasattr(model[0], "parametrizations")

    def test_a_graph_of_channels(self):
        model = make("convolution")[0]
        graph = tg.construct("erdos_renyi", 2, 6, density=0.5)
        self.refused(UnsupportedSettingError, "channels.* give the graph of the kernel", model, {"0.weight": graph})
        assert not hasattr(model[0], "parametrizations")

    def test_a_weight_that_something_else_computes(self):
        model = make("linear")[0]
        masks = masks_of(model)
        nn.utils.parametrizations.weight_norm(model[0])
        self.refused(InvalidParameterError, "0.weight is computed by _WeightNorm", model, masks)

    def test_a_sparse_layer(self):
        model = nn.Sequential(nn.Linear(9, 12), nn.Tanh(), nn.Linear(12, 3))
        masks = masks_of(model)
        masks.apply_to(model, sparse=True)
        self.refused(InvalidParameterError, "SparseLinear", model, masks)

    def test_an_optimizer_of_another_model_or_of_sums_over_rows(self):
        model, x, y = make("linear")
        rewiring = ModuleRewiring(model, masks_of(model), config_of("rigl"), steps_per_epoch=STEPS)
        nn.functional.cross_entropy(model(x[0]), y[0]).backward()
        with pytest.raises(InvalidParameterError, match=r"no optimizer that step got trains 0\.weight"):
            rewiring.step(torch.optim.SGD(make("linear")[0].parameters(), 0.1))
        optimizer = torch.optim.Adafactor(model.parameters(), 0.01)
        with pytest.raises(InvalidParameterError, match="Adafactor remembers row_var of shape"):
            train(model, x, y, rewiring, optimizer)

    def test_a_rule_that_breaks_its_contract_leaves_the_model_as_it_is(self, monkeypatch):
        def joins(state):
            return Change(np.array([0]), np.array([state.graph.n_right - 1]), np.zeros(1))

        def reads(state):
            return state.dense_gradient

        for change, message in (
            (joins, "an edge comes that joins two of the layer's 2 groups"),
            (reads, "reads_dense"),
        ):
            model, x, y = make("grouped")
            rule = RewiringRule("broken", "It breaks.", change, "here", every=2, reads_dense=False)
            monkeypatch.setattr("trainers.rewiring.schedule.get_rewiring", lambda name, rule=rule: rule)
            rewiring = ModuleRewiring(model, masks_of(model), config_of("set"), steps_per_epoch=STEPS)
            before = dict(rewiring.masks)
            with pytest.raises(ConformanceError, match=message):
                train(model, x, y, rewiring, torch.optim.SGD(model.parameters(), 0.1))
            assert dict(rewiring.masks) == before


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_srigl_keeps_one_fan_in_within_groups(groups):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=groups), nn.Tanh(), nn.Flatten(), nn.Linear(72, 3)).double()
    x, y = torch.randn(48, 4, 5, 5, dtype=torch.float64).split(8), torch.randint(3, (48,)).split(8)
    layer = np.kron(np.eye(groups, dtype=bool), np.ones((36 // groups, 8 // groups), dtype=bool))
    mask = np.zeros_like(layer)
    for column, inside in enumerate(layer.T):
        mask[np.flatnonzero(inside)[:4], column] = True
    masks = {"0.weight": tg.BipartiteGraph.from_mask(mask)}
    rewiring = ModuleRewiring(model, masks, config_of("srigl", rewire_options="gamma=0"), steps_per_epoch=STEPS)
    train(model, x, y, rewiring, OPTIMIZERS["sgd"](model.parameters()))
    graph = rewiring.masks["0.weight"]
    assert graph != masks["0.weight"]
    assert graph.right_degrees.tolist() == [4] * 8
    assert not (graph.to_mask() & ~layer).any()
