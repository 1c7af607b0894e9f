"""What goes wrong while a study runs, and what stays whole all the same."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.trainers.study import toy_trainers as toys_of
from tests.trainers.study.conftest import TOPOLOGIES, study, toy_study
from topograph.errors import InvalidParameterError, StoreError, WorkerError
from trainers.study import Store, measure_study, retry_study, run_study

pytestmark = pytest.mark.usefixtures("toys")


@pytest.mark.parametrize(
    ("seed", "execution", "words"),
    [
        (toys_of.HANG, {"timeout": 6}, "timeout of 6 s"),
        (toys_of.CRASH, {}, "3 times: the worker process died by SIGKILL"),
        (toys_of.SEGFAULT, {}, "3 times: the worker process died by SIGSEGV"),
        (toys_of.HUNGRY, {"memory": 1 << 30}, "MiB of memory, more than the 1024 MiB allowed"),
        (toys_of.RAISE, {}, "TrainingDivergedError: the loss of epoch 1 is nan"),
        (toys_of.NOTHING, {}, "of type NoneType, not a TrainingResult"),
        (toys_of.EXIT, {}, "SystemExit: 0"),
        (toys_of.EXIT, {"workers": 1}, "SystemExit: 0"),
        (toys_of.UNWRITABLE, {}, "device must be a string, but is of type object"),
        (toys_of.UNWRITABLE, {"workers": 1}, "device must be a string, but is of type object"),
    ],
)
def test_one_bad_run_ends_alone(tmp_path, seed, execution, words):
    content = toy_study(seeds=(0, 1, seed))
    # the construction, degree and seed that are left make the bad run one
    content["exclude"] = [{"training_seed": seed, "degrees": [2, 3]}, {"training_seed": seed, "topology_seeds": [1, 2]}]
    content["exclude"].append({"training_seed": seed, "construction": "random_regular"})
    summary, runs = study(tmp_path, content, **execution)
    assert (summary.trained, summary.failed) == (2 * TOPOLOGIES, 1), runs["reason"].dropna().tolist()
    failed = runs[runs["status"] == "failed"].iloc[0]
    assert failed["seed"] == seed
    assert words in failed["reason"]
    if seed in (toys_of.CRASH, toys_of.SEGFAULT, toys_of.RAISE):
        assert len(failed["traceback"]) > len(words)
    assert failed["attempts"] == (3 if seed in (toys_of.CRASH, toys_of.SEGFAULT) else 1)
    assert set(runs.loc[runs["status"] == "done", "attempts"]) == {1}


def test_an_error_of_the_call_itself_fails_its_runs_and_no_others(tmp_path):
    class WithoutPackage(ThreadPoolExecutor):
        def submit(self, fn, /, jobs, *args):
            return super().submit(self.missing if jobs[0].seed == 1 else fn, jobs, *args)

        def missing(self, jobs):
            raise LookupError("a package that is not installed")

    with WithoutPackage(1) as pool:
        summary, runs = study(tmp_path, toy_study(), executor=pool)
    assert (summary.trained, summary.failed) == (TOPOLOGIES, TOPOLOGIES)
    assert set(runs.loc[runs["status"] == "failed", "reason"]) == {"LookupError: a package that is not installed"}


@pytest.mark.filterwarnings("ignore:.*fork")  # JAX warns of it where it was imported, and Python from 3.12 on
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("trainer", ["restless", "forking"])
def test_a_trainer_that_changes_its_process_disturbs_no_other_run(tmp_path, monkeypatch, trainer, workers):
    monkeypatch.chdir(tmp_path)
    summary = run_study(toy_study(trainer), "s.sqlite", workers=workers)
    assert (summary.trained, summary.failed) == (2 * TOPOLOGIES, 0)
    assert os.getcwd() == str(tmp_path)
    runs = Store("s.sqlite").runs()
    expected = run_study(toy_study(), "t.sqlite", workers=1) and Store("t.sqlite").runs()
    assert runs["correct"].tolist() == expected["correct"].tolist()
    assert set(runs["attempts"]) == {1}


def test_what_a_trainer_prints_disturbs_nothing(tmp_path, capfd):
    summary, _ = study(tmp_path, toy_study(seeds=(0, toys_of.NOISY)))
    assert summary.trained == 2 * TOPOLOGIES
    assert "must not come" not in capfd.readouterr().out


def test_any_executor(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        summary, runs = study(tmp_path, toy_study(), executor=pool, workers=3)
        assert pool.submit(int, "3").result() == 3  # it is not ours to shut down
    assert summary.trained == 2 * TOPOLOGIES
    _, expected = study(tmp_path, toy_study(), "other.sqlite", workers=1)
    for name in ("run_id", "topology_id", "correct"):
        assert runs[name].tolist() == expected[name].tolist()


def test_limits_hold_on_any_executor(tmp_path):
    content = toy_study(seeds=(0, toys_of.HANG))
    content["exclude"] = [{"training_seed": toys_of.HANG, "construction": "random_regular"}]
    with ThreadPoolExecutor(3) as pool:
        summary, runs = study(tmp_path, content, executor=pool, timeout=6)
    assert (summary.trained, summary.failed) == (TOPOLOGIES, 3)
    assert set(runs.loc[runs["status"] == "failed", "seed"]) == {toys_of.HANG}


def test_an_executor_that_breaks_ends_the_study_and_loses_nothing(tmp_path):
    class Broken(ThreadPoolExecutor):
        calls = 0

        def submit(self, fn, /, *args, **kwargs):
            self.calls += 1
            if self.calls > 7:
                raise RuntimeError("cannot schedule new futures after shutdown")
            return super().submit(fn, *args, **kwargs)

    with Broken(1) as pool, pytest.raises(WorkerError, match="What was finished is kept"):
        study(tmp_path, toy_study(), executor=pool, workers=1)
    done = Store(tmp_path / "s.sqlite").counts()["done"]
    assert 0 < done <= 7
    summary, runs = study(tmp_path, toy_study(), workers=1)
    assert summary.trained == 2 * TOPOLOGIES - done
    assert set(runs["attempts"]) == {1}


def test_trainers_that_train_many_are_given_many(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("TOY_LOG", str(log))
    summary, runs = study(tmp_path, toy_study("many", seeds=(0, 1, toys_of.RAISE)), workers=1, together=8)
    sizes = [int(line) for line in log.read_text().split()]
    assert sum(sizes) == 3 * TOPOLOGIES
    assert sizes[0] == 8
    assert len(sizes) <= 3 * TOPOLOGIES // 8 + 1
    assert (summary.trained, summary.failed) == (2 * TOPOLOGIES, TOPOLOGIES)
    assert set(runs.loc[runs["status"] == "failed", "seed"]) == {toys_of.RAISE}
    _, single = study(tmp_path, toy_study("many", seeds=(0, 1, toys_of.RAISE)), "one.sqlite", workers=1, together=1)
    assert runs["correct"].equals(single["correct"])
    assert Store(tmp_path / "s.sqlite").metrics()["topology_id"].nunique() == TOPOLOGIES


def test_a_batch_that_kills_its_worker_is_run_one_by_one(tmp_path):
    content = toy_study("many", seeds=(0, toys_of.CRASH))
    content["exclude"] = [{"training_seed": toys_of.CRASH, "construction": "random_regular"}]
    summary, runs = study(tmp_path, content, together=64)
    assert (summary.trained, summary.failed) == (TOPOLOGIES, 3)
    assert set(runs.loc[runs["status"] == "failed", "seed"]) == {toys_of.CRASH}


def test_ctrl_c_keeps_what_has_ended(tmp_path):
    content = toy_study("sleepy", seeds=range(5), training={"epochs": 4})
    timer = threading.Timer(3.0, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, content)
    timer.join()
    before = Store(tmp_path / "s.sqlite").counts()["done"]
    summary, runs = study(tmp_path, content)
    assert summary.trained == 5 * TOPOLOGIES - before
    assert set(runs["attempts"]) == {1}


def test_a_metric_that_fails_costs_no_training(tmp_path, monkeypatch):
    content = toy_study(metrics=["moody"])
    with monkeypatch.context() as patch:
        patch.setenv("TOY_MOOD", "bad")
        summary, _ = study(tmp_path, content, workers=1)
        assert (summary.trained, summary.failed) == (2 * TOPOLOGIES, 0)
        assert study(tmp_path, content, workers=1)[0].trained == 0
    store = Store(tmp_path / "s.sqlite")
    assert len(store.metrics()) == 0
    assert store.unmeasured()[0][0] == "ArithmeticError: no such luck"
    assert measure_study(store.path, ["moody"], workers=1) == TOPOLOGIES


def test_a_topology_that_another_list_of_metrics_failed_for_hides_no_other(tmp_path, monkeypatch):
    def some(degrees, metrics):
        content = toy_study(seeds=(0,), metrics=metrics)
        content["grid"] |= {"constructions": "regular_rotating", "degrees": degrees}
        return content

    study(tmp_path, some([2], ["sizes"]), workers=1)
    with monkeypatch.context() as patch:
        patch.setenv("TOY_MOOD", "bad")
        assert measure_study(tmp_path / "s.sqlite", ["moody"], workers=1) == 0
    study(tmp_path, some([3], ["n_edges"]), workers=1)
    study(tmp_path, some([2, 3], ["sizes"]), workers=1)
    assert Store(tmp_path / "s.sqlite").metric_table()[0]["l1_density"].notna().tolist() == [True, True]


def test_retry_needs_no_spec(tmp_path):
    study(tmp_path, toy_study(seeds=(0, toys_of.RAISE)), workers=1)
    summary = retry_study(tmp_path / "s.sqlite", workers=1)
    assert (summary.planned, summary.known, summary.failed) == (2 * TOPOLOGIES, TOPOLOGIES, TOPOLOGIES)
    runs = Store(tmp_path / "s.sqlite").runs("failed")
    assert runs["attempts"].tolist() == [2] * TOPOLOGIES
    with pytest.raises(StoreError, match="no such store"):
        retry_study(tmp_path / "none.sqlite")


def test_retry_within_a_study_leaves_other_studies_of_the_store_alone(tmp_path):
    study(tmp_path, toy_study(seeds=(0, toys_of.RAISE)), workers=1)
    study(tmp_path, toy_study(seeds=(0, toys_of.NOTHING)), workers=1)
    summary, runs = study(tmp_path, toy_study(seeds=(0, toys_of.RAISE)), workers=1, retry_failed=True)
    assert (summary.planned, summary.failed) == (2 * TOPOLOGIES, TOPOLOGIES)
    assert runs.groupby("seed")["attempts"].max().to_dict() == {0: 1, toys_of.RAISE: 2, toys_of.NOTHING: 1}


def test_a_construction_that_changed_is_not_mixed_with_its_former_self(tmp_path, monkeypatch):
    def content(seeds):
        grid = {**toy_study()["grid"], "constructions": "shifting", "training_seeds": seeds, "degrees": [2, 3, 4, 5, 6]}
        return toy_study() | {"grid": grid}

    study(tmp_path, content([0]), workers=1)
    monkeypatch.setenv("TOY_SHIFT", "1")
    summary, runs = study(tmp_path, content([0, 1]))
    assert summary.failed == 5
    failed = runs[runs["status"] == "failed"]
    assert failed["reason"].str.contains("the construction has changed").all()
    assert (runs.groupby("topology_id").size() == 2).all()


def test_the_longest_come_first(tmp_path):
    class Recording(ThreadPoolExecutor):
        def submit(self, fn, /, jobs, *args):
            seen.extend(jobs)
            return super().submit(fn, jobs, *args)

    seen = []
    content = toy_study()
    content["training"] = {"epochs": [1, 3]}
    with Recording(1) as pool:
        study(tmp_path, content, executor=pool)
    costs = [job.recipe.expected_edges * job.condition.config(0).epochs for job in seen]
    assert len(costs) == 4 * TOPOLOGIES
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize(
    "execution",
    [
        {"workers": 0},
        {"timeout": 0},
        {"timeout": 1e-9},
        {"timeout": float("inf")},
        {"memory": -1},
        {"together": 0},
        {"cluster": "x", "executor": 3},
        {"executor": 3},
        {"cluster": ""},
        {"cluster": 8786},
    ],
)
def test_an_impossible_execution_is_refused(tmp_path, execution):
    with pytest.raises(InvalidParameterError):
        run_study(toy_study(), tmp_path / "s.sqlite", **execution)
    assert not (tmp_path / "s.sqlite").exists()
