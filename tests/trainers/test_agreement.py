"""The built-in trainers walk the same way: benchmarks/agreement.py in small, on the digits."""

from __future__ import annotations

import os

import numpy as np
import pytest

import topograph as tg
from trainers import TrainingConfig, get_trainer, load_dataset

os.environ.setdefault("KERAS_BACKEND", "torch")

PAPER = (
    "random_edge", "random_rotating", "random_regular", "regular_rotating", "long_short_rotating", "fibonacci_rotating",
)  # fmt: skip


@pytest.mark.parametrize("construction", PAPER)
def test_after_three_epochs(construction):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("keras", reason="Keras is not installed")
    topology = tg.Topology.build([construction, "dense"], [64, 30, 10], degrees=[6, 10], seed=0)
    config = TrainingConfig.paper(epochs=3, learning_rate=0.5)
    data = load_dataset("digits")
    numpy, *others = (get_trainer(name).train(topology, data, config) for name in ("numpy", "pytorch", "keras"))
    for result in others:
        assert abs(result.correct - numpy.correct) <= 1  # of 360
        np.testing.assert_allclose(result.history["loss"], numpy.history["loss"], rtol=1e-5)
