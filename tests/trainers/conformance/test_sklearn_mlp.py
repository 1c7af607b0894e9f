"""scikit-learn's MLPClassifier, which knows no masks, gets as far through the kit as it can."""

from __future__ import annotations

import pytest

from tests.trainers.conformance.sklearn_mlp import SklearnTrainer
from topograph.errors import ConformanceError
from trainers import TrainingConfig
from trainers.conformance import check_trainer
from trainers.conformance.kit import CHECKS

CONFIG = TrainingConfig(activation="tanh", output_activation="softmax", loss="cross_entropy", learning_rate=0.05)
# one output cannot be, nor can two classes with two; and of the digits, one more or less is right by rounding
BEYOND = ("odd_shapes", "larger_network")


def test_all_checks_but_those_of_its_odd_outputs_pass():
    names = [name for name in CHECKS if name not in BEYOND]
    report = check_trainer(SklearnTrainer(), config=CONFIG, seed=1, only=names)
    assert not report.failures
    assert "loss" in report.refused
    assert "optimizer" in report.refused


def test_what_it_cannot_is_said_with_its_own_words():
    with pytest.raises(ConformanceError, match="gives two classes one output, so it needs at least three"):
        check_trainer(SklearnTrainer(), config=CONFIG, seed=1, only=["odd_shapes"])
