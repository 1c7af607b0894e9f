from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trainers.study import toy_trainers as toys_of
from tests.trainers.study.conftest import SMALL, SMALL_RUNS, TOPOLOGIES, changed, study, toy_study
from topograph.errors import SpecError, StoreError
from trainers.study import Store, run_study
from trainers.study.engine import worker

ROOT = Path(__file__).parents[3]
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


@pytest.mark.usefixtures("toys")
def test_ctrl_c_loses_nothing(tmp_path, monkeypatch):
    content = toy_study(seeds=(0, toys_of.CTRL_C))
    with monkeypatch.context() as patch:
        patch.setenv("TOY_CTRL_C", "1")
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path, content, workers=1)
    assert Store(tmp_path / "s.sqlite").counts() == {"pending": 2 * TOPOLOGIES - 1, "done": 1, "failed": 0}
    summary, runs = study(tmp_path, content, workers=1)
    assert (summary.trained, summary.done) == (2 * TOPOLOGIES - 1, 2 * TOPOLOGIES)
    assert set(runs["attempts"]) == {1}


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


def test_networks_that_do_not_fit_their_data_are_refused_before_there_is_a_store(tmp_path):
    for workers in (1, 2):
        with pytest.raises(SpecError, match=r"digits has 64 inputs and 10 classes.*\[64, 12, 11\]"):
            run_study(changed(architectures=[64, 12, 11], degrees=2), tmp_path / "s.sqlite", workers=workers)
    assert not (tmp_path / "s.sqlite").exists()


def test_a_study_in_this_process_trains_on_one_thread_as_workers_do(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    grid = {"datasets": "digits", "trainers": "pytorch", "architectures": [64, 30, 10], "constructions": "dense"}
    content = {"name": "threads", "grid": grid | {"degrees": [[30, 10]]}, "training": {"epochs": 1}}
    seen, train = [], worker.train_alone
    monkeypatch.setattr(worker, "train_alone", lambda *a: (seen.append(torch.get_num_threads()), train(*a))[1])
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        outcome = run_study(content, tmp_path / "s.sqlite", workers=1, progress=False)
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    assert (outcome.done, seen, after) == (1, [1], 2)
