"""The door: trainers of others, trainers that cannot be used here, and a study with one by its name."""

from __future__ import annotations

import sys

import pytest

import analysis
from analysis.cli import main
from topograph.errors import MissingDependencyError, PluginError, UnknownNameError
from topograph.plugins import registered
from trainers import Trainer, available_trainers, describe_trainers, get_trainer
from trainers.registry import GROUP
from trainers.study import run_study


def broken():
    raise ZeroDivisionError("in its own code")


def needy():
    raise MissingDependencyError("this trainer needs Nothing: pip install 'topograph[nothing]'")


@pytest.fixture
def _strangers(tmp_path, monkeypatch):
    """An installed distribution of others, with trainers that cannot be used."""
    folder = tmp_path / "strangers-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        f"[{GROUP}]\nbroken = {__name__}:broken\nneedy = {__name__}:needy\n"
        "gone = no_such_package_at_all:Trainer\nodd = builtins:dict\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registered.cache_clear()
    yield
    monkeypatch.undo()
    registered.cache_clear()


@pytest.mark.usefixtures("_strangers")
def test_what_cannot_be_used_is_listed_with_the_reason(capsys):
    found = describe_trainers()["reason"]
    assert found["numpy"] == ""
    assert "topograph[nothing]" in found["needy"]
    assert "ZeroDivisionError: in its own code" in found["broken"]
    assert "no_such_package_at_all" in found["gone"]
    assert "no name or no method train" in found["odd"]
    assert set(found.index) == set(available_trainers())
    assert main(["list", "trainers"]) == 0
    printed = capsys.readouterr().out
    assert "numpy\n" in printed
    assert "needy  (this trainer needs Nothing: pip install 'topograph[nothing]')" in printed
    with pytest.raises(MissingDependencyError):
        get_trainer("needy")
    for name in ("broken", "gone", "odd"):
        with pytest.raises(PluginError, match=name):
            get_trainer(name)


def test_an_object_that_is_a_trainer_passes_and_nothing_else():
    trainer = get_trainer("numpy")
    assert isinstance(trainer, Trainer)
    assert get_trainer(trainer) is trainer
    with pytest.raises(UnknownNameError, match=r"unknown trainer 'nunpy'; did you mean 'numpy'"):
        get_trainer("nunpy")
    with pytest.raises(PluginError, match="name and a method train"):
        get_trainer(42)
    with pytest.raises(PluginError, match=r"got the class NumpyTrainer: give NumpyTrainer\(\)"):
        get_trainer(type(trainer))


def test_without_frameworks_the_built_ins_are_listed_with_what_to_install(monkeypatch):
    for package in ("torch", "keras", "jax"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    found = describe_trainers()["reason"]
    assert "topograph[torch]" in found["pytorch"]
    assert "topograph[torch]" in found["pytorch_sparse"]
    assert "topograph[keras]" in found["keras"]


def test_a_trainer_from_outside_in_a_study_by_name(tmp_path):
    pytest.importorskip("topograph_jax", reason="examples/topograph-jax is not installed")
    spec = {
        "name": "outside",
        "grid": {
            "datasets": "digits",
            "architectures": [64, 12, 10],
            "constructions": ["random_regular"],
            "degrees": [[4, 10]],
            "topology_seeds": [0, 1],
            "training_seeds": [0],
            "trainers": ["jax", "numpy"],
        },
        "training": {"epochs": 3, "learning_rate": 1.0},
    }
    outcome = run_study(spec, tmp_path / "outside.sqlite", workers=1, progress=False)
    assert (outcome.trained, outcome.failed) == (4, 0)
    frame = analysis.load_frame(tmp_path / "outside.sqlite")
    pairs = frame.pivot(index="topology_id", columns="trainer", values="test_accuracy")
    assert (pairs["jax"] - pairs["numpy"]).abs().max() <= 1 / 360
