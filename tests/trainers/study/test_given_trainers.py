"""Trainers without packaging: an object, or ``"module:Class"``, wherever a name is taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.trainers.study.conftest import toy_study
from tests.trainers.study.toy_trainers import ToyTrainer, toy_result
from topograph.errors import PluginError, SpecError, UnknownNameError
from trainers import get_trainer
from trainers.study import Store, StudySpec, retry_study, run_study

ROOT = Path(__file__).parents[3]
MODULE = """
from dataclasses import replace
from trainers import get_trainer

class Mine:
    name = "mine"
    def train(self, topology, dataset, config):
        return replace(get_trainer("numpy").train(topology, dataset, config), trainer="mine")
"""
SPEC = """
[grid]
trainers = "mine_in_a_file:Mine"
architectures = [64, 12, 10]
constructions = "regular_rotating"
degrees = [2, 3]
[training]
epochs = 1
"""


class Shifted(ToyTrainer):
    """A trainer with a setting of its own."""

    def __init__(self, name, shift):
        self.name, self.shift = name, shift

    def train(self, topology, dataset, config):
        result = toy_result(topology, config, self.name)
        return type(result)(**{**vars(result), "correct": self.shift})


def content(trainer):
    study = toy_study(trainer, seeds=(0,))
    study["grid"] |= {"constructions": "regular_rotating", "degrees": [2]}
    return study


@pytest.mark.parametrize("workers", [1, 2])
def test_an_object_trains_in_every_worker(tmp_path, workers):
    class Local(Shifted):
        """Not to be imported by name, as in a notebook."""

    run_study(content(Local("local", 123)), tmp_path / "s.sqlite", workers=workers)
    runs = Store(tmp_path / "s.sqlite").runs()
    assert runs[["trainer", "status", "correct"]].to_numpy().tolist() == [["local", "done", 123]]
    assert get_trainer("local").shift == 123


def test_an_object_is_named_as_a_registered_trainer_only_if_it_is_one(tmp_path):
    spec = StudySpec.from_mapping(content(get_trainer("numpy")))
    assert spec.content["grid"]["trainers"] == "numpy"
    with pytest.raises(SpecError, match="the name 'numpy' of a registered trainer"):
        StudySpec.from_mapping(content(Shifted("numpy", 1)))
    with pytest.raises(SpecError, match=r"give ToyTrainer\(\)"):
        StudySpec.from_mapping(content(ToyTrainer))


def test_an_object_that_cannot_be_sent_is_refused(tmp_path):
    trainer = Shifted("unsendable", 1)
    trainer.file = (tmp_path / "open").open("w")
    with trainer.file, pytest.raises(PluginError, match="cannot be sent to worker processes"):
        run_study(content(trainer), tmp_path / "s.sqlite", workers=2)


def test_a_store_of_an_object_is_not_retried_without_it(tmp_path):
    code = (
        "import sys; from tests.trainers.study.test_given_trainers import *\n"
        "run_study(content(Shifted('gone', -1)), sys.argv[1], workers=1)"
    )
    store = tmp_path / "s.sqlite"
    subprocess.run([sys.executable, "-c", code, str(store)], check=True, cwd=ROOT)
    with pytest.raises(UnknownNameError, match=r"'gone'.*run_study with retry_failed"):
        retry_study(store, workers=1)
    assert Store(store).runs()["attempts"].tolist() == [1]


def test_a_class_in_a_module_of_the_working_folder_trains_by_command(tmp_path):
    (tmp_path / "mine_in_a_file.py").write_text(MODULE)
    (tmp_path / "s.toml").write_text(SPEC)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from analysis.cli import main; sys.exit(main())"
    words = ["study", "run", "s.toml", "--workers", "2", "--store", "s.sqlite"]
    ended = subprocess.run([sys.executable, "-P", "-c", code, *words], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    runs = Store(tmp_path / "s.sqlite").runs()
    assert set(runs["trainer"]) == {"mine_in_a_file:Mine"}
    assert set(runs["status"]) == {"done"}
    assert [record["trainer"] for _, record in Store(tmp_path / "s.sqlite").records()] == ["mine"] * 2


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("no_such_module_at_all:Mine", "No module named"),
        ("json:Mine", "has no attribute 'Mine'"),
        ("json:JSONDecoder", "has no name or no method train"),
        ("json:loads", "failed: TypeError"),
        (":", "could not be loaded"),
    ],
)
def test_references_that_lead_nowhere_are_refused(reference, words):
    with pytest.raises(PluginError, match=words):
        get_trainer(reference)
    with pytest.raises(SpecError, match=r"\[grid\] trainers: "):
        StudySpec.from_mapping(content(reference))
