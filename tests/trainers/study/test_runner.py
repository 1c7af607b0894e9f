from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trainers.study.conftest import SMALL, changed
from topograph.errors import SpecError, StoreError
from trainers.study import Store, StudySpec, run_study
from trainers.study.engine.worker import execute
from trainers.study.plan.runs import plan_runs

ROOT = Path(__file__).parents[3]
# random_regular 2 degrees × 2 topologies, regular_rotating 2, dense 1; two trainings of each
SMALL_RUNS = (4 + 2 + 1) * 2
FIXED = ["run_id", "topology_id", "construction", "degrees", "topology_seed", "seed", "test_accuracy", "correct"]


def test_a_study_runs_once_and_only_once(tmp_path):
    first = run_study(SMALL, tmp_path / "s.sqlite", workers=1, progress=False)
    assert (first.planned, first.trained, first.failed, first.known) == (SMALL_RUNS, SMALL_RUNS, 0, 0)
    again = run_study(SMALL, tmp_path / "s.sqlite", workers=1, progress=False)
    assert (again.trained, again.known) == (0, SMALL_RUNS)
    more = run_study(changed(training_seeds=[0, 1, 2]), tmp_path / "s.sqlite", workers=1, progress=False)
    assert (more.trained, more.known) == (SMALL_RUNS // 2, SMALL_RUNS)
    store = Store(tmp_path / "s.sqlite")
    assert store.counts() == {"pending": 0, "done": more.planned, "failed": 0}
    assert store.runs()["attempts"].tolist() == [1] * more.planned
    assert store.metrics().groupby("topology_id")["layer"].nunique().tolist() == [3] * 7
    assert store.meta()["spec"]["name"] == "small"


def test_two_processes_give_the_same_numbers_as_one(tmp_path):
    for workers in (1, 2):
        run_study(SMALL, tmp_path / f"{workers}.sqlite", workers=workers, progress=False)
    one, two = (Store(tmp_path / f"{w}.sqlite").runs()[FIXED].sort_values("run_id") for w in (1, 2))
    assert one.reset_index(drop=True).equals(two.reset_index(drop=True))


def test_new_metrics_are_computed_without_training_again(tmp_path):
    run_study({**SMALL, "metrics": ["sizes"]}, tmp_path / "s.sqlite", workers=1, progress=False)
    again = run_study({**SMALL, "metrics": ["sizes", "spectral"]}, tmp_path / "s.sqlite", workers=1, progress=False)
    assert again.trained == 0
    assert "normalized_gap" in set(Store(tmp_path / "s.sqlite").metrics()["metric"])


def test_a_failed_run_is_kept_with_its_reason_and_retried_on_request(tmp_path):
    wild = {
        **SMALL,
        "training": {"epochs": 2, "learning_rate": 1e6, "activation": "relu", "output_activation": "linear"},
    }
    outcome = run_study(wild, tmp_path / "s.sqlite", workers=1, progress=False)
    assert outcome.failed == SMALL_RUNS
    runs = Store(tmp_path / "s.sqlite").runs()
    assert set(runs["status"]) == {"failed"}
    assert runs["reason"].str.contains("TrainingDivergedError").all()
    assert runs["traceback"].str.contains("Traceback").all()
    assert len(Store(tmp_path / "s.sqlite").metrics())  # the graphs were measured all the same
    assert run_study(wild, tmp_path / "s.sqlite", workers=1, progress=False).trained == 0
    retried = run_study(wild, tmp_path / "s.sqlite", workers=1, retry_failed=True, progress=False)
    assert retried.failed == SMALL_RUNS
    assert Store(tmp_path / "s.sqlite").runs()["attempts"].tolist() == [2] * SMALL_RUNS


def test_ctrl_c_loses_nothing(tmp_path, monkeypatch):
    calls = []

    def interrupted(task):
        calls.append(task)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return execute(task)

    monkeypatch.setattr("trainers.study.engine.backends.execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(SMALL, tmp_path / "s.sqlite", workers=1, progress=False)
    assert Store(tmp_path / "s.sqlite").counts()["done"] == 5
    monkeypatch.setattr("trainers.study.engine.backends.execute", execute)
    assert run_study(SMALL, tmp_path / "s.sqlite", workers=1, progress=False).trained == SMALL_RUNS - 5


def test_kill_9_loses_nothing(tmp_path):
    """The parent is killed in the middle; then every run is there exactly once, equal to an undisturbed study."""
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'name = "killed"\n[grid]\narchitectures = [64, 40, 10]\nconstructions = ["random_regular"]\n'
        "degrees = [2, 4, 8]\ntopology_seeds = [0, 1, 2, 3, 4, 5, 6, 7]\n[training]\nepochs = 10\n"
    )
    command = [sys.executable, "-m", "analysis.cli", "study", "run", str(spec), "--workers", "2", "--quiet", "--store"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = tmp_path / "killed.sqlite"
    process = subprocess.Popen([*command, str(killed)], env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    done = 0
    while time.monotonic() < deadline and process.poll() is None and done < 3:
        with contextlib.suppress(StoreError):
            done = Store(killed).counts()["done"]
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert done >= 3
    before = Store(killed).counts()["done"]
    outcome = run_study(spec, killed, workers=1, progress=False)
    assert outcome.trained == 24 - before
    run_study(spec, tmp_path / "whole.sqlite", workers=1, progress=False)
    found, expected = (Store(p).runs()[FIXED].sort_values("run_id") for p in (killed, tmp_path / "whole.sqlite"))
    assert found.reset_index(drop=True).equals(expected.reset_index(drop=True))
    assert set(Store(killed).runs()["attempts"]) == {1}


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


def test_a_run_s_id_holds_all_that_determines_it():
    base = {run.run_id for run in plan_runs(StudySpec.from_mapping(SMALL))}
    assert len(base) == SMALL_RUNS
    for other in (
        {**SMALL, "training": {"epochs": 2, "learning_rate": 0.1}},
        changed(training_seeds=[5]),
        changed(architectures=[64, 13, 10]),
    ):
        assert not base & {run.run_id for run in plan_runs(StudySpec.from_mapping(other))}
    # what only names things moves nothing
    assert base == {run.run_id for run in plan_runs(StudySpec.from_mapping({**SMALL, "question": "?", "name": "x"}))}


def test_networks_that_do_not_fit_their_data_are_refused_before_there_is_a_store(tmp_path):
    for workers in (1, 2):
        with pytest.raises(SpecError, match=r"digits has 64 inputs and 10 classes.*\[64, 12, 11\]"):
            run_study(changed(architectures=[64, 12, 11], degrees=2), tmp_path / "s.sqlite", workers=workers)
    assert not (tmp_path / "s.sqlite").exists()
