"""Models under masks in the PyTorch backend, against a loop written by hand."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import topograph as tg
from topograph.errors import (
    InvalidModelError,
    InvalidParameterError,
    TrainingDivergedError,
    UnknownNameError,
    UnsupportedSettingError,
)
from trainers import ModelSpec, TrainingConfig, TrainingResult, get_trainer, load_dataset
from trainers.datasets import Dataset
from trainers.initialization import batch_order, validation_split
from trainers.models import available_models
from trainers.protocol import ModelTrainer
from trainers.schedule import learning_rate_at

torch = pytest.importorskip("torch")
pytest.importorskip("torch.nn.utils.prune")

CROSS = {"loss": "cross_entropy", "output_activation": "softmax"}


@pytest.fixture(autouse=True)
def factories(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "models"))


@pytest.fixture
def data():
    digits = load_dataset("digits")
    return Dataset(
        "few digits", digits.x_train[:90], digits.y_train[:90], digits.x_test[:40], digits.y_test[:40], shape=(8, 8)
    )


def masks_for(spec, data, density=0.4, **options):
    return tg.MaskSet.build(spec.build(data), "erdos_renyi", density=density, allocation="er", seed=1, **options)


def train(spec, masks, data, **settings):
    config = TrainingConfig(**{"epochs": 2, "batch_size": 16, "learning_rate": 0.1, **CROSS, **settings})
    return get_trainer("pytorch").train_model(spec, masks, data, config), config


def by_hand(spec, masks, data, config):
    """The same training as anybody would write it: the weights are multiplied by the masks after each step."""
    module = spec.build(data, seed=config.seed).to(getattr(torch, config.dtype))
    twin = spec.build(data, seed=config.seed)
    masks.apply_to(twin)
    names = {name: part.mask for name, part in twin.named_modules() if hasattr(part, "mask")}
    fixed = {name.replace("parametrizations.", "").rpartition(".")[0]: mask for name, mask in names.items()}
    parameters = dict(module.named_parameters())
    matrices = [p for p in parameters.values() if p.dim() > 1]
    vectors = [p for p in parameters.values() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if config.optimizer == "adam":
        optimizer = torch.optim.Adam(groups, config.learning_rate, (config.momentum, 0.999))
    else:
        optimizer = torch.optim.SGD(groups, config.learning_rate, config.momentum, nesterov=config.nesterov)
    x, y = (
        torch.tensor(data.x_train).reshape(-1, *data.shape).to(getattr(torch, config.dtype)),
        torch.tensor(data.y_train),
    )
    learning, _ = validation_split(len(y), config)
    with torch.no_grad():
        for name, mask in fixed.items():
            parameters[name].mul_(mask)
    for epoch in range(config.epochs):
        assert learning_rate_at(epoch, config) == config.learning_rate  # else velocities would differ
        module.train()
        order = learning[batch_order(len(learning), epoch, config)]
        for begin in range(0, len(order), config.batch_size):
            batch = torch.from_numpy(order[begin : begin + config.batch_size])
            outputs = module(x[batch])
            target = torch.nn.functional.one_hot(y[batch], data.n_classes).to(outputs.dtype)
            if config.loss == "mse":
                loss = (torch.sigmoid(outputs) - target).square().mean()
            elif config.output_activation == "sigmoid":
                p = torch.sigmoid(outputs)
                loss = -(target * p.log() + (1 - target) * (1 - p).log()).sum(1).mean()
            else:
                loss = -(target * torch.log_softmax(outputs, 1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            for name, mask in fixed.items():
                parameters[name].grad *= mask
            if config.clip_norm:
                norm = torch.sqrt(sum(p.grad.square().sum() for p in parameters.values()))
                if norm > config.clip_norm:
                    for p in parameters.values():
                        p.grad *= config.clip_norm / norm
            optimizer.step()
    return parameters


@pytest.mark.parametrize("name", available_models("torch"))
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.01},
        {"loss": "mse", "output_activation": "sigmoid", "nesterov": False, "weight_decay": 0.02, "clip_norm": 0.05},
        {"output_activation": "sigmoid", "validation": 0.2, "momentum": 0.0, "nesterov": False},
    ],
    ids=["sgd", "adam", "mse", "binary"],
)
def test_a_model_has_the_weights_of_a_loop_written_by_hand(name, settings, data):
    spec = ModelSpec(name)
    masks = masks_for(spec, data)
    result, config = train(spec, masks, data, dtype="float64", **settings)
    parameters = by_hand(spec, masks, data, config)
    trained = dict(result.model.named_parameters())
    for key, wanted in parameters.items():
        owner, _, weight = key.rpartition(".")
        mine = trained.get(key, trained.get(f"{owner}.parametrizations.{weight}.original"))
        assert torch.allclose(mine, wanted, rtol=1e-7, atol=1e-9), key
    for weights, graph in zip(result.weights, masks.values(), strict=True):
        assert np.array_equal(weights.indices, graph.indices)
        assert np.array_equal(weights.indptr, graph.indptr)


def test_the_reported_weights_are_those_of_the_model(data):
    for name in ("lenet5", "mlp"):
        spec = ModelSpec(name)
        masks = masks_for(spec, data)
        result, _ = train(spec, masks, data)
        assert result.topology == masks
        assert list(result.weight_stats.index) == list(masks)
        source = tg.load(result.model)
        for layer, weights in zip(masks, result.weights, strict=True):
            assert source[layer].n_edges <= weights.nnz == masks[layer].n_edges
        first = next(iter(masks))
        tensor = result.model.get_submodule(first.removesuffix(".weight")).weight.detach().numpy()
        unfolded = tensor.reshape(len(tensor), -1).T  # out × in × taps, the kernel unfolding of one input channel
        assert np.array_equal(result.weights[0].toarray(), unfolded)


def test_the_same_seed_gives_the_same_bits(data):
    spec = ModelSpec("lenet5")
    masks = masks_for(spec, data)
    first, again, other = (train(spec, masks, data, seed=seed)[0] for seed in (3, 3, 4))
    assert first.history == again.history != other.history
    assert all(np.array_equal(a.data, b.data) for a, b in zip(first.weights, again.weights, strict=True))


def test_a_model_that_draws_in_evaluation_has_the_same_bits_and_leaves_the_random_state_alone(data):
    spec = ModelSpec("bad_factories:draws_in_evaluation")
    masks, state = masks_for(spec, data), torch.random.get_rng_state()
    first, again = (train(spec, masks, data, seed=3, validation=0.2)[0] for _ in range(2))
    assert first.history == again.history
    assert torch.equal(torch.random.get_rng_state(), state)


def test_records_of_models_come_back(data):
    spec = ModelSpec("lenet5")
    for rewiring, steps in (("none", None), ("set", 2)):
        result, _ = train(spec, masks_for(spec, data), data, rewiring=rewiring, rewire_every=steps)
        back = TrainingResult.from_record(result.to_record(weights=True))
        assert back.weight_stats.equals(result.weight_stats)
        assert back.history == result.history
        assert all((a != b).nnz == 0 for a, b in zip(back.weights, result.weights, strict=True))
        sent = pickle.loads(pickle.dumps(result))
        assert sent.history == result.history
        assert sent.model is None
        if rewiring == "none":
            assert back.topology is None
        else:
            assert back.topology.graphs == result.topology.graphs


@pytest.mark.parametrize("rule", ["set", "rigl", "mest"])
def test_edges_of_a_model_change_by_a_rule_and_their_number_stays(rule, data):
    spec = ModelSpec("lenet5")
    masks = masks_for(spec, data)
    result, _ = train(spec, masks, data, rewiring=rule, rewire_every=2, epochs=3)
    assert result.history["turnover"][0] > 0
    assert result.topology != masks
    for name, weights in zip(masks, result.weights, strict=True):
        assert weights.nnz == masks[name].n_edges == result.topology[name].n_edges


def test_a_live_model_is_trained_from_its_weights_and_left_as_it_is(data):
    spec = ModelSpec("lenet5")
    module = spec.build(data, seed=5)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    masks = masks_for(spec, data)
    live, _ = train(module, masks, data, seed=5)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    named, _ = train(spec, masks, data, seed=5)
    assert live.history == named.history
    masks.apply_to(module)
    again, _ = train(module, masks, data, seed=5)
    assert again.history == named.history
    assert torch.nn.utils.parametrize.is_parametrized(module.conv1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda layer: torch.nn.utils.parametrizations.weight_norm(layer), "_WeightNorm"),
        (lambda layer: torch.nn.utils.prune.l1_unstructured(layer, "weight", 0.5), "L1Unstructured"),
    ],
)
def test_a_live_model_whose_weights_are_computed_by_something_else_is_refused(change, words, data):
    model = ModelSpec("mlp").build(data)
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.5, seed=0)
    change(model.l1)
    with pytest.raises(InvalidModelError, match=rf"weights of l1 in the model Sequential are computed by {words}"):
        train(model, masks, data)


def test_frozen_weights_stay_and_tied_ones_share_their_mask(data):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = torch.nn.Linear(64, 64), torch.nn.Linear(64, 64), torch.nn.Linear(64, 64)
            self.head = torch.nn.Linear(64, 10)
            self.b.weight = self.a.weight
            self.c.requires_grad_(False)

        def forward(self, x):
            return self.head(torch.relu(self.c(torch.relu(self.b(torch.relu(self.a(x.flatten(1))))))))

    model = Tied()
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.5, seed=0)
    assert set(masks) == {"a.weight", "c.weight", "head.weight"}
    result, _ = train(model, masks, data)
    trained = result.model
    assert torch.equal(trained.a.weight, trained.b.weight)
    edges = torch.from_numpy(masks["c.weight"].to_mask().T)
    assert torch.equal(trained.c.weight, model.c.weight * edges)
    assert int((trained.a.weight != 0).sum()) <= masks["a.weight"].n_edges


def test_dropout_of_a_model_is_drawn_from_the_seed_and_leaves_the_global_state(data):
    spec = ModelSpec.of("transformer", dropout=0.3)
    masks = masks_for(spec, data)
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first, again = (train(spec, masks, data)[0] for _ in range(2))
    assert first.history == again.history
    assert torch.equal(state, torch.random.get_rng_state())
    without = train(ModelSpec("transformer"), masks, data)[0]
    assert without.history["loss"] != first.history["loss"]


def test_a_mask_of_channels_stands_for_all_taps(data):
    spec = ModelSpec("lenet5")
    graph = tg.construct("random_regular", 6, 16, degree=8, seed=0)
    result, _ = train(spec, tg.MaskSet({"conv2": graph}), data)
    assert result.weights[0].shape == (150, 16)
    assert result.weights[0].nnz == 25 * graph.n_edges
    assert list(result.topology) == ["conv2"]


def test_patience_returns_to_the_best_epoch(data):
    spec = ModelSpec("resnet8")
    masks = masks_for(spec, data)
    result, _ = train(spec, masks, data, epochs=12, patience=1, validation=0.3, learning_rate=0.5)
    best = int(np.argmin(result.history["validation_loss"]))
    assert len(result.history["loss"]) == best + 2
    short, _ = train(spec, masks, data, epochs=best + 1, validation=0.3, learning_rate=0.5)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(result.weights, short.weights, strict=True))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("activation", "relu"),
        ("initialization", "he_normal"),
        ("fans", "degrees"),
        ("bias", False),
        ("dropout_input", 0.1),
        ("dropout_hidden", 0.1),
        ("dropout_draws", "backend"),
    ],
)
def test_settings_that_a_model_decides_are_refused_by_name(setting, value, data):
    with pytest.raises(UnsupportedSettingError, match=setting):
        train(ModelSpec("mlp"), {}, data, **{setting: value})


def test_the_norm_of_gradients_is_refused_for_chains():
    digits = load_dataset("digits")
    topology = tg.Topology.build("dense", [64, 4, 10])
    for name in ("numpy", "pytorch", "pytorch_sparse"):
        with pytest.raises(UnsupportedSettingError, match=r"clip_norm=1\.0"):
            get_trainer(name).train(topology, digits, TrainingConfig(clip_norm=1))


def test_a_step_size_that_is_too_large_diverges(data):
    spec = ModelSpec("mlp")
    with pytest.raises(TrainingDivergedError, match="epoch 1 of 2"):
        train(spec, masks_for(spec, data), data, learning_rate=1e30)


def test_masks_that_do_not_fit_are_refused_and_the_model_is_named(data):
    wrong = tg.MaskSet({"conv1": tg.construct("dense", 3, 3)})
    with pytest.raises(InvalidModelError, match=r"the model lenet5 does not take these masks: .*conv1"):
        train(ModelSpec("lenet5"), wrong, data)
    with pytest.raises(InvalidModelError, match=r"the model lenet5 .*unknown layer 'conv9'"):
        train(ModelSpec("lenet5"), tg.MaskSet({"conv9": tg.construct("dense", 3, 3)}), data)
    with pytest.raises(InvalidModelError, match="the model mlp is given no masks"):
        train(ModelSpec("mlp"), {}, data)


def test_a_model_that_fails_in_training_is_named(data):
    spec = ModelSpec("bad_factories:fails_in_training")
    with pytest.raises(
        InvalidModelError, match=r"the model bad_factories:fails_in_training failed .* KeyError: 'lost'"
    ):
        train(spec, masks_for(spec, data), data)


def test_what_is_not_a_model_of_pytorch_is_refused(data):
    for given in (3, lambda shape, classes: None, tg.Topology.build("dense", [4, 2])):
        with pytest.raises(InvalidModelError, match=r"torch\.nn\.Module"):
            train(given, {}, data)
    with pytest.raises(UnknownNameError, match="lenet5"):
        train("lenet", {}, data)


def test_modes_that_models_do_not_have_are_refused(data):
    config = TrainingConfig(epochs=1)
    for trainer in (get_trainer("pytorch_sparse"),):
        with pytest.raises(UnsupportedSettingError, match="mode='sparse'"):
            trainer.train_model("mlp", {}, data, config)
    assert isinstance(get_trainer("pytorch"), ModelTrainer)
    assert not hasattr(get_trainer("numpy"), "train_model")


def test_samples_of_more_dimensions_keep_their_shape(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.random((30, 5, 3), dtype=np.float32)
    labels = rng.integers(3, size=30)
    np.savez(tmp_path / "steps.npz", x_train=x, y_train=labels, x_test=x, y_test=labels)
    data = load_dataset(tmp_path / "steps.npz")
    assert data.shape == (5, 3)
    assert data.n_features == 15
    spec = ModelSpec("mlp")
    result, _ = train(spec, masks_for(spec, data), data)
    assert result.total == 30


def small():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: small().requires_grad_(False), "all its parameters are frozen"),
        (lambda: small().to("meta"), "1.weight is on the device 'meta'"),
    ],
)
def test_a_model_without_values_or_anything_to_train_is_named(make, words, data):
    masks = tg.MaskSet.build(small(), "erdos_renyi", density=0.5, seed=0)
    with pytest.raises(InvalidModelError, match=words):
        get_trainer("pytorch").train_model(make(), masks, data, TrainingConfig(epochs=1, **CROSS))


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        ({"1": np.ones((64, 10))}, "got a dict that holds a ndarray"),
        (tg.Topology.build("dense", [64, 10]), "got a Topology"),
        (tg.construct("dense", 64, 10), "got a BipartiteGraph"),
        (None, "is given no masks"),
    ],
)
def test_what_is_not_a_mapping_to_graphs_is_refused_as_masks(masks, words, data):
    with pytest.raises(InvalidModelError, match=words):
        get_trainer("pytorch").train_model(small(), masks, data, TrainingConfig(epochs=1, **CROSS))


def test_what_is_not_a_dataset_is_refused_for_models(data):
    with pytest.raises(InvalidParameterError, match=r"dataset must be a trainers\.Dataset"):
        get_trainer("pytorch").train_model(small(), {}, (data.x_train, data.y_train), TrainingConfig())
