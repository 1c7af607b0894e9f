"""What the kit cannot see of the PyTorch trainer: its memory, its stacks, its options."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidParameterError, MissingDependencyError, TrainingDivergedError
from trainers import Dataset, MultiTrainer, TrainingConfig, get_trainer, load_dataset

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from trainers.pytorch import PyTorchTrainer  # noqa: E402
from trainers.pytorch.training import StackCourse  # noqa: E402


def few_digits(samples=200):
    data = load_dataset("digits")
    return Dataset("few", data.x_train[:samples], data.y_train[:samples], data.x_test, data.y_test)


DIGITS = tg.Topology.build("random_regular", [64, 24, 10], degrees=[8, 10], seed=0)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_optimizers_memory_is_masked_to_the_bit(optimizer):
    """Of all arrays that PyTorch holds after a training, none has a number off the edges."""
    config = TrainingConfig(epochs=2, optimizer=optimizer, learning_rate=0.05, weight_decay=0.01, schedule="linear")
    course = StackCourse([DIGITS], few_digits(), [config], torch.device("cpu"), sparse=False, compiled=False)
    course.run()
    stack = course.stack
    for layer, memory, graph in zip(stack.layers, stack.memory(), DIGITS, strict=True):
        assert len(memory) == (2 if optimizer == "adam" else 1)
        for array in (*memory, layer.weights.detach().numpy(), layer.gradient.numpy()):
            assert array.shape == (1, *graph.shape)
            assert np.count_nonzero(array[0]) > 0
            assert not array[0][~graph.to_mask()].any()


@pytest.mark.parametrize("mode", ["masked", "sparse"])
def test_many_at_once_equal_one_by_one(mode):
    """Other edges, other seeds, in stacks of several sizes; each as when it is alone."""
    trainer, data = PyTorchTrainer(mode, device="cpu"), few_digits()
    assert isinstance(trainer, MultiTrainer)
    topologies = [tg.Topology.build("random_edge", [64, 20, 10], [5, 10], seed=seed) for seed in range(5)]
    configs = [TrainingConfig(epochs=2, learning_rate=0.5, seed=seed, dtype="float64") for seed in (0, 1, 1, 2, 3)]
    alone = [trainer.train(*given) for given in zip(topologies, [data] * 5, configs, strict=True)]
    for together in (None, 1, 2):
        many = PyTorchTrainer(mode, device="cpu", together=together)
        for one, other in zip(many.train_many(topologies, data, configs), alone, strict=True):
            assert one.config == other.config
            assert one.correct == other.correct
            np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-12)
            for mine, yours in zip(one.weights, other.weights, strict=True):
                np.testing.assert_allclose(mine.data, yours.data, atol=1e-12)
                assert np.array_equal(mine.indices, yours.indices)


def test_networks_stop_early_each_in_its_own_time():
    small = few_digits()
    config = TrainingConfig(
        epochs=60, learning_rate=0.03, optimizer="adam", validation=0.25, patience=2, loss="cross_entropy"
    )
    configs = [config.replace(seed=seed) for seed in range(4)]
    results = PyTorchTrainer(device="cpu").train_many([DIGITS] * 4, small, configs)
    lengths = [len(result.history["loss"]) for result in results]
    assert len(set(lengths)) > 1
    for result, one in zip(results, configs, strict=True):
        reference = get_trainer("numpy").train(DIGITS, small, one)
        assert len(reference.history["loss"]) == len(result.history["loss"])
        assert reference.correct == result.correct


def test_one_that_breaks_costs_no_other():
    rng = np.random.default_rng(0)
    x, y = (rng.random((40, 6)) * 100).astype(np.float32), np.arange(40) % 3
    data = Dataset("large", x, y, x, y)
    config = TrainingConfig(epochs=9, activation="linear", output_activation="linear", learning_rate=0.1)
    calm, wild = tg.Topology([np.zeros((6, 3), dtype=bool)]), tg.Topology.build("dense", [6, 3])
    found = PyTorchTrainer(device="cpu").train_many([wild, calm], data, [config, config])
    assert isinstance(found[0], TrainingDivergedError)
    assert "in epoch" in str(found[0])
    assert np.isfinite(found[1].history["loss"]).all()
    with pytest.raises(TrainingDivergedError):
        PyTorchTrainer(device="cpu").train(wild, data, config)


def test_options_are_checked():
    with pytest.raises(InvalidParameterError, match="mode must be one of masked, sparse"):
        PyTorchTrainer("dense")
    with pytest.raises(InvalidParameterError, match="does not support sparse"):
        PyTorchTrainer("sparse", compile=True)
    with pytest.raises(InvalidParameterError, match="no device 'cuda:99'"):
        PyTorchTrainer(device="cuda:99").train(DIGITS, load_dataset("digits"), TrainingConfig(epochs=1))
    assert PyTorchTrainer("sparse").name == "pytorch_sparse" == get_trainer("pytorch_sparse").name


def test_without_pytorch_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match=r"pip install 'topograph\[torch\]'"):
        get_trainer("pytorch")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's own
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_it_walks_the_same_way():
    small = few_digits(64)
    config = TrainingConfig(epochs=2, learning_rate=0.5, dtype="float64")
    one, other = (PyTorchTrainer(device="cpu", compile=c).train(DIGITS, small, config) for c in (True, False))
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-10)
    np.testing.assert_allclose(one.weights[0].data, other.weights[0].data, atol=1e-10)
