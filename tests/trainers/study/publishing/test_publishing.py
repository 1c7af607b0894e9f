"""Published studies: what is written is what was trained, it is read as a store is, and nothing else passes for it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.trainers.study.publishing.conftest import write_specs
from topograph.errors import SpecError, StoreError, UnknownNameError
from trainers.study import Store, run_study
from trainers.study.publishing import Card, open_published, publish_study
from trainers.study.publishing.tables import EPOCHS


@pytest.fixture
def published(study, tmp_path) -> Path:
    """A copy of the published folder, to be damaged."""
    return Path(shutil.copytree(study / "published", tmp_path / "published"))


def test_published_runs_are_those_of_the_store(study):
    store, published = Store(study / "stores" / "1-thin.sqlite"), open_published(study / "published")
    stored = store.runs("done").set_index("run_id")
    runs = published.runs("done").set_index("run_id")
    assert set(runs.index) == set(stored.index)
    for column in (
        "topology_id",
        "construction",
        "degrees",
        "seed",
        "correct",
        "train_accuracy",
        "settings",
        "seconds",
    ):
        assert runs[column].tolist() == stored.loc[runs.index, column].tolist(), column


def test_settings_newer_than_a_published_run_have_the_values_that_it_was_trained_with(study, monkeypatch):
    """Once: missing in the rows of earlier versions, so that cells told these from the others."""
    published = open_published(study / "published")
    table = published.table("runs")
    older = [json.dumps({"epochs": json.loads(text)["epochs"]}) for text in table["settings"]]
    monkeypatch.setattr(type(published), "table", lambda self, name: table.assign(settings=older))
    settings = json.loads(published.runs()["settings"].iloc[0])
    assert settings == json.loads(table["settings"].iloc[0]) | {"batch_size": 32, "learning_rate": 0.01}
    assert settings["rewiring"] == "none"


def test_published_weights_and_metrics_are_equal_to_the_bit(study):
    store, published = Store(study / "stores" / "1-thin.sqlite"), open_published(study / "published")
    stored = store.weight_statistics().set_axis(store.runs("done")["run_id"])
    pd.testing.assert_frame_equal(
        published.weight_statistics().set_axis(published.runs("done")["run_id"]).sort_index(), stored.sort_index(),
        check_exact=True, check_names=False, check_index_type=False,
    )  # fmt: skip
    metrics, _ = published.metric_table()
    pd.testing.assert_frame_equal(
        metrics, store.metric_table()[0].loc[metrics.index], check_exact=True, check_index_type=False
    )


def test_published_curves_are_the_histories_at_the_published_epochs(study):
    curves = open_published(study / "published").curves()
    for run_id, record in Store(study / "stores" / "1-thin.sqlite").records():
        rows = curves[curves["run_id"] == run_id]
        assert rows["epoch"].tolist() == [1, 2]
        assert rows["loss"].tolist() == record["history"]["loss"]


def test_long_curves_keep_some_epochs_and_the_last_one(tmp_path):
    specs = write_specs(tmp_path / "specs")
    for path in specs.glob("*.toml"):
        path.write_text(path.read_text(encoding="utf-8").replace("epochs = 2", "epochs = 8"), encoding="utf-8")
    run_study(specs / "1-thin.toml", tmp_path / "stores" / "a.sqlite", workers=1, progress=False)
    publish_study(specs / "1-thin.toml", tmp_path / "stores", tmp_path / "published")
    published = open_published(tmp_path / "published")
    epochs = published.curves().groupby("run_id")["epoch"].apply(list)
    assert 8 not in EPOCHS
    assert list(epochs) == [[1, 2, 3, 4, 5, 7, 8]] * 4
    assert set(published.runs_table["epochs_trained"]) == {8}


def test_the_card_says_how_far_each_part_has_been_run(study):
    published = open_published(study / "published")
    assert [(part.name, part.question, part.planned, part.done) for part in published.card.parts] == [
        ("1-thin", "Thin?", 4, 4),
        ("2-thick", "Thick?", 4, 0),
    ]
    assert published.counts() == {"pending": 4, "done": 4, "failed": 0}
    text = (study / "published" / "README.md").read_text(encoding="utf-8")
    assert "4 of 8 planned networks" in text
    assert "| `2-thick` | 4 | 0 | 0 | Thick? |" in text


def test_another_part_is_added_and_the_first_stays_without_its_store(study, published, tmp_path):
    stores = tmp_path / "stores"
    run_study(study / "specs" / "2-thick.toml", stores / "second.sqlite", workers=1, progress=False)
    before = open_published(published).runs_table
    summary = publish_study(study / "specs", stores, published)
    assert (summary.planned, summary.published, summary.added, summary.left_out) == (8, 8, 4, 0)
    after = open_published(published).runs_table
    assert [part.complete for part in open_published(published).card.parts] == [True, True]
    pd.testing.assert_frame_equal(after[after["part"] == "1-thin"].reset_index(drop=True), before, check_exact=True)


def test_publishing_the_same_twice_changes_nothing(study, published):
    before = {path.name: path.read_bytes() for path in published.iterdir()}
    summary = publish_study(study / "specs", study / "stores", published)
    assert summary.added == 0
    assert {path.name: path.read_bytes() for path in published.iterdir()} == before


def test_runs_that_no_spec_plans_are_left_out(study, published, tmp_path):
    specs = Path(shutil.copytree(study / "specs", tmp_path / "specs"))
    path = specs / "1-thin.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("topology_seeds = [0, 1]", "topology_seeds = [0, 7]"))
    summary = publish_study(specs, study / "stores", published)
    assert (summary.published, summary.left_out) == (3, 1)  # the regular masks do not depend on the seed
    assert len(open_published(published).runs_table) == 3


def test_nothing_finished_is_refused(study, tmp_path):
    with pytest.raises(StoreError, match="none of the 4 planned runs has finished"):
        publish_study(study / "specs" / "2-thick.toml", study / "stores", tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_two_parts_of_one_name_are_refused(study, tmp_path):
    with pytest.raises(SpecError, match="2 specs have the name '1-thin'"):
        publish_study([study / "specs" / "1-thin.toml"] * 2, study / "stores", tmp_path / "published")


def test_folders_without_specs_or_stores_are_refused(study, tmp_path):
    with pytest.raises(SpecError, match=r"holds no \.toml file"):
        publish_study(tmp_path, study / "stores", tmp_path / "published")
    with pytest.raises(StoreError, match="is not a folder of stores"):
        publish_study(study / "specs", tmp_path / "nowhere", tmp_path / "published")


@pytest.mark.parametrize("table", ["runs", "topologies", "curves"])
def test_a_damaged_table_is_refused_and_the_error_says_what_to_do(published, table):
    path = published / f"{table}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=rf"{table}\.parquet is damaged.*Fetch it again.*topograph study publish"):
        open_published(published).table(table)


def test_a_missing_table_is_refused(published):
    (published / "curves.parquet").unlink()
    with pytest.raises(StoreError, match=r"curves\.parquet is damaged: it cannot be read"):
        open_published(published).curves()


def test_a_file_that_the_card_vouches_for_but_is_no_table_is_refused(published):
    (published / "curves.parquet").write_bytes(b"no table")
    card = json.loads((published / "study.json").read_text(encoding="utf-8"))
    card["tables"]["curves"]["sha256"] = hashlib.sha256(b"no table").hexdigest()
    (published / "study.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(StoreError, match=r"curves\.parquet is damaged: it cannot be read"):
        open_published(published).curves()


def test_another_format_is_refused_and_the_error_names_both(published):
    card = json.loads((published / "study.json").read_text(encoding="utf-8"))
    (published / "study.json").write_text(json.dumps(card | {"format": 99}), encoding="utf-8")
    with pytest.raises(StoreError, match="is of format 99, but this topograph reads format 1"):
        open_published(published)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', '{"format": 1, "name": "x"}'])
def test_a_damaged_card_is_refused(published, text):
    (published / "study.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"study\.json is damaged"):
        open_published(published)


def test_a_folder_without_a_card_is_not_a_published_study(tmp_path):
    with pytest.raises(StoreError, match=r"holds no published study: it has no study\.json"):
        open_published(tmp_path)


def test_nothing_is_trained_into_published_results(study, published):
    before = {path.name: path.read_bytes() for path in published.parent.iterdir() if path.is_file()}
    files = {path.name: path.read_bytes() for path in published.iterdir()}
    with pytest.raises(StoreError, match="is published results, which nothing is trained into"):
        run_study(study / "specs" / "2-thick.toml", published, workers=1, progress=False)
    with pytest.raises(StoreError, match="not a study store"):
        run_study(study / "specs" / "2-thick.toml", published / "runs.parquet", workers=1, progress=False)
    (published / "runs.parquet.lock").unlink(missing_ok=True)
    assert {path.name: path.read_bytes() for path in published.iterdir()} == files
    assert {path.name: path.read_bytes() for path in published.parent.iterdir() if path.is_file()} == before


def test_a_plain_folder_is_not_a_store(tmp_path):
    with pytest.raises(StoreError, match="is a folder, not a store"):
        Store(tmp_path).counts()


def test_columns_and_tables_are_looked_up_by_name(study):
    published = open_published(study / "published")
    assert list(published.runs("done", ["seed", "run_id"]).columns) == ["seed", "run_id"]
    assert published.runs("failed").empty
    with pytest.raises(UnknownNameError, match="unknown column of runs 'sead'; did you mean 'seed'"):
        published.runs("done", ["sead"])
    with pytest.raises(UnknownNameError, match="unknown published table 'run'; did you mean 'runs'"):
        published.table("run")


def test_recipes_make_the_published_topologies_again(study):
    published = open_published(study / "published")
    for _, row in published.runs_table.iterrows():
        assert published.recipe(row).build().content_hash[:20] == row["topology_id"]
        assert published.condition(row).config(int(row["seed"])).epochs == 2


def test_a_card_is_written_and_read_again(tmp_path):
    card = Card("x", "MIT", reasons={"l1_density": ["none"]})
    card.write(tmp_path)
    assert Card.read(tmp_path) == card
    assert np.isclose(card.planned, 0)
