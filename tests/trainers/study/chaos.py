"""Kill a study again and again, at any instant, and see that nothing is lost, repeated or changed.

``python -m tests.trainers.study.chaos --kills 200`` runs it in full (a quarter of an hour); the suite runs a sample.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from topograph.errors import StoreError
from trainers.study import Store, run_study

ROOT = Path(__file__).parents[3]
NUMBERS = ["run_id", "topology_id", "construction", "degrees", "topology_seed", "seed", "status", "correct", "total",
           "test_accuracy", "train_accuracy", "balanced_accuracy"]  # fmt: skip


@dataclass
class Tally:
    """What was done to a study, and what came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    runs: int = 0
    retried: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        verdict = "; ".join(self.faults) or "every run exactly once, every number equal to an undisturbed study"
        return (
            f"{sum(self.kills.values())} kills ({self.kills['parent']} parents, {self.kills['worker']} workers) "
            f"over {self.starts} starts of one study of {self.runs} networks, {self.seconds:.0f} s; "
            f"{self.retried} networks hit more often than they are tried at once, and retried at the end: {verdict}"
        )


def specification(runs: int, epochs: int) -> dict:
    """A study of so many networks on digits."""
    return {
        "name": "chaos",
        "grid": {
            "architectures": [64, 40, 10],
            "constructions": ["random_regular", "random_edge"],
            "degrees": [[2, 4], [4, 4], [8, 10]],
            "topology_seeds": list(range(5)),
            "training_seeds": list(range(-(-runs // 30))),
        },
        "training": {"epochs": epochs, "learning_rate": 0.1},
        "metrics": ["sizes", "spectral"],
    }


def torment(folder: Path, kills: int, seed: int, runs: int, epochs: int, pause: float = 1.0) -> Tally:
    """Kill parent or worker of one study so many times, let it end, and hold it against an undisturbed one.

    Between kills lie ``pause`` seconds in the mean, and a start may be given up to three times that.
    """
    draw = random.Random(seed)
    content, tally, started = specification(runs, epochs), Tally(), time.monotonic()
    spec, store = folder / "chaos.json", Store(folder / "chaos.sqlite")
    spec.write_text(json.dumps(content))
    finished: dict[str, float] = {}
    parent = None
    while sum(tally.kills.values()) < kills:
        if parent is None or parent.poll() is not None:
            if parent is not None and parent.returncode == 0:
                break  # it came to its end under fire
            parent = start(spec, store.path)
            tally.starts += 1
            if tally.starts == 1:
                await_first(store)
            time.sleep(pause * draw.choice([0.0, 0.5, 1.5, 3.0]) * draw.random())
        time.sleep(pause * draw.expovariate(1.0))
        kind = draw.choice(["parent", "worker"])
        while kind == "worker" and not children(parent.pid) and parent.poll() is None:
            time.sleep(0.02)
        victim = parent.pid if kind == "parent" else draw.choice(children(parent.pid) or [0])
        try:
            if not victim or parent.poll() is not None:
                continue
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        tally.kills[kind] += 1
        if kind == "parent":
            parent.wait()
            remember(store, finished, tally)
    if parent is not None:
        if parent.poll() is None:
            parent.kill()
        parent.wait()
    tally.retried = store.counts()["failed"]
    run_study(content, store.path, workers=2, retry_failed=True, progress=False)
    remember(store, finished, tally)
    run_study(content, folder / "whole.sqlite", workers=2, progress=False)
    compare(store, Store(folder / "whole.sqlite"), tally)
    tally.seconds = time.monotonic() - started
    return tally


def await_first(store: Store) -> None:
    """Wait until there is something to lose."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        with suppress(StoreError):
            if store.counts()["done"]:
                return
        time.sleep(0.02)
    raise TimeoutError("the study does not begin")


def start(spec: Path, store: Path) -> subprocess.Popen:
    """Begin the study, or go on with it, in a process that can be killed."""
    code = (
        "import json, pathlib, sys; from trainers.study import run_study; "
        "run_study(json.loads(pathlib.Path(sys.argv[1]).read_text()), sys.argv[2], workers=2, progress=False)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(spec), str(store)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(word) for word in thread.read_text().split()]
    return found


def remember(store: Store, finished: dict[str, float], tally: Tally) -> None:
    """What was finished once must stay finished as it was."""
    try:
        done = store.runs("done")
    except StoreError:  # killed before it was made
        return
    now = dict(zip(done["run_id"], done["finished"], strict=True))
    for run_id, when in finished.items():
        if now.get(run_id) != when:
            tally.faults.append(f"run {run_id} was finished, and {'repeated' if run_id in now else 'lost'}")
    finished.update(now)


def compare(found: Store, expected: Store, tally: Tally) -> None:
    """Every run exactly once, with the numbers of a study that nobody disturbed."""
    with closing(sqlite3.connect(found.path)) as connection:
        (words,) = connection.execute("PRAGMA integrity_check").fetchone()
    if words != "ok":
        tally.faults.append(f"the file is damaged: {words}")
    one, other = (store.runs().sort_values("run_id").reset_index(drop=True) for store in (found, expected))
    tally.runs = len(other)
    if set(one["status"]) != {"done"}:
        tally.faults.append(f"not all were done: {one['status'].value_counts().to_dict()}")
    if one["run_id"].duplicated().any() or set(one["run_id"]) != set(other["run_id"]):
        tally.faults.append("not every run is there exactly once")
    elif not one[NUMBERS].equals(other[NUMBERS]):
        tally.faults.append("numbers differ from those of the undisturbed study")
    keep = ("history", "weight_stats", "config", "correct")
    histories, others = (
        {run_id: {key: record[key] for key in keep} for run_id, record in store.records()}
        for store in (found, expected)
    )
    if histories != others:
        tally.faults.append("learning curves or weights differ")
    table, whole = (store.metric_table()[0].sort_index() for store in (found, expected))
    if not (table.index.equals(whole.index) and np.array_equal(table, whole[table.columns], equal_nan=True)):
        tally.faults.append("metrics differ")


def main() -> int:
    """Run in full, and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, help="networks (default: six a kill)")
    parser.add_argument("--epochs", type=int, default=160, help="of each, so that a network takes a while")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = torment(Path(folder), options.kills, options.seed, options.runs or 6 * options.kills, options.epochs)
    print(tally)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
