"""What goes wrong while a study runs, and what stays whole all the same."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.trainers.study import toy_trainers as toys_of
from tests.trainers.study.conftest import TOPOLOGIES, toy_study
from topograph.errors import InvalidParameterError, StoreError, TopographError, WorkerError
from trainers.study import Store, measure_study, retry_study, run_study
from trainers.study.engine import worker as worker_module
from trainers.study.engine.pool import SandboxPool
from trainers.study.engine.sandbox import Sandbox, SandboxDiedError, SandboxLimitError
from trainers.study.store.schema import SCHEMA_VERSION

pytestmark = pytest.mark.usefixtures("toys")


def study(tmp_path, content, name="s.sqlite", **means):
    outcome = run_study(content, tmp_path / name, **{"workers": 2, **means})
    return outcome, Store(tmp_path / name).runs()


@pytest.mark.parametrize(
    ("seed", "means", "words"),
    [
        (toys_of.HANG, {"timeout": 1.5}, "timeout of 1.5 s"),
        (toys_of.CRASH, {}, "3 times: the worker process died by SIGKILL"),
        (toys_of.SEGFAULT, {}, "3 times: the worker process died by SIGSEGV"),
        (toys_of.HUNGRY, {"memory": 1 << 30}, "MiB of memory, more than the 1024 MiB allowed"),
        (toys_of.RAISE, {}, "TrainingDivergedError: the loss of epoch 1 is nan"),
        (toys_of.NOTHING, {}, "no TrainingResult, but NoneType"),
        (toys_of.EXIT, {}, "SystemExit: 0"),
        (toys_of.EXIT, {"workers": 1}, "SystemExit: 0"),
        (toys_of.UNWRITABLE, {}, "TypeError: Object of type object is not JSON serializable"),
        (toys_of.UNWRITABLE, {"workers": 1}, "TypeError: Object of type object is not JSON serializable"),
    ],
)
def test_one_bad_run_ends_alone(tmp_path, seed, means, words):
    content = toy_study(seeds=(0, 1, seed))
    # the construction, degree and seed that are left make the bad run one
    content["exclude"] = [{"training_seed": seed, "degrees": [2, 3]}, {"training_seed": seed, "topology_seeds": [1, 2]}]
    content["exclude"].append({"training_seed": seed, "construction": "random_regular"})
    outcome, runs = study(tmp_path, content, **means)
    assert (outcome.trained, outcome.failed) == (2 * TOPOLOGIES, 1), runs["reason"].dropna().tolist()
    failed = runs[runs["status"] == "failed"].iloc[0]
    assert failed["seed"] == seed
    assert words in failed["reason"]
    if seed in (toys_of.CRASH, toys_of.SEGFAULT, toys_of.RAISE):
        assert len(failed["traceback"]) > len(words)
    assert failed["attempts"] == (3 if seed in (toys_of.CRASH, toys_of.SEGFAULT) else 1)
    assert set(runs.loc[runs["status"] == "done", "attempts"]) == {1}


def test_one_worker_survives_an_error_of_the_call_itself_as_two_do(tmp_path, monkeypatch):
    def broken(jobs):
        if jobs[0].seed == 1:
            raise LookupError("a package that is not installed")
        return worker_module.execute(jobs)

    monkeypatch.setattr("trainers.study.engine.backends.execute", broken)
    outcome, runs = study(tmp_path, toy_study(), workers=1)
    assert (outcome.trained, outcome.failed) == (TOPOLOGIES, TOPOLOGIES)
    assert set(runs.loc[runs["status"] == "failed", "reason"]) == {"LookupError: a package that is not installed"}


def test_what_a_trainer_prints_disturbs_nothing(tmp_path, capfd):
    outcome, _ = study(tmp_path, toy_study(seeds=(0, toys_of.NOISY)))
    assert outcome.trained == 2 * TOPOLOGIES
    assert "must not come" not in capfd.readouterr().out


def test_any_executor(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        outcome, runs = study(tmp_path, toy_study(), executor=pool, workers=None)
        assert pool.submit(int, "3").result() == 3  # it is not ours to shut down
    assert outcome.trained == 2 * TOPOLOGIES
    _, expected = study(tmp_path, toy_study(), "other.sqlite", workers=1)
    for name in ("run_id", "topology_id", "correct"):
        assert runs[name].tolist() == expected[name].tolist()


def test_limits_hold_on_any_executor(tmp_path):
    content = toy_study(seeds=(0, toys_of.HANG))
    content["exclude"] = [{"training_seed": toys_of.HANG, "construction": "random_regular"}]
    with ThreadPoolExecutor(1) as pool:
        outcome, runs = study(tmp_path, content, executor=pool, workers=None, timeout=0.5)
    assert (outcome.trained, outcome.failed) == (TOPOLOGIES, 3)
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
    outcome, runs = study(tmp_path, toy_study(), workers=1)
    assert outcome.trained == 2 * TOPOLOGIES - done
    assert set(runs["attempts"]) == {1}


def test_trainers_that_train_many_are_given_many(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("TOY_LOG", str(log))
    outcome, runs = study(tmp_path, toy_study("many", seeds=(0, 1, toys_of.RAISE)), workers=1, together=8)
    sizes = [int(line) for line in log.read_text().split()]
    assert sum(sizes) == 3 * TOPOLOGIES
    assert sizes[0] == 8
    assert len(sizes) <= 3 * TOPOLOGIES // 8 + 1
    assert (outcome.trained, outcome.failed) == (2 * TOPOLOGIES, TOPOLOGIES)
    assert set(runs.loc[runs["status"] == "failed", "seed"]) == {toys_of.RAISE}
    _, single = study(tmp_path, toy_study("many", seeds=(0, 1, toys_of.RAISE)), "one.sqlite", workers=1, together=1)
    assert runs["correct"].equals(single["correct"])
    assert Store(tmp_path / "s.sqlite").metrics()["topology_id"].nunique() == TOPOLOGIES


def test_a_batch_that_kills_its_worker_is_run_one_by_one(tmp_path):
    content = toy_study("many", seeds=(0, toys_of.CRASH))
    content["exclude"] = [{"training_seed": toys_of.CRASH, "construction": "random_regular"}]
    outcome, runs = study(tmp_path, content, together=64)
    assert (outcome.trained, outcome.failed) == (TOPOLOGIES, 3)
    assert set(runs.loc[runs["status"] == "failed", "seed"]) == {toys_of.CRASH}


def test_ctrl_c_keeps_what_has_ended(tmp_path):
    content = toy_study("sleepy", seeds=range(5), training={"epochs": 4})
    timer = threading.Timer(3.0, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, content)
    timer.join()
    before = Store(tmp_path / "s.sqlite").counts()["done"]
    outcome, runs = study(tmp_path, content)
    assert outcome.trained == 5 * TOPOLOGIES - before
    assert set(runs["attempts"]) == {1}


def test_a_full_disk_stops_cleanly(tmp_path, monkeypatch):
    from trainers.study.store.writer import StoreWriter

    whole = StoreWriter.__init__

    def narrow(self, connection):
        whole(self, connection)
        connection.execute("PRAGMA max_page_count = 45")

    monkeypatch.setattr(StoreWriter, "__init__", narrow)
    content = toy_study(seeds=range(40))
    with pytest.raises(StoreError, match=r"full\. What was written before is safe"):
        study(tmp_path, content)
    monkeypatch.setattr(StoreWriter, "__init__", whole)
    before = Store(tmp_path / "s.sqlite").counts()
    assert before["failed"] == 0
    outcome, runs = study(tmp_path, content)
    assert outcome.trained == 40 * TOPOLOGIES - before["done"]
    assert set(runs["attempts"]) == {1}


def test_metrics_are_derived_data(tmp_path):
    run_study(toy_study(), tmp_path / "s.sqlite", workers=1)
    store = Store(tmp_path / "s.sqlite")
    before = store.runs()
    assert measure_study(store.path, ["normalized_gap", "density"], workers=1) == TOPOLOGIES
    assert measure_study(store.path, ["normalized_gap", "density"], workers=1) == 0
    assert store.runs().equals(before)
    table, _ = store.metric_table()
    assert {"l1_normalized_gap", "l2_density", "network_n_edges"} <= set(table.columns)
    assert len(table) == TOPOLOGIES
    assert table.notna().to_numpy()[:, [table.columns.get_loc("l1_normalized_gap")]].all()
    long = store.metrics()
    found = long[(long["layer"] == "l1") & (long["metric"] == "normalized_gap")].set_index("topology_id")["value"]
    assert found.reindex(table.index).tolist() == table["l1_normalized_gap"].tolist()


def test_a_metric_that_fails_costs_no_training(tmp_path, monkeypatch):
    def broken(*args):
        raise ArithmeticError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr(worker_module, "profile", broken)
        outcome, _ = study(tmp_path, toy_study(), workers=1)
        assert (outcome.trained, outcome.failed) == (2 * TOPOLOGIES, 0)
        assert study(tmp_path, toy_study(), workers=1)[0].trained == 0
    store = Store(tmp_path / "s.sqlite")
    assert len(store.metrics()) == 0
    assert measure_study(store.path, ["sizes"], workers=1) == TOPOLOGIES


def test_a_topology_that_another_list_of_metrics_failed_for_hides_no_other(tmp_path, monkeypatch):
    def some(degrees, metrics):
        content = toy_study(seeds=(0,), metrics=metrics)
        content["grid"] |= {"constructions": "regular_rotating", "degrees": degrees}
        return content

    def broken(*args):
        raise ArithmeticError("no such luck")

    study(tmp_path, some([2], ["sizes"]), workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(worker_module, "profile", broken)
        assert measure_study(tmp_path / "s.sqlite", ["normalized_gap"], workers=1) == 0
    study(tmp_path, some([3], ["n_edges"]), workers=1)
    study(tmp_path, some([2, 3], ["sizes"]), workers=1)
    assert Store(tmp_path / "s.sqlite").metric_table()[0]["l1_density"].notna().tolist() == [True, True]


def test_retry_needs_no_spec(tmp_path):
    study(tmp_path, toy_study(seeds=(0, toys_of.RAISE)), workers=1)
    outcome = retry_study(tmp_path / "s.sqlite", workers=1)
    assert (outcome.planned, outcome.known, outcome.failed) == (2 * TOPOLOGIES, TOPOLOGIES, TOPOLOGIES)
    runs = Store(tmp_path / "s.sqlite").runs("failed")
    assert runs["attempts"].tolist() == [2] * TOPOLOGIES
    with pytest.raises(StoreError, match="no such store"):
        retry_study(tmp_path / "none.sqlite")


def test_retry_within_a_study_leaves_other_studies_of_the_store_alone(tmp_path):
    study(tmp_path, toy_study(seeds=(0, toys_of.RAISE)), workers=1)
    study(tmp_path, toy_study(seeds=(0, toys_of.NOTHING)), workers=1)
    outcome, runs = study(tmp_path, toy_study(seeds=(0, toys_of.RAISE)), workers=1, retry_failed=True)
    assert (outcome.planned, outcome.failed) == (2 * TOPOLOGIES, TOPOLOGIES)
    assert runs.groupby("seed")["attempts"].max().to_dict() == {0: 1, toys_of.RAISE: 2, toys_of.NOTHING: 1}


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


def test_a_construction_that_changed_is_not_mixed_with_its_former_self(tmp_path, monkeypatch):
    from trainers.study.spec.recipe import Recipe

    study(tmp_path, toy_study(seeds=(0,)), workers=1)
    build = Recipe.build
    monkeypatch.setattr(
        Recipe, "build", lambda self: build(type(self)(self.construction, self.sizes, (5, 5), self.seed, self.variant))
    )
    worker_module._topology.cache_clear()
    outcome, runs = study(tmp_path, toy_study(seeds=(0, 1)), workers=1)
    worker_module._topology.cache_clear()
    assert outcome.failed == TOPOLOGIES
    failed = runs[runs["status"] == "failed"]
    assert failed["reason"].str.contains("the construction has changed").all()
    assert (runs.groupby("topology_id").size() == 2).all()


def test_the_longest_come_first(tmp_path, monkeypatch):
    seen = []
    execute = worker_module.execute
    monkeypatch.setattr("trainers.study.engine.backends.execute", lambda jobs: seen.extend(jobs) or execute(jobs))
    content = toy_study()
    content["training"] = {"epochs": [1, 3]}
    study(tmp_path, content, workers=1)
    costs = [job.recipe.expected_edges * job.condition.config(0).epochs for job in seen]
    assert len(costs) == 4 * TOPOLOGIES
    assert costs == sorted(costs, reverse=True)


def test_what_one_store_holds_of_another_time_is_refused(tmp_path):
    import sqlite3

    study(tmp_path, toy_study(), workers=1)
    with contextlib.closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    with pytest.raises(StoreError, match=f"schema version {SCHEMA_VERSION - 1}.*Nothing was changed"):
        study(tmp_path, toy_study(), workers=1)


@pytest.mark.parametrize(
    "means", [{"workers": 0}, {"timeout": 0}, {"memory": -1}, {"together": 0}, {"cluster": "x", "executor": 3}]
)
def test_impossible_means_are_refused(tmp_path, means):
    with pytest.raises(InvalidParameterError):
        run_study(toy_study(), tmp_path / "s.sqlite", **means)
    assert not (tmp_path / "s.sqlite").exists()


# ---------------------------------------------------------------------- cells


def test_a_cell_dies_with_its_owner(tmp_path):
    import subprocess
    import sys

    code = (
        "import time; from trainers.study.engine.pool import SandboxPool\n"
        "pool = SandboxPool(1); pool.submit(time.sleep, 600); print(pool.pids[0], flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        time.sleep(0.5)
        owner.kill()
    deadline = time.monotonic() + 30
    while _running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running(pid)


def _running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_cell_says_what_it_died_of():
    cell = Sandbox()
    with pytest.raises(SandboxDiedError, match="exit status 3"):
        cell.call(os._exit, (3,))
    cell = Sandbox()
    with pytest.raises(SandboxLimitError, match=r"0\.2 s"):
        cell.call(time.sleep, (60,), 0.2)
    cell = Sandbox(first=(os.kill, (0, 99999)))  # what fails at the start is passed over
    with pytest.raises(ZeroDivisionError):
        cell.call(divmod, (1, 0))
    assert cell.call(divmod, (7, 2)) == (3, 1)
    cell.kill()


def test_cells_have_one_thread_each():
    with SandboxPool(1) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
        assert pool.submit(os.getenv, "NUMBA_NUM_THREADS").result() == "1"


def test_a_pool_finishes_what_is_queued_or_drops_it():
    with SandboxPool(2) as pool:
        futures = [pool.submit(pow, 2, i) for i in range(20)]
    assert [future.result() for future in futures] == [2**i for i in range(20)]
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(pow, 2, 2)
    with SandboxPool(1) as pool:
        first, *rest = [pool.submit(os._exit, 3), pool.submit(pow, 2, 10), pool.submit(pow, 2, 11)]
    assert isinstance(first.exception(), SandboxDiedError)
    assert [future.result() for future in rest] == [1024, 2048]
    pool = SandboxPool(1)
    futures = [pool.submit(time.sleep, 60) for _ in range(3)]
    time.sleep(0.2)
    pool.kill()
    assert futures[-1].cancelled()
    assert all(future.done() for future in futures)
