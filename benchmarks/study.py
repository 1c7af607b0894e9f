"""What the study engine costs, and what it reaches: overhead per run, start, two cores against one, a million runs.

``python benchmarks/study.py`` prints everything but the comparison on a real study, which takes a while:
``--paper`` adds it (with MNIST in ``TOPOGRAPH_DATA``). Times of a busy machine are too long; ratios are taken between
halves that alternate.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

import analysis
from topograph.plugins import registered
from trainers.study import Store, StudySpec, run_study
from trainers.study.engine.worker import profile
from trainers.study.records import JobResult, Profile
from trainers.study.store import FinishedJob

ROOT = Path(__file__).parents[1]
TRIVIAL = """
import numpy as np
from trainers.result import TrainingResult, sparse_weights

class Trivial:
    name = "trivial"

    def train(self, topology, dataset, config):
        return TrainingResult(
            trainer="trivial", config=config, correct=1 + config.seed % 9, total=len(dataset.y_test),
            train_accuracy=0.5, history={"loss": (1.0,) * config.epochs}, seconds=0.0, device="cpu", versions={},
            weights=sparse_weights(topology, [np.ones(graph.n_edges, np.float32) for graph in topology]),
            biases=tuple(np.zeros(graph.n_right, np.float32) for graph in topology),
        )
"""


def trivial_trainer(folder: Path) -> None:
    """Register a trainer that does nothing, for this process and those it starts."""
    info = folder / "trivial-1.dist-info"
    info.mkdir()
    (folder / "trivial_trainer.py").write_text(TRIVIAL)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trivial\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[topograph.trainers]\ntrivial = trivial_trainer:Trivial\n")
    sys.path.insert(0, str(folder))
    registered.cache_clear()


def trivial_study(seeds: int, topologies: int = 10, **grid: object) -> dict[str, object]:
    return {
        "name": "trivial",
        "grid": {
            "trainers": "trivial",
            "architectures": [64, 12, 10],
            "constructions": ["random_regular", "random_edge"],
            "degrees": {"from": 1, "to": 10},
            "topology_seeds": {"from": 0, "to": topologies - 1},
            "training_seeds": {"from": 0, "to": seeds - 1},
            **grid,
        },
        "metrics": ["sizes"],
        "training": {"epochs": 10},
    }


def overhead(folder: Path) -> None:
    """Wall-clock and the driver's own CPU time for each run of a trainer that does nothing."""
    for name, means in (("1 worker, this process", {"workers": 1}), ("2 workers", {"workers": 2})):
        spec = trivial_study(10, 10)
        # the topologies and their metrics are made in the first round; the second is training only
        store = folder / f"overhead-{means['workers']}.sqlite"
        run_study(spec, store, progress=False, **means)
        wall, cpu = time.perf_counter(), time.process_time()
        outcome = run_study(trivial_study(20, 10), store, progress=False, **means)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"  {name:24s} {1e3 * wall / outcome.trained:6.2f} ms per run, start included; "
              f"{1e3 * cpu / outcome.trained:.2f} ms of the driver's CPU ({outcome.trained} runs)")  # fmt: skip


def driver(folder: Path) -> None:
    """How many results per second the driver takes from an executor of many slots, whose work is done elsewhere."""

    class Elsewhere(ThreadPoolExecutor):
        """Answers with a result that was made before: the driver's work, and none of the workers'."""

        def submit(self, fn, /, jobs, *args):  # type: ignore[no-untyped-def]
            return super().submit(answer, jobs)

    made: dict[object, JobResult] = {}

    def answer(jobs):  # type: ignore[no-untyped-def]
        job = jobs[0]
        if job.recipe not in made:
            from trainers.study.engine.worker import execute

            made[job.recipe] = execute([job])[0]
        result = made[job.recipe]
        return [replace(result, run=job.run) if job.metrics else replace(result, run=job.run, profile=None)]

    for slots in (8, 1000):
        store = folder / f"driver-{slots}.sqlite"
        with Elsewhere(8) as executor:
            run_study(trivial_study(1), store, executor=executor, workers=slots, progress=False)
            started, cpu = time.perf_counter(), time.process_time()
            outcome = run_study(trivial_study(101), store, executor=executor, workers=slots, progress=False)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(f"  {2 * slots:5d} runs under way        {outcome.trained / wall:6.0f} runs/s "
              f"({outcome.trained / cpu:.0f} per second of CPU; {outcome.trained} runs, with planning)")  # fmt: skip


def start_to_first_run(folder: Path) -> None:
    """From the command to the moment when the first run begins, on digits and on MNIST where it is there."""
    for dataset, sizes in (("digits", [64, 12, 10]), ("mnist", [784, 30, 10])):
        if dataset == "mnist" and "TOPOGRAPH_DATA" not in os.environ:
            print("  mnist                    skipped: TOPOGRAPH_DATA is not set")
            continue
        took = []
        for attempt in range(3):
            spec, store = folder / "start.toml", Store(folder / f"start-{dataset}-{attempt}.sqlite")
            spec.write_text(
                f'[grid]\ndatasets = "{dataset}"\ntrainers = "trivial"\narchitectures = {sizes}\n'
                'constructions = "random_regular"\ndegrees = 2\ntraining_seeds = { from = 0, to = 499 }\n'
            )
            began = time.time()
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
            command = [sys.executable, "-m", "analysis.cli", "study", "run", str(spec), "--store", str(store.path)]
            subprocess.run([*command, "--workers", "2"], env=environment, check=True, capture_output=True)
            done = store.runs("done")
            took.append(float((done["finished"] - done["worker_seconds"]).min()) - began)
        print(f"  {dataset:24s} {min(took):.2f} s (of {', '.join(f'{t:.2f}' for t in took)})")


def million(folder: Path, runs: int) -> None:
    """A store of so many runs: made through the store's own API, opened, gone on with, loaded."""
    seeds = 10
    spec = trivial_study(seeds, max(1, runs // (20 * seeds)))
    spec["metrics"] = ["sizes", "degrees", "structure", "spectral", "ramanujan"]
    store = Store(folder / "million.sqlite")
    started = time.perf_counter()
    study = StudySpec.from_mapping(spec)
    with store.writer() as writer:
        from trainers.study.plan import describe_data
        from trainers.study.runner import enter_plan

        asked, _ = enter_plan(writer, study, describe_data(study))
        pending = writer.pending()
        print(f"  planned {asked:,} runs in {time.perf_counter() - started:.1f} s")
        started = time.perf_counter()
        sample = profile(study.points[0].recipe.build(), _metric_names(study))
        record = _record(study)
        for chunk in range(0, len(pending) - 1000, 1000):
            writer.save(_outcomes(writer, [run for run, _ in pending[chunk : chunk + 1000]], sample, record))
        print(f"  kept their results in {time.perf_counter() - started:.1f} s "
              f"({store.path.stat().st_size / 2**30:.1f} GiB)")  # fmt: skip
    for name, call in (
        ("open, count by status", store.counts),
        ("overview of status", store.overview),
        ("go on to the last thousand", lambda: run_study(spec, store.path, workers=1, progress=False)),
        ("load into pandas", lambda: analysis.load_frame(store.path)),
    ):
        started = time.perf_counter()
        found = call()
        shape = f", {found.shape[0]:,} × {found.shape[1]}" if hasattr(found, "shape") else ""
        print(f"  {name:27s} {time.perf_counter() - started:6.1f} s{shape}")
    print(f"  most memory held            {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:6.1f} GiB")


def _metric_names(study: StudySpec) -> list[str]:
    from topograph.metrics.registry import select_metrics

    return [metric.name for metric in select_metrics(study.metrics)]


def _record(study: StudySpec) -> dict[str, object]:
    from trainers import get_trainer, load_dataset

    point = study.points[0]
    result = get_trainer("trivial").train(point.recipe.build(), load_dataset("digits"), point.config)
    return result.to_record()


def _outcomes(writer, runs: list[int], sample: Profile, record: dict[str, object]) -> Iterator[FinishedJob]:  # type: ignore[no-untyped-def]
    """Made-up results: a topology for each recipe, a profile for each topology, an accuracy for each run."""
    for recipe, _, job in writer.jobs(runs):
        draw = np.random.default_rng([recipe, job.seed])
        new = recipe not in writer.topologies
        yield FinishedJob(
            job.run,
            recipe,
            JobResult(
                f"{recipe:020x}",
                {**record, "test_accuracy": float(draw.random())},
                profile=replace(sample, values=tuple(draw.random(len(sample.values)))) if new else None,
            ),
        )


def paper(folder: Path, networks: int) -> None:
    """One core against two on networks of paper-small, alternating, so that a busy machine hurts both alike."""
    content = StudySpec.from_toml(ROOT / "studies" / "paper-small.toml").content
    took = {1: 0.0, 2: 0.0}
    for seed in range(networks):
        grids = [{**grid, "training_seeds": [100 + seed]} for grid in content["grid"][:1]]
        for workers in (1, 2) if seed % 2 else (2, 1):
            store = folder / f"paper-{workers}-{seed}.sqlite"
            started = time.perf_counter()
            run_study({**content, "grid": grids}, store, workers=workers, progress=False)
            took[workers] += time.perf_counter() - started
    print(f"  {108 * networks} networks: {took[1]:.0f} s with one worker, {took[2]:.0f} s with two: "
          f"{took[1] / took[2]:.2f} ×; load {os.getloadavg()[0]:.1f} at the end")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="of the large store")
    parser.add_argument("--paper", type=int, default=0, metavar="ROUNDS", help="rounds of one core against two")
    parser.add_argument("--only", choices=["overhead", "driver", "start", "million", "paper"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trivial_trainer(folder)
        parts = {
            "overhead": ("overhead of a run whose training costs nothing", lambda: overhead(folder)),
            "driver": ("results that the driver takes from an executor", lambda: driver(folder)),
            "start": ("from the command to the first run", lambda: start_to_first_run(folder)),
            "million": (f"a store of {options.runs:,} runs", lambda: million(folder, options.runs)),
            "paper": ("two cores against one, on networks of paper-small", lambda: paper(folder, options.paper)),
        }
        for key, (title, part) in parts.items():
            if options.only in (None, key) and (key != "paper" or options.paper):
                print(f"{title} (load {os.getloadavg()[0]:.1f})")
                part()


if __name__ == "__main__":
    main()
