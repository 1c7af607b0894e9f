"""Models under masks in the Keras backend, against a loop written by hand."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidModelError, TrainingDivergedError, UnsupportedSettingError
from trainers import ModelSpec, TrainingConfig, get_trainer, load_dataset
from trainers.datasets import Dataset
from trainers.initialization import batch_order
from trainers.models import available_models

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="Keras is not installed")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")

CROSS = {"loss": "cross_entropy", "output_activation": "softmax"}
on_torch = pytest.mark.skipif(keras.config.backend() != "torch", reason="the reference needs Keras on PyTorch")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own


@pytest.fixture
def data():
    digits = load_dataset("digits")
    return Dataset(
        "few digits", digits.x_train[:90], digits.y_train[:90], digits.x_test[:40], digits.y_test[:40], shape=(8, 8)
    )


def masks_for(spec, data):
    return tg.MaskSet.build(spec.build(data), "erdos_renyi", density=0.4, allocation="er", seed=1)


def train(spec, masks, data, **settings):
    config = TrainingConfig(**{"epochs": 2, "batch_size": 16, "learning_rate": 0.1, **CROSS, **settings})
    return get_trainer("keras").train_model(spec, masks, data, config), config


def by_hand(spec, masks, data, config):
    """Keras's layers in a loop of PyTorch: variables by path at the end."""
    model = spec.build(data, seed=config.seed)
    twin = spec.build(data, seed=config.seed)
    masks.apply_to(twin)  # Keras: a constraint
    fixed = {v.path: torch.from_numpy(v.constraint.mask) for v in twin.trainable_variables if v.constraint is not None}
    parameters = {variable.path: variable.value for variable in model.trainable_variables}
    with torch.no_grad():
        for path, mask in fixed.items():
            parameters[path].mul_(mask)
    matrices = [p for p in parameters.values() if p.dim() > 1]
    vectors = [p for p in parameters.values() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if config.optimizer == "adam":
        optimizer = torch.optim.Adam(groups, config.learning_rate, (config.momentum, 0.999))
    else:
        optimizer = torch.optim.SGD(groups, config.learning_rate, config.momentum, nesterov=config.nesterov)
    x, y = torch.tensor(data.x_train).reshape(-1, 8, 8), torch.tensor(data.y_train)
    for epoch in range(config.epochs):
        for batch in torch.from_numpy(batch_order(len(y), epoch, config)).split(config.batch_size):
            outputs = model(x[batch], training=True)
            target = torch.nn.functional.one_hot(y[batch], data.n_classes).float()
            if config.loss == "mse":
                loss = (torch.sigmoid(outputs) - target).square().mean()
            else:
                loss = torch.nn.functional.cross_entropy(outputs, y[batch])
            optimizer.zero_grad()
            loss.backward()
            for path, mask in fixed.items():
                parameters[path].grad *= mask
            if config.clip_norm:
                norm = torch.sqrt(sum(p.grad.square().sum() for p in parameters.values()))
                for p in parameters.values():
                    p.grad *= min(1.0, config.clip_norm / float(norm))
            optimizer.step()
    return {path: value.detach().numpy() for path, value in parameters.items()}


@on_torch
@pytest.mark.parametrize("name", available_models("keras"))
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "adam", "learning_rate": 0.003, "weight_decay": 0.01},
        {"loss": "mse", "output_activation": "sigmoid", "nesterov": False, "weight_decay": 0.02, "clip_norm": 0.02},
    ],
    ids=["sgd", "adam", "mse"],
)
def test_a_model_has_the_weights_of_a_loop_written_by_hand(name, settings, data):
    spec = ModelSpec(name)
    masks = masks_for(spec, data)
    result, config = train(spec, masks, data, **settings)
    expected = by_hand(spec, masks, data, config)
    for variable in result.model.trainable_variables:
        assert np.allclose(variable.numpy(), expected[variable.path], rtol=1e-3, atol=1e-5), variable.path
    for weights, graph in zip(result.weights, masks.values(), strict=True):
        assert np.array_equal(weights.indices, graph.indices)
        assert np.array_equal(weights.indptr, graph.indptr)
    again = tg.load(result.model)
    assert all(again[layer].n_edges <= masks[layer].n_edges for layer in masks)


@on_torch
def test_the_optimizer_remembers_nothing_where_there_is_no_edge(data):
    from topograph.masks.keras.variables import variable_path
    from trainers.keras.model_training import ModelLearner
    from trainers.models.masking import ModelMasks

    spec = ModelSpec("keras_lenet5")
    masks = masks_for(spec, data)
    for optimizer in ("sgd", "adam"):
        model = spec.build(data)
        fitting = ModelMasks("lenet5", model, masks)
        config = TrainingConfig(**CROSS, optimizer=optimizer, weight_decay=0.1, learning_rate=0.01)
        learner = ModelLearner("lenet5", model, fitting.tensors, data, config)
        learner.train_epoch(0, np.arange(90), 0.01)
        for path, mask in fitting.tensors.items():
            (variable,) = (v for v in model.trainable_variables if variable_path(model, v) == path)
            memory = [v for v in model.optimizer.variables if tuple(v.shape) == mask.shape]
            assert memory
            for value in (variable, *memory):
                assert not value.numpy()[~mask].any()


@on_torch
def test_the_same_seed_gives_the_same_bits_and_a_live_model_stays(data):
    spec = ModelSpec("keras_lenet5")
    masks = masks_for(spec, data)
    first, again, other = (train(spec, masks, data, seed=seed)[0] for seed in (3, 3, 4))
    assert first.history == again.history != other.history
    model = spec.build(data, seed=3)
    before = model.get_weights()
    live, _ = train(model, masks, data, seed=3)
    assert live.history == first.history
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@on_torch
def test_patience_returns_to_the_best_epoch(data):
    spec = ModelSpec("keras_lenet5")
    masks = masks_for(spec, data)
    result, _ = train(spec, masks, data, epochs=15, patience=1, validation=0.3, learning_rate=0.3)
    best = int(np.argmin(result.history["validation_loss"]))
    assert len(result.history["loss"]) == min(best + 2, 15)


def test_what_keras_does_not_offer_is_refused_by_name(data):
    spec = ModelSpec("keras_lenet5")
    masks = tg.MaskSet({"fc3": tg.construct("dense", 84, 10)})
    for settings, words in (
        ({"dtype": "float64"}, "dtype='float64'"),
        ({"rewiring": "set"}, "rewiring='set'"),
        ({"activation": "relu"}, "activation='relu'"),
    ):
        with pytest.raises(UnsupportedSettingError, match=words):
            train(spec, masks, data, **settings)
    with pytest.raises(InvalidModelError, match=r"the model lenet5 is a torch\.nn\.Module"):
        train(ModelSpec("lenet5"), masks, data)
    with pytest.raises(InvalidModelError, match=r"the model keras_lenet5 .*a keras\.Model"):
        get_trainer("pytorch").train_model(spec, masks, data, TrainingConfig())
    with pytest.raises(InvalidModelError, match="the model keras_lenet5 does not take these masks"):
        train(spec, tg.MaskSet({"fc3": tg.construct("dense", 83, 10)}), data)


@on_torch
def test_a_step_size_that_is_too_large_diverges(data):
    spec = ModelSpec("keras_lenet5")
    with pytest.raises(TrainingDivergedError, match="epoch 1 of 2"):
        train(spec, masks_for(spec, data), data, learning_rate=1e30)


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (16, 16, 3), (3, 32, 32)])
def test_models_take_images_of_any_size(shape):
    for name in available_models("keras"):
        model = ModelSpec(name).build(shape, 7, seed=1)
        assert tuple(model(np.zeros((3, *shape), np.float32)).shape) == (3, 7)


def test_models_train_on_jax(tmp_path):
    pytest.importorskip("jax", reason="JAX is not installed")
    code = """
import topograph as tg
from trainers import ModelSpec, TrainingConfig, get_trainer, load_dataset
digits, spec = load_dataset("digits"), ModelSpec("keras_lenet5")
masks = tg.MaskSet.build(spec.build(digits), "erdos_renyi", density=0.4, seed=1)
config = TrainingConfig(epochs=3, learning_rate=0.1, loss="cross_entropy", output_activation="softmax", clip_norm=1)
result = get_trainer("keras").train_model(spec, masks, digits, config)
again = get_trainer("keras").train_model(spec, masks, digits, config)
assert result.history == again.history and "jax" in result.versions
assert all(weights.nnz == masks[name].n_edges for name, weights in zip(masks, result.weights))
print(result.test_accuracy)
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) > 0.5
