"""Published results load as a store does, by folder or by name, and the commands that make and verify them."""

from __future__ import annotations

import hashlib
import json
import shutil

import pandas as pd
import pytest

import analysis
from analysis import published as published_module
from analysis.cli import main
from analysis.frame import load_learning_curves
from analysis.published import available_published, find_study, open_study
from tests.trainers.study.publishing.conftest import write_specs
from topograph.errors import InvalidParameterError, StoreError, UnknownNameError
from trainers.study import run_study
from trainers.study.publishing import publish_study
from trainers.study.publishing.verify import Verification


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Folder with ``specs``, ``stores`` and ``published``; one part of two was run."""
    folder = tmp_path_factory.mktemp("study")
    specs = write_specs(folder / "specs")
    run_study(specs / "1-thin.toml", folder / "stores" / "1-thin.sqlite", workers=1, progress=False)
    publish_study(specs, folder / "stores", folder / "published")
    return folder


def test_a_published_frame_is_that_of_its_store(study):
    stored = analysis.load_frame(study / "stores" / "1-thin.sqlite").set_index("run_id")
    published = analysis.load_frame(study / "published").set_index("run_id").loc[stored.index]
    assert list(published.columns) == list(stored.columns)
    pd.testing.assert_frame_equal(published, stored, check_exact=True, check_dtype=False, check_index_type=False)


def test_published_curves_load_with_the_keys_of_their_runs(study):
    curves = load_learning_curves(study / "published")
    stored = load_learning_curves(study / "stores" / "1-thin.sqlite")
    key = ["run_id", "epoch"]
    merged = curves.merge(stored, on=key, suffixes=("", "_stored"))
    assert len(merged) == len(stored) == len(curves)
    assert (merged["loss"] == merged["loss_stored"]).all()
    assert (merged["degrees"] == merged["degrees_stored"]).all()


def test_the_paper_loads_by_name():
    frame = analysis.load_frame("paper")
    assert "paper" in available_published()
    assert len(frame) == open_study("paper").card.done
    assert frame["test_accuracy"].between(0, 1).all()
    assert frame["l1_density"].between(0, 1).all()
    assert frame.attrs["meta"]["spec"]["name"] == "paper"
    assert load_learning_curves("paper")["run_id"].isin(frame["run_id"]).all()


def test_a_file_of_that_name_comes_before_the_published_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper").write_bytes(b"something of my own")
    assert find_study("paper") is None
    with pytest.raises(StoreError, match="not a study's store"):
        analysis.load_frame("paper")


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(UnknownNameError, match="unknown published study 'papers'; did you mean 'paper'"):
        open_study("papers")
    with pytest.raises(StoreError, match="no such store"):
        analysis.load_frame("papers")


def test_a_store_is_not_a_published_study_and_a_folder_of_that_name_hides_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.sqlite").touch()
    with pytest.raises(StoreError, match="is a file, but a published study is a folder"):
        open_study("mine.sqlite")
    (tmp_path / "mine").mkdir()
    with pytest.raises(StoreError, match="mine holds no published study"):
        open_study("mine")
    (tmp_path / "paper").mkdir()
    assert open_study("paper").card.name == "paper"
    assert len(analysis.load_frame("paper")) == open_study("paper").card.done


def test_an_installation_without_results_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(published_module, "_FOLDER", tmp_path / "nowhere")
    with pytest.raises(StoreError, match=r"no published results: .*\. Install topograph anew"):
        open_study("paper")


def test_renaming_columns_is_for_tables_only(study):
    with pytest.raises(InvalidParameterError, match="columns="):
        analysis.load_frame(study / "published", columns={"a": "b"})


def test_publishing_and_verifying_from_the_command_line(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["study", "publish", str(study / "specs"), "--stores", str(study / "stores"), "--out", str(out)]) == 0
    assert "4 of 8 planned runs published, 4 of them new" in capsys.readouterr().out
    assert main(["study", "verify", str(out), "--sample", "2", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["passed"] is True
    assert [run["identical"] for run in said["runs"]] == [True, True]


def test_verifying_what_was_changed_ends_with_an_error(study, tmp_path, capsys):
    folder = shutil.copytree(study / "published", tmp_path / "published")
    runs = pd.read_parquet(folder / "runs.parquet")
    runs["correct"] += 1
    runs.to_parquet(folder / "runs.parquet", index=False)
    assert main(["study", "verify", str(folder)]) == 1
    assert "runs.parquet is damaged" in capsys.readouterr().err
    card = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    card["tables"]["runs"]["sha256"] = hashlib.sha256((folder / "runs.parquet").read_bytes()).hexdigest()
    (folder / "study.json").write_text(json.dumps(card), encoding="utf-8")
    assert main(["study", "verify", str(folder), "--sample", "1"]) == 1
    assert "1 of 1 runs do not come out as they were published" in capsys.readouterr().err


def test_verifying_where_nothing_can_be_compared_ends_with_an_error(study, monkeypatch, capsys):
    table = pd.DataFrame({"run_id": ["a"], "construction": ["snip"], "degrees": ["3-10"], "reason": ["other edges"]})
    found = Verification(table.assign(identical=False, compared=False, passed=False))
    monkeypatch.setattr("trainers.study.publishing.verify_published", lambda *_, **__: found)
    assert main(["study", "verify", str(study / "published")]) == 1
    said = capsys.readouterr()
    assert "1 not compared, since a search or a pruner chooses other edges" in said.out
    assert "none of these runs can be compared" in said.err
