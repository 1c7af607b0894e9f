"""Specifications that hold what no study can be made of: each is refused in a sentence, and quickly."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from tests.trainers.study.conftest import SMALL, changed
from topograph.errors import SpecError
from trainers.study import StudySpec, run_study

NESTED = []
for _ in range(500):
    NESTED = [NESTED]
CIRCLE = {}
CIRCLE["grid"] = CIRCLE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({**SMALL, "training": {"epochs": datetime.date(2020, 1, 1)}}, r"\[training\] epochs: is a date or a time"),
        ({**SMALL, "question": datetime.datetime(2020, 1, 1)}, "question: is a date"),
        ({**SMALL, "exclude": [{"epochs": datetime.time(1)}]}, r"\[\[exclude\]\] 1, epochs: is a date"),
        (changed(degrees=NESTED), r"nested more than 32 levels"),
        (CIRCLE, "nested more than 32 levels"),
        (changed(training_seeds=[2**63]), r"training_seeds: is a number of 64 bits"),
        (changed(training_seeds=10**5000), "is a number of 16610 bits"),
        (changed(architectures=[[64, 10**400, 10]]), "architectures: is a number of"),
        (changed(training_seeds={"from": 0, "to": 10**9}), "training_seeds: a range has at most 1,000,000 values"),
        (changed(degrees={"from": 0, "to": 1, "count": 10**9}), "at most 1,000,000"),
        (changed(degrees={"from": 1e-300, "to": 1e300, "factor": 1 + 1e-12}), "at most 1,000,000"),
        (changed(degrees={"from": 0, "to": 1, "step": 1e-300}), "at most 1,000,000"),
        (changed(training_seeds=range(10**7)), "has 10,000,000 values"),
        (changed(training_seeds={"from": 1, "to": 10**5}, topology_seeds={"from": 1, "to": 10**4}), "combinations"),
        (changed(constructions={"name": "watts_strogatz", "beta": {"from": 0, "to": 1, "count": 10**6}},
                 training_seeds={"from": 1, "to": 10**4}), "combinations"),
        ({**SMALL, "name": "\ud800"}, "name: holds what is not text"),
        (changed(datasets="a\0.npz"), "datasets: holds what is not text"),
        ({**SMALL, "name": ["a", "b"]}, "name: must be a string"),
        ({**SMALL, "question": object()}, "question: is of type object"),
        ({**SMALL, 3: 4}, "keys are strings"),
        ([], "a study is a table"),
    ],
)  # fmt: skip
def test_what_no_study_can_be_made_of_is_refused(content, words):
    with pytest.raises(SpecError, match=words):
        StudySpec.from_mapping(content)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a = " + "9" * 5000, "not a valid value"),
        (
            '[grid]\nconstructions = "dense"\narchitectures = [64, 10]\ntraining_seeds = 2020-01-01',
            "line 4: .*is a date",
        ),
        ("a\0b = 1", "not valid TOML"),
        pytest.param("# " + "long" * 3_000_000, "too many for a specification", id="long"),
    ],
)
def test_texts_that_no_study_can_be_read_from_are_refused(tmp_path, text, words):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(SpecError, match=words):
        StudySpec.from_toml(tmp_path / "s.toml")


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", "x" * 300, "a\nb", "", "a\\b"])
def test_a_study_writes_in_the_folder_it_was_started_in(tmp_path, monkeypatch, name):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(SpecError, match=r"name: .*give store="):
        run_study({**SMALL, "name": name}, workers=1)
    assert list(tmp_path.rglob("*")) == [tmp_path / "in"]


def test_numbers_of_numpy_are_numbers():
    spec = StudySpec.from_mapping(changed(degrees=np.array([2, 3]), training_seeds=np.arange(2)))
    assert spec.content["grid"]["degrees"] == [2, 3]
    assert spec.points == StudySpec.from_mapping(changed(degrees=[2, 3])).points
