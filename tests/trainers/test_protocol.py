"""The guards that a trainer keeps the contract with."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

import topograph as tg
from topograph.errors import InvalidParameterError, TrainingDivergedError, TrainingError, UnsupportedSettingError
from trainers import MultiTrainer, Trainer, TrainingConfig, get_trainer, load_dataset
from trainers.protocol import ANY, EVERYTHING, check_offered, check_stack


def test_all_refused_settings_are_named_at_once():
    config = TrainingConfig(optimizer="adam", dropout_hidden=0.5, loss="mse", epochs=7)
    offered = {"epochs": ANY, "optimizer": ("sgd",)}
    with pytest.raises(
        UnsupportedSettingError, match=r"'mine'.*optimizer='adam' \(offered: 'sgd'\).*dropout_hidden=0.5"
    ):
        check_offered("mine", config, offered)
    with pytest.raises(UnsupportedSettingError, match="bias=False"):
        check_offered("mine", TrainingConfig(bias=False), {"bias": ()})


def test_a_setting_of_a_later_version_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class LaterConfig(TrainingConfig):
        label_smoothing: float = 0.0

    check_offered("mine", LaterConfig(), EVERYTHING)
    with pytest.raises(UnsupportedSettingError, match=r"label_smoothing=0\.1"):
        check_offered("mine", LaterConfig(label_smoothing=0.1), EVERYTHING)
    config = TrainingConfig()
    object.__setattr__(config, "optimizer", "a later one")
    with pytest.raises(UnsupportedSettingError, match="optimizer='a later one'"):
        check_offered("mine", config, EVERYTHING)


def test_everything_is_every_setting():
    assert set(EVERYTHING) == {field.name for field in fields(TrainingConfig)}


def test_a_stack_differs_in_seed_and_connections_only():
    one, other = (tg.Topology.build("random_regular", [6, 4, 2], 2, seed=seed) for seed in (0, 1))
    check_stack([one, other, one], [TrainingConfig(seed=seed) for seed in (0, 0, 5)])
    check_stack([], [])
    with pytest.raises(InvalidParameterError, match="2 topologies and 1 configs"):
        check_stack([one, other], [TrainingConfig()])
    with pytest.raises(InvalidParameterError, match="network 1 is 6-3-2 and network 0 is 6-4-2"):
        check_stack([one, tg.Topology.build("dense", [6, 3, 2])], [TrainingConfig()] * 2)
    with pytest.raises(InvalidParameterError, match=r"momentum=0\.5"):
        check_stack([one, one], [TrainingConfig(), TrainingConfig(momentum=0.5)])


def test_the_protocols_tell_trainers_apart():
    numpy = get_trainer("numpy")
    assert isinstance(numpy, Trainer)
    assert not isinstance(numpy, MultiTrainer)
    assert issubclass(TrainingDivergedError, TrainingError)
    config = TrainingConfig()
    object.__setattr__(config, "dtype", "float16")
    with pytest.raises(UnsupportedSettingError, match="dtype='float16'"):
        numpy.train(tg.Topology.build("dense", [1, 2]), None, config)


@pytest.mark.parametrize("name", ["numpy", "pytorch"])
def test_what_is_not_a_topology_a_dataset_or_a_config_is_refused_by_its_type(name):
    if name == "pytorch":
        pytest.importorskip("torch", reason="PyTorch is not installed")
    trainer, config, digits = get_trainer(name), TrainingConfig(epochs=1), load_dataset("digits")
    topology = tg.Topology.build("dense", [64, 10])
    with pytest.raises(InvalidParameterError, match=r"topology must be a topograph.Topology, as .*, but got MaskSet"):
        trainer.train(tg.MaskSet.from_topology(topology), digits, config)
    with pytest.raises(InvalidParameterError, match=r"dataset must be a trainers.Dataset, as .*, but got str"):
        trainer.train(topology, "digits", config)
    with pytest.raises(InvalidParameterError, match=r"config must be a trainers.TrainingConfig, but got dict"):
        trainer.train(topology, digits, {"epochs": 1})
