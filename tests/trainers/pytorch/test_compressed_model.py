"""Models whose masked linear layers are compressed."""

from __future__ import annotations

import numpy as np
import pytest

import topograph as tg
from topograph.errors import BudgetError, InvalidModelError, UnsupportedSettingError
from trainers import ModelSpec, TrainingConfig, TrainingResult, get_trainer, load_dataset
from trainers.compression import available_compressions
from trainers.datasets import Dataset
from trainers.initialization import batch_order, compression_generator, validation_split

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

CROSS = {"loss": "cross_entropy", "output_activation": "softmax", "optimizer": "adam", "learning_rate": 0.01}
LENET = ModelSpec("lenet5")


@pytest.fixture(scope="module")
def data():
    digits = load_dataset("digits")
    few = slice(0, 120), slice(0, 40)
    return Dataset(
        "few digits", *(part[few[0]] for part in (digits.x_train, digits.y_train)),
        *(part[few[1]] for part in (digits.x_test, digits.y_test)), shape=(8, 8),
    )  # fmt: skip


def masks_for(spec, data, density=0.4, **options):
    return tg.MaskSet.build(spec.build(data), "erdos_renyi", density=density, seed=1, **options)


def train(model, masks, data, **settings):
    config = TrainingConfig(**{"epochs": 3, "batch_size": 16, **CROSS, **settings})
    return get_trainer("pytorch").train_model(model, masks, data, config)


@pytest.mark.parametrize("name", available_compressions())
def test_linear_layers_are_compressed_and_convolutions_keep_their_masks(data, name):
    masks = masks_for(LENET, data)
    result = train(LENET, masks, data, compression=name)
    for (layer, graph), weights, count in zip(masks.items(), result.weights, result.n_parameters, strict=True):
        if layer.startswith("conv"):
            assert result.topology[layer] == graph
            assert count == graph.n_edges
        else:
            assert result.topology[layer].density == 1
            assert 0.5 * graph.n_edges < count <= graph.n_edges
            assert np.count_nonzero(weights.toarray()) == np.prod(graph.shape)
    biases = 6 + 16 + 120 + 84 + 10
    learnt = sum(p.numel() for p in result.model.parameters())
    convolutions = sum(weights.shape[0] * weights.shape[1] for weights in result.weights[:2])
    assert learnt == convolutions + sum(result.n_parameters[2:]) + biases
    scores = result.model(torch.tensor(data.x_test).reshape(-1, 8, 8))
    assert int((scores.argmax(1).numpy() == data.y_test).sum()) == result.correct
    again = TrainingResult.from_record(result.to_record())
    assert again.topology["fc1.weight"].density == 1
    assert again.n_parameters == result.n_parameters


def test_a_low_rank_model_learns_as_a_loop_written_by_hand(data):
    torch.manual_seed(5)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 24), torch.nn.Tanh(), torch.nn.Linear(24, 10))
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.5, seed=1, include=["1.*"])
    start = [p.detach().clone() for p in model.parameters()]
    config = TrainingConfig(epochs=2, batch_size=16, compression="low_rank", seed=3, **{**CROSS, "optimizer": "sgd"})
    result = get_trainer("pytorch").train_model(model, masks, data, config)

    budget, (first, bias, second, last) = 768, start
    rank = budget // (64 + 24)
    generator = compression_generator(config, 0)
    deviation = (0.5 * float(first.double().square().mean()) / rank) ** 0.25
    u, v = (generator.normal(0, deviation, shape) for shape in ((64, rank), (rank, 24)))
    parameters = [torch.tensor(one, dtype=torch.float32) for one in (u, v)] + [bias, second, last]
    velocity = [torch.zeros_like(p) for p in parameters]
    x, y = torch.tensor(data.x_train), torch.tensor(data.y_train)
    learning, _ = validation_split(len(x), config)
    for epoch in range(2):
        order = torch.tensor(learning)[torch.tensor(batch_order(len(learning), epoch, config))]
        for batch in order.split(16):
            for p in parameters:
                p.requires_grad_()
            u, v, bias, second, last = parameters
            z = torch.tanh(x[batch] @ u @ v + bias) @ second.T + last
            gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(z, y[batch]), parameters)
            velocity = [config.momentum * w - 0.01 * g for w, g in zip(velocity, gradients, strict=True)]
            parameters = [
                (p + config.momentum * w - 0.01 * g).detach()
                for p, w, g in zip(parameters, velocity, gradients, strict=True)
            ]
    np.testing.assert_allclose(
        result.weights[0].toarray(), (parameters[0] @ parameters[1]).numpy(), rtol=2e-4, atol=2e-6
    )
    assert result.n_parameters == (rank * (64 + 24),)


def test_weight_decay_acts_on_all_that_a_compressed_matrix_is_made_of(data):
    masks = masks_for(LENET, data)
    norms = [
        sum(np.square(weights.data).sum() for weights in result.weights[2:])
        for result in (train(LENET, masks, data, compression="hashed", weight_decay=rate) for rate in (0.0, 1.0))
    ]
    assert norms[1] < 0.8 * norms[0]


@pytest.mark.parametrize("name", available_compressions())
def test_neurons_begin_with_values_as_large_as_under_the_masks(name, data):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 400), torch.nn.ReLU(), torch.nn.Linear(400, 10))
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.2, seed=1, include=["1.*"])
    x = torch.randn(300, 64)
    sizes = {}
    for compression in ("none", name):
        result = train(model, masks, data, compression=compression, epochs=1, learning_rate=1e-30)
        with torch.no_grad():
            sizes[compression] = float((result.model[1](x) - result.model[1].bias).square().mean())
    assert sizes[name] == pytest.approx(sizes["none"], rel=0.35)  # without the density it is five times as much


def test_masks_with_all_edges_stay_as_they_are(data):
    masks = masks_for(LENET, data, keep_dense=["fc3*"])
    result = train(LENET, masks, data, compression="hashed", epochs=1)
    assert result.n_parameters[-1] == 840
    assert isinstance(result.model.fc3, torch.nn.Linear)


def test_a_layer_that_stands_in_two_places_is_compressed_in_both(data):
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.body = torch.nn.Linear(64, 20), torch.nn.Linear(20, 20)
            self.again, self.head = self.body, torch.nn.Linear(20, 10)

        def forward(self, x):
            x = torch.relu(self.body(torch.relu(self.first(x.flatten(1)))))
            return self.head(torch.relu(self.again(x)))

    model = Twice()
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.4, seed=1)
    result = train(model, masks, data, compression="hashed", epochs=1)
    assert result.model.body is result.model.again
    assert type(result.model.body).__name__ == "CompressedLinear"


def test_masks_of_which_none_is_of_a_linear_layer_are_refused_with_the_reasons(data):
    spec = ModelSpec("lstm", {"hidden": 12})
    masks = masks_for(spec, data, include=["cells*"])
    with pytest.raises(UnsupportedSettingError, match=r"model lstm\(hidden=12\) has none .* it is a LSTM"):
        train(spec, masks, data, compression="hashed")


def test_a_budget_below_the_least_names_the_layer_and_the_least(data):
    masks = masks_for(LENET, data, density=0.02)
    with pytest.raises(BudgetError, match=r"layer 'fc1.weight', whose edges are its budget: low_rank .* at least"):
        train(LENET, masks, data, compression="low_rank")


def test_masks_that_do_not_fit_are_refused_as_without_compression(data):
    masks = {"fc1.weight": tg.BipartiteGraph.from_mask(np.eye(3))}
    with pytest.raises(InvalidModelError, match="lenet5 does not take these masks"):
        train(LENET, masks, data, compression="hashed")
