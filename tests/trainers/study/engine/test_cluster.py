"""Studies on a real Dask scheduler and real worker processes, all on the loopback address."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.trainers.study import toy_trainers as toys_of
from tests.trainers.study.conftest import TOPOLOGIES, toy_study
from topograph.errors import StoreError, WorkerError
from trainers.study import Store, run_study

pytest.importorskip("distributed", reason="needs the extra [dask]")
config = pytest.importorskip("dask").config
pytestmark = [
    pytest.mark.usefixtures("toys"),
    pytest.mark.filterwarnings("ignore"),  # Dask's own, of ports and of threads that end with the client
]
ROOT = Path(__file__).parents[4]


@contextmanager
def process(*command):
    """A process that is killed in the end; its standard error can be read."""
    paths = os.pathsep.join([str(ROOT), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-m", *command], stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def scheduler(port=0):
    """A scheduler, and its address."""
    command = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with process(*command) as started:
        address = awaited(started, r"Scheduler at:\s+(tcp://\S+)")
        yield started, address


def worker(address):
    """A worker with one thread and no nanny."""
    return process("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                   "--host", "127.0.0.1")  # fmt: skip


def awaited(started, pattern):
    """The first match in what a process says; the rest is read and dropped, so that it does not block."""
    for line in started.stderr:
        if match := re.search(pattern, line):
            threading.Thread(target=lambda: list(started.stderr), daemon=True).start()
            return match[1]
    raise AssertionError(f"{started.args} ended without saying {pattern!r}")


def waited(store, number):
    """Wait until so many networks are done."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(StoreError):  # there is a moment in which its file has no tables yet
            if store.counts()["done"] >= number:
                return
        time.sleep(0.05)
    raise AssertionError("the study does not come along")


def expected(tmp_path, content):
    run_study(content, tmp_path / "expected.sqlite", workers=1)
    return numbers(tmp_path / "expected.sqlite")


def numbers(path):
    runs = Store(path).runs().sort_values("run_id")
    return runs[["run_id", "topology_id", "status", "correct", "train_accuracy", "attempts"]].reset_index(drop=True)


def test_a_worker_killed_in_the_middle_costs_nothing(tmp_path):
    content = toy_study("sleepy", seeds=range(4), training={"epochs": 3})
    store = Store(tmp_path / "s.sqlite")
    with scheduler() as (_, address), worker(address) as first, worker(address):
        killer = threading.Thread(target=lambda: (waited(store, 3), first.send_signal(signal.SIGKILL)))
        killer.start()
        summary = run_study(content, store.path, cluster=address)
        killer.join()
    assert first.returncode == -signal.SIGKILL
    assert (summary.trained, summary.failed) == (4 * TOPOLOGIES, 0)
    assert numbers(store.path).equals(expected(tmp_path, content))


def test_the_scheduler_killed_in_the_middle_stops_the_study_and_it_goes_on(tmp_path):
    content = toy_study("sleepy", seeds=range(4), training={"epochs": 3})
    store = Store(tmp_path / "s.sqlite")
    with config.set({"distributed.comm.timeouts.connect": "8s"}), scheduler() as (first, address), worker(address):
        killer = threading.Thread(target=lambda: (waited(store, 3), first.send_signal(signal.SIGKILL)))
        killer.start()
        with pytest.raises(WorkerError, match="Finished networks are kept"):
            run_study(content, store.path, cluster=address)
        killer.join()
    before = store.counts()["done"]
    assert 3 <= before < 4 * TOPOLOGIES
    with scheduler() as (_, address), worker(address):
        summary = run_study(content, store.path, cluster=address)
    assert summary.trained == 4 * TOPOLOGIES - before
    assert numbers(store.path).equals(expected(tmp_path, content))


def test_limits_and_crashes_on_a_cluster(tmp_path):
    content = toy_study(seeds=(0, toys_of.HANG, toys_of.CRASH))
    bad = {"training_seed": [toys_of.HANG, toys_of.CRASH]}
    content["exclude"] = [{**bad, "construction": "random_regular"}, {**bad, "degrees": [3, 4]}]
    with scheduler() as (_, address), worker(address):
        summary = run_study(content, tmp_path / "s.sqlite", cluster=address, timeout=6)
    assert (summary.trained, summary.failed) == (TOPOLOGIES, 2)
    reasons = Store(tmp_path / "s.sqlite").runs("failed").groupby("seed")["reason"].unique()
    assert "timeout of 6 s" in reasons[toys_of.HANG][0]
    assert "died by SIGKILL" in reasons[toys_of.CRASH][0]


def test_tasks_are_small(tmp_path):
    from distributed.protocol.pickle import dumps

    from trainers.study.plan.runs import plan_runs
    from trainers.study.records import Job
    from trainers.study.spec.study_spec import StudySpec

    spec = StudySpec.from_toml(ROOT / "studies" / "digits.toml")
    run = next(plan_runs(spec))
    job = Job(1, run.recipe, "0" * 20, tuple(f"metric_{i}" for i in range(30)), run.condition, 3)
    assert len(dumps([job])) < 2000


def test_no_scheduler(tmp_path):
    timeout = config.set({"distributed.comm.timeouts.connect": "1s"})
    with timeout, pytest.raises(WorkerError, match="no Dask scheduler answers"):
        run_study(toy_study(), tmp_path / "s.sqlite", cluster="tcp://127.0.0.1:9")
