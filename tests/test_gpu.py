"""What is promised for a GPU, on a GPU: the same networks, masks and products as on a processor."""

import copy

import numpy as np
import pytest

import topograph as tg
from tests.trainers.pruning.conftest import pytorch_lenet
from trainers import Dataset, TrainingConfig, get_trainer, load_dataset
from trainers.pruning import prune
from trainers.rewiring import ModuleRewiring

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
if not torch.cuda.is_available():
    pytest.skip("no GPU that PyTorch can use", allow_module_level=True)

from topograph.torch import peers  # noqa: E402
from trainers.pytorch import PyTorchTrainer  # noqa: E402

TOPOLOGIES = [tg.Topology.build("random_edge", [64, 24, 16, 10], [5, 8, 10], seed=seed) for seed in range(3)]
SETTINGS = {
    "the paper's": {"momentum": 0.9},
    "Adam": {"optimizer": "adam", "learning_rate": 0.01, "loss": "cross_entropy", "activation": "relu"},
    "much": {"dropout_input": 0.2, "dropout_hidden": 0.3, "weight_decay": 1e-3, "momentum": 0.8, "nesterov": True},
}


@pytest.fixture(scope="module")
def data():
    digits = load_dataset("digits")
    return Dataset("few", digits.x_train[:400], digits.y_train[:400], digits.x_test, digits.y_test)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("mode", ["masked", "sparse"])
@pytest.mark.parametrize("name", SETTINGS)
def test_networks_train_as_on_a_processor(mode, name, data):
    config = TrainingConfig(**{"epochs": 3, "learning_rate": 0.3, "dtype": "float64", "seed": 4, **SETTINGS[name]})
    trainer, reference = PyTorchTrainer(mode, device="cuda"), get_trainer("numpy").train(TOPOLOGIES[0], data, config)
    result, again = (trainer.train(TOPOLOGIES[0], data, config) for _ in range(2))
    assert result.device.startswith("cuda")
    np.testing.assert_allclose(result.history["loss"], reference.history["loss"], rtol=1e-9)
    assert result.correct == reference.correct
    for mine, yours, same in zip(result.weights, reference.weights, again.weights, strict=True):
        np.testing.assert_allclose(mine.toarray(), yours.toarray(), atol=1e-9)
        assert np.array_equal(mine.data, same.data)


@pytest.mark.parametrize("mode", ["masked", "sparse"])
def test_many_networks_train_as_one_by_one(mode, data):
    configs = [TrainingConfig(epochs=2, learning_rate=0.3, dtype="float64", seed=seed) for seed in range(3)]
    trainer = PyTorchTrainer(mode, device="cuda")
    for result, *given in zip(trainer.train_many(TOPOLOGIES, data, configs), TOPOLOGIES, configs, strict=True):
        alone = trainer.train(given[0], data, given[1])
        assert result.correct == alone.correct
        for mine, yours in zip(result.weights, alone.weights, strict=True):
            np.testing.assert_allclose(mine.toarray(), yours.toarray(), atol=1e-10)


@pytest.mark.parametrize("way", [*peers.WAYS, None], ids=["dense", "CSR", "chosen"])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_sparse_layer_computes_what_a_dense_one_does(way, batch, monkeypatch):
    if way is not None:
        monkeypatch.setattr(peers, "_choose", lambda *_: way)
    graph = tg.construct("erdos_renyi", 300, 200, density=0.05, seed=0)
    layer = tg.torch.SparseLinear(graph, device="cuda", dtype=torch.float64)
    weight = torch.zeros(300, 200, dtype=torch.float64)
    edges = torch.from_numpy(graph.edges())
    weight[edges[:, 0], edges[:, 1]] = layer.values.detach().cpu()
    x = torch.randn(batch, 300, dtype=torch.float64, device="cuda", requires_grad=True)
    delta = torch.randn(batch, 200, dtype=torch.float64, device="cuda")
    y = layer(x)
    y.backward(delta)
    close = {"rtol": 1e-10, "atol": 1e-10}
    given, back = x.detach().cpu(), delta.cpu()
    torch.testing.assert_close(y.detach().cpu(), given @ weight + layer.bias.detach().cpu(), **close)
    torch.testing.assert_close(x.grad.cpu(), back @ weight.T, **close)
    torch.testing.assert_close(layer.values.grad.cpu(), (given.T @ back)[edges[:, 0], edges[:, 1]], **close)
    torch.testing.assert_close(layer.bias.grad.cpu(), back.sum(0), **close)


def test_a_sparse_model_is_moved_compiled_rewired_and_trained():
    graph = tg.construct("erdos_renyi", 64, 32, density=0.1, seed=0)
    model = torch.nn.Sequential(tg.torch.SparseLinear(graph), torch.nn.ReLU(), torch.nn.Linear(32, 4)).cuda()
    x, y = torch.randn(50, 64, device="cuda"), torch.randint(4, (50,), device="cuda")
    torch.testing.assert_close(torch.compile(model)(x), model(x), rtol=1e-4, atol=1e-5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for number in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if number == 10:
            model[0].rewire(tg.design.rewire(graph, seed=1), optimizer)
    assert losses[-1] < losses[0]
    assert model[0].values.is_cuda
    with torch.autocast("cuda", torch.bfloat16):
        assert model(x).dtype == torch.bfloat16


def test_masks_of_a_model_hold_in_mixed_precision():
    model = pytorch_lenet(torch).cuda()
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.2, seed=1)
    masks.apply_to(model)
    optimizer, scaler = torch.optim.AdamW(model.parameters(), lr=0.01), torch.amp.GradScaler("cuda")
    x, y = torch.randn(16, 1, 12, 12, device="cuda"), torch.randint(10, (16,), device="cuda")
    for _ in range(3):
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    assert dict(tg.load(model)) == dict(masks)
    masks.remove_from(copy.deepcopy(model))


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow", "magnitude"])
def test_a_model_is_pruned_where_it_is(method):
    model = pytorch_lenet(torch).double()
    x, y = np.random.default_rng(6).random((40, 144)).astype(np.float32), np.arange(40) % 10
    images = Dataset("images", x, y, x, y)
    here = prune(method, model, images, density=0.1, input_shape=(1, 12, 12))
    there = prune(method, model.cuda(), images, density=0.1, input_shape=(1, 12, 12))
    assert next(model.parameters()).is_cuda
    if method != "grasp":  # whose scores at the border are closer to each other than a sum's rounding
        assert dict(here) == dict(there)
    assert sum(graph.n_edges for graph in there.values()) == sum(graph.n_edges for graph in here.values())


@pytest.mark.parametrize("rule", ["set", "rigl", "mest", "cht"])
def test_a_model_is_rewired_where_it_is(rule):
    model = pytorch_lenet(torch).cuda()
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.2, seed=1)
    config = TrainingConfig(rewiring=rule, rewire_every=2, epochs=2, seed=0)
    rewiring = ModuleRewiring(model, masks, config, steps_per_epoch=5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    x, y = torch.randn(16, 1, 12, 12, device="cuda"), torch.randint(10, (16,), device="cuda")
    for _ in range(10):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        if rewiring.step(optimizer):
            optimizer.step()
    assert dict(rewiring.masks) != dict(masks)
    assert dict(tg.load(model)) == dict(rewiring.masks)
    for name, graph in masks.items():
        assert rewiring.masks[name].n_edges == graph.n_edges


def test_the_graph_of_a_network_is_that_on_the_processor():
    model = pytorch_lenet(torch)
    tg.MaskSet.build(model, "erdos_renyi", density=0.2, seed=1).apply_to(model)
    here = tg.measure(model, "network", example=(1, 12, 12)).loc["network"]
    there = tg.measure(model.cuda(), "network", example=(1, 12, 12)).loc["network"]
    assert here.equals(there)
