from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys

import pytest

from tests.trainers.study.conftest import SMALL, TOPOLOGIES, study, toy_study
from topograph.errors import StoreError, TopographError
from trainers.study import Store, measure_study, run_study
from trainers.study.store.schema import SCHEMA_VERSION

pytestmark = pytest.mark.usefixtures("toys")


def test_a_full_disk_stops_cleanly(tmp_path):
    code = (
        "import json, resource, sys; from trainers.study import run_study\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "run_study(json.loads(sys.argv[1]), sys.argv[2], workers=1)"
    )
    content = toy_study(seeds=range(40))
    command = [sys.executable, "-c", code, json.dumps(content), str(tmp_path / "s.sqlite")]
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths})
    assert "StoreError" in ended.stderr
    assert "What was written before is safe" in ended.stderr
    before = Store(tmp_path / "s.sqlite").counts()
    assert before["failed"] == 0
    summary, runs = study(tmp_path, content, workers=1)
    assert summary.trained == 40 * TOPOLOGIES - before["done"]
    assert set(runs["attempts"]) == {1}


def test_masks_are_made_again_and_weights_where_kept(tmp_path):
    study(tmp_path, toy_study(seeds=(0,)), workers=1, keep_weights=True)
    store = Store(tmp_path / "s.sqlite")
    runs = store.runs()
    for run_id, topology_id in zip(runs["run_id"], runs["topology_id"], strict=True):
        topology = store.topology(run_id)
        assert topology.content_hash.startswith(topology_id)
        weights, biases = store.weights(run_id)
        assert [w.nnz for w in weights] == [graph.n_edges for graph in topology]
        assert all((w.data == 0.5).all() for w in weights)
        assert [len(b) for b in biases] == [12, 10]
    study(tmp_path, toy_study(seeds=(0, 1)), workers=1)
    other = store.runs()
    with pytest.raises(StoreError, match="not kept"):
        store.weights(other.loc[other["seed"] == 1, "run_id"].iloc[0])
    with pytest.raises(TopographError, match="has no run"):
        store.topology("nonsense")


def test_what_one_store_holds_of_another_time_is_refused(tmp_path):
    study(tmp_path, toy_study(), workers=1)
    with contextlib.closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    with pytest.raises(StoreError, match=f"schema version {SCHEMA_VERSION - 1}.*Nothing was changed"):
        study(tmp_path, toy_study(), workers=1)


def test_metrics_are_derived_data(tmp_path):
    run_study(toy_study(), tmp_path / "s.sqlite", workers=1)
    store = Store(tmp_path / "s.sqlite")
    before = store.runs()
    assert measure_study(store.path, ["normalized_gap", "density"], workers=1) == TOPOLOGIES
    assert measure_study(store.path, ["normalized_gap", "density"], workers=1) == 0
    assert store.runs().equals(before)
    table, reasons = store.metric_table()
    assert list(reasons) == [column for column in table.columns if column in reasons]  # in one order in every process
    assert {"l1_normalized_gap", "l2_density", "network_n_edges"} <= set(table.columns)
    assert len(table) == TOPOLOGIES
    assert table.notna().to_numpy()[:, [table.columns.get_loc("l1_normalized_gap")]].all()
    long = store.metrics()
    found = long[(long["layer"] == "l1") & (long["metric"] == "normalized_gap")].set_index("topology_id")["value"]
    assert found.reindex(table.index).tolist() == table["l1_normalized_gap"].tolist()


def test_a_study_that_names_no_metrics_can_be_read(tmp_path, monkeypatch):
    """As studies did before a spec had to name them."""
    run_study(toy_study(), tmp_path / "s.sqlite", workers=1)
    store = Store(tmp_path / "s.sqlite")
    meta = store.meta()
    without = meta | {"spec": {key: value for key, value in meta["spec"].items() if key != "metrics"}}
    monkeypatch.setattr(Store, "meta", lambda self: without)
    assert store.final_metrics().empty


def test_one_writer(tmp_path):
    store = Store(tmp_path / "s.sqlite")
    with store.writer() as writer:
        writer.plan([], {})
        with pytest.raises(StoreError, match="another process"):
            run_study(SMALL, store.path, workers=1, progress=False)
        assert store.counts()["done"] == 0  # reading goes on
    run_study(SMALL, store.path, workers=1, progress=False)


def test_strange_stores_are_refused_and_left_alone(tmp_path):
    with pytest.raises(StoreError, match="no such store"):
        Store(tmp_path / "none.sqlite").runs()
    assert not (tmp_path / "none.sqlite").exists()
    junk = tmp_path / "junk.sqlite"
    junk.write_bytes(b"this is not a database, it is a text of some length" * 10)
    with pytest.raises(StoreError, match="not a study store"):
        run_study(SMALL, junk, workers=1, progress=False)
    assert junk.read_bytes().startswith(b"this is not")
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StoreError, match="not a study store"):
        run_study(SMALL, foreign, workers=1, progress=False)
    run_study(SMALL, tmp_path / "s.sqlite", workers=1, progress=False)
    with sqlite3.connect(tmp_path / "s.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"schema version 99.*Nothing was changed"):
        run_study(SMALL, tmp_path / "s.sqlite", workers=1, progress=False)
