"""Small networks and data for the tests of pruning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from topograph.topology import Topology
from trainers import Dataset, TrainingConfig
from trainers.pruning.network import ChainNetwork
from trainers.pruning.pruner import get_pruner
from trainers.pruning.pruning import make_budget
from trainers.pruning.task import PruningTask


@pytest.fixture(scope="session")
def few() -> Dataset:
    """Sixty samples of three classes, of six features."""
    generator = np.random.default_rng(5)
    y = np.arange(60) % 3
    x = (generator.random((60, 6)) + 0.5 * np.eye(3, 6)[y]).astype(np.float32)
    return Dataset("few", x, y, x[:30], y[:30])


@pytest.fixture(scope="session")
def images() -> Dataset:
    """Forty images of 12 × 12 in ten classes, flat."""
    generator = np.random.default_rng(6)
    x = generator.random((40, 144)).astype(np.float32)
    return Dataset("images", x, np.arange(40) % 10, x, np.arange(40) % 10)


@pytest.fixture
def one_thread():
    """PyTorch on one core: on a busy machine more of them wait for each other."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Watching(PruningTask):
    """A task that remembers the scores of each selection."""

    seen: list[Any] = field(default_factory=list)

    def select(self, scores, candidates=None, share=1.0):
        self.seen.append([np.array(values) for values in scores])
        return super().select(scores, candidates, share)


def watch(method: str, network: Any, dataset: Dataset | None, edges: int, seed: int = 0, **options: Any) -> Watching:
    """Run a method on a network and keep what it scored."""
    pruner = get_pruner(method)
    scope = pruner.scopes[0]
    task = Watching(
        network, make_budget(network.layers, edges=edges, scope=scope), np.random.default_rng(seed),
        {**pruner.options, **options}, dataset,
    )  # fmt: skip
    pruner.choose(task)
    return task


def chain(*sizes: int, **settings: Any) -> ChainNetwork:
    """A dense chain in float64."""
    config = TrainingConfig(**{"dtype": "float64", "activation": "tanh", **settings})
    return ChainNetwork(Topology.build("dense", list(sizes)), config)


def pytorch_lenet(torch: Any) -> Any:
    """A small convolutional network for the images."""
    nn = torch.nn
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(54, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 10),
    )  # fmt: skip
