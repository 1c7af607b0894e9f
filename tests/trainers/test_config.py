from __future__ import annotations

import json

import pytest

from topograph.errors import InvalidParameterError, TopographError, UnknownNameError, UnsupportedSettingError
from trainers import TrainingConfig


def test_the_papers_setup():
    config = TrainingConfig.paper(seed=3)
    assert (config.epochs, config.batch_size, config.learning_rate, config.momentum) == (50, 32, 0.01, 0.9)
    assert (config.loss, config.activation, config.output_activation) == ("mse", "sigmoid", "sigmoid")
    assert config.nesterov
    assert config.initialization == "glorot_normal"
    assert config.seed == 3
    assert config == TrainingConfig(seed=3)


def test_records_round_trip_through_json():
    config = TrainingConfig.paper(epochs=3, dropout_hidden=0.5)
    assert TrainingConfig.from_record(json.loads(json.dumps(config.to_record()))) == config
    assert config.replace(seed=9).seed == 9


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 2.5}, "epochs=2.5"),
        ({"batch_size": -1}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"momentum": 1}, r"\[0, 1\)"),
        ({"nesterov": 1}, "true or false"),
        ({"loss": "hinge"}, "mse, cross_entropy"),
        ({"activation": "softmax"}, "activation"),
        ({"dropout_input": 1.0}, "dropout_input"),
        ({"dtype": "float16"}, "float32"),
        ({"seed": -1}, "seed"),
    ],
)
def test_each_setting_is_checked(setting, words):
    with pytest.raises(InvalidParameterError, match=words):
        TrainingConfig(**setting)


def test_settings_that_do_not_exist_or_do_not_go_together():
    with pytest.raises(UnknownNameError, match="did you mean 'epochs'"):
        TrainingConfig.paper(epoch=3)
    with pytest.raises(UnsupportedSettingError, match="softmax"):
        TrainingConfig(loss="cross_entropy", output_activation="relu")
    assert issubclass(UnsupportedSettingError, TopographError)
