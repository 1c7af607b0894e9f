"""`run_study`: runs what a study still lacks, in parallel, and keeps every result as soon as it is there."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from topograph.errors import SpecError, UnknownNameError
from topograph.metrics.registry import select_metrics
from trainers.registry import get_trainer
from trainers.study.engine import Agenda, Execution, Progress, Tally, Workforce, drive
from trainers.study.plan import (
    DataFacts,
    check_architectures,
    check_trainers_of_models,
    describe_data,
    plan_id,
    plan_runs,
    study_meta,
)
from trainers.study.spec import DEFAULT_METRICS, StudySpec
from trainers.study.store import Store, StoreWriter, open_store

_VERSIONS = ("topograph", "numpy", "scipy", "numba", "pandas", "scikit-learn")


@dataclass(frozen=True)
class StudySummary:
    """What a call of `run_study` did.

    Parameters
    ----------
    store
        Path of the results.
    planned
        Number of runs that the spec asks for.
    trained, failed
        Number of runs trained by this call, and of runs that failed in it.
    known
        Number of runs that were in the store before, done or failed.
    done
        Number of planned runs that are done now, from before or from this call.
    seconds
        Wall-clock time.
    """

    store: Path
    planned: int
    trained: int
    failed: int
    known: int
    done: int
    seconds: float

    def __str__(self) -> str:
        done = f"{self.planned} networks planned: {self.known} known already, {self.trained} trained now"
        failures = f", {self.failed} failed (kept with their reasons)" if self.failed else ""
        return f"{done}{failures}, {self.seconds:.1f} s; results in {self.store}"


def run_study(
    spec: str | os.PathLike[str] | Mapping[str, Any] | StudySpec,
    store: str | os.PathLike[str] | None = None,
    *,
    retry_failed: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    cluster: str | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    keep_weights: bool = False,
    together: int = 64,
    progress: bool | None = None,
) -> StudySummary:
    """Run what a study still lacks.

    Each result is kept as soon as it is there: after Ctrl-C, a crash or ``kill -9``, the same call trains only the
    rest.

    Parameters
    ----------
    spec
        A TOML file, the same content as a dictionary, or a `StudySpec`. A trainer is a registered name,
        ``"module:Class"``, or (in a dictionary) an object, which is sent to the workers.
    store
        The SQLite file of the results; ``<name of the study>.sqlite`` in the current folder by default.
    retry_failed
        Whether runs that failed before are tried again.
    workers
        Number of processes, each with one thread; by default one per core. With 1 and no limits, everything runs in
        the calling process. Beside ``executor``: the number of runs it does at a time.
    executor
        Any `concurrent.futures.Executor`; it is not shut down.
    cluster
        Address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``.
    timeout
        Seconds that a run may take; then its process is killed and the run has failed.
    memory
        Bytes that the process of a run may hold; then it is killed and the run has failed (Linux).
    keep_weights
        Whether the trained weights are kept in the store.
    together
        Largest number of networks given at once to a trainer that trains many together.
    progress
        Whether to show a progress bar; None shows it only in terminals and notebooks.

    Raises
    ------
    SpecError
        When the spec is broken; nothing has been done then.
    StoreError
        When the store is of another version, another process writes to it, or the disk is full.
    WorkerError
        When the executor or the cluster is gone.
    """
    started = time.perf_counter()
    execution = Execution(workers, executor, cluster, timeout, memory, keep_weights, together, progress)
    spec = read_spec(spec)
    target = open_store(default_store(spec) if store is None else store)
    datasets = {point.dataset for point in spec.points}
    trainers = {point.trainer for point in spec.points}
    with execution.workforce(datasets, trainers) as workforce:
        new = target.is_new()
        if new:
            workforce.start()  # the workers of a new study start while it is planned
        data = describe_data(spec) if new else known_facts(target, spec)
        check_architectures(spec, data)  # before there is a store
        check_trainers_of_models(spec)
        with open_for_writing(target) as writer:
            planned, asked = enter_plan(writer, spec, data)
            if retry_failed:
                writer.retry(asked)
            runs = writer.pending(asked)
            tally = train_pending(writer, workforce, execution, spec.name, runs, spec.metrics)
            done = writer.n_runs("done") if asked is None else len(asked & writer.done())
    seconds = time.perf_counter() - started
    return StudySummary(target.path, planned, tally.trained, tally.failed, planned - len(runs), done, seconds)


def retry_study(
    store: str | os.PathLike[str],
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    cluster: str | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    keep_weights: bool = False,
    together: int = 64,
    progress: bool | None = None,
) -> StudySummary:
    """Try again what failed, and run what is pending. A store knows its runs, so the spec is not needed.

    Parameters
    ----------
    store
        The SQLite file.
    workers, executor, cluster, timeout, memory, keep_weights, together, progress
        As for `run_study`.

    Raises
    ------
    StoreError, WorkerError
        As for `run_study`.
    """
    started = time.perf_counter()
    execution = Execution(workers, executor, cluster, timeout, memory, keep_weights, together, progress)
    target = existing_store(store)
    with execution.workforce() as workforce, open_for_writing(target) as writer:
        check_trainers(writer)
        writer.retry()
        runs = writer.pending()
        content = writer.meta("spec", {})
        metrics = content.get("metrics", DEFAULT_METRICS)
        name = content.get("name", "study")
        tally = train_pending(
            writer, workforce, execution, name, runs, [metrics] if isinstance(metrics, str) else metrics
        )
        planned, done = writer.n_runs(), writer.n_runs("done")
    seconds = time.perf_counter() - started
    return StudySummary(target.path, planned, tally.trained, tally.failed, planned - len(runs), done, seconds)


def measure_study(
    store: str | os.PathLike[str],
    metrics: str | Iterable[str],
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    cluster: str | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    progress: bool | None = None,
) -> int:
    """Compute more metrics of every topology of a store; nothing is trained.

    Parameters
    ----------
    store
        The SQLite file.
    metrics
        Names or groups, see ``topograph list metrics``.
    workers, executor, cluster, timeout, memory, progress
        As for `run_study`; the limits hold for each topology.

    Returns
    -------
    int
        Number of topologies that were measured.

    Raises
    ------
    StoreError, WorkerError
        As for `run_study`.
    """
    execution = Execution(workers, executor, cluster, timeout, memory, progress=progress)
    target = existing_store(store)
    names = [metric.name for metric in select_metrics(metrics)]
    with execution.workforce() as workforce, open_for_writing(target) as writer:
        before = count_measured(writer, names)
        if before < len(writer.measured()):
            backend = workforce.start()
            agenda = Agenda(writer, (), names, slots=backend.slots, remeasure=True)
            drive(writer, agenda, backend, Progress("measure", 0, 0.0, show=progress), {})
        return count_measured(writer, names) - before


def read_spec(spec: str | os.PathLike[str] | Mapping[str, Any] | StudySpec) -> StudySpec:
    """A specification, however it is given."""
    if isinstance(spec, StudySpec):
        return spec
    return StudySpec.from_mapping(spec) if isinstance(spec, Mapping) else StudySpec.from_toml(spec)


def default_store(spec: StudySpec) -> str:
    """The file of a study's results in the current folder, called after the study.

    Raises
    ------
    SpecError
        When the name of the study cannot be that of a file in the current folder.
    """
    if not re.fullmatch(r"[^/\\\0-\x1f]{1,200}", spec.name) or spec.name.startswith("."):
        raise SpecError(f"name: {spec.name!r} cannot be the name of a file here; rename the study, or give store=")
    return f"{spec.name}.sqlite"


def known_facts(store: Store, spec: StudySpec) -> dict[str, DataFacts]:
    """The facts of the data: those of named sets as the store has them, so that continuing a study reads no data."""
    kept = {}
    with suppress(TypeError, AttributeError):  # of another shape in a damaged store: then they are read again
        kept = {name: DataFacts(**facts) for name, facts in store.meta().get("data", {}).items()}
    datasets = {point.dataset for point in spec.points}
    if datasets <= set(kept) and not any(name.endswith(".npz") for name in datasets):
        return {name: kept[name] for name in datasets}
    return describe_data(spec)


def existing_store(path: str | os.PathLike[str]) -> Store:
    """A store that must be there already.

    Raises
    ------
    StoreError
    """
    store = open_store(path)
    store.counts()
    return store


def check_trainers(writer: StoreWriter) -> None:
    """Refuse a store of which a trainer is not known here.

    Raises
    ------
    UnknownNameError, PluginError, MissingDependencyError
    """
    for name in writer.trainers():
        try:
            get_trainer(name)
        except UnknownNameError as error:
            raise UnknownNameError(
                f"{error}. A trainer that was given as an object is given again by run_study with retry_failed=True"
            ) from None


@contextmanager
def open_for_writing(store: Store) -> Iterator[StoreWriter]:
    """The writer of a store, which holds a note about the writing process for as long."""
    with store.writer() as writer:
        writer.set_meta({"writer": {"pid": os.getpid(), "machine": platform.node(), "since": time.time()}})
        try:
            yield writer
        finally:
            with suppress(sqlite3.Error):  # on a full disk the note stays, and ``status`` sees that it is stale
                writer.set_meta({"writer": None})


def enter_plan(writer: StoreWriter, spec: StudySpec, data: Mapping[str, DataFacts]) -> tuple[int, set[int] | None]:
    """Enter the runs of a study that the store does not know.

    Returns
    -------
    planned
        Number of runs of the study.
    asked
        Their numbers in the store; None when the store holds no others.
    """
    key, plans = plan_id(spec, data), writer.meta("plans", {})
    if key not in plans:
        plans[key] = writer.plan(plan_runs(spec, data), {"data": {name: vars(facts) for name, facts in data.items()}})
    versions = {package: version(package) for package in _VERSIONS}
    writer.set_meta({**study_meta(spec), "plans": plans, "versions": versions})
    if plans[key] == writer.n_runs():
        return plans[key], None
    return plans[key], writer.runs_of(run.run_id for run in plan_runs(spec, data))


def train_pending(
    writer: StoreWriter,
    workforce: Workforce,
    execution: Execution,
    name: str,
    runs: Sequence[tuple[int, float]],
    metrics: Iterable[str],
) -> Tally:
    """Train some runs and measure their topologies; the workers start only where there is something to do."""
    names = [metric.name for metric in select_metrics(metrics)]
    unmeasurable, wanted = writer.unmeasurable(), set(names)
    if not runs and all(wanted <= known or recipe in unmeasurable for recipe, known in writer.measured().items()):
        return Tally()
    costs = dict(runs)
    backend = workforce.start()
    agenda = Agenda(
        writer,
        [run for run, _ in runs],
        names,
        together=1 if execution.timeout is not None else execution.together,  # a timeout holds for one run
        slots=backend.slots,
        keep_weights=execution.keep_weights,
        send_trainers=backend.elsewhere,
    )
    progress = Progress(name, len(runs), sum(costs.values()), writer.best_accuracy(), execution.progress)
    try:
        return drive(writer, agenda, backend, progress, costs)
    finally:
        progress.close()


def count_measured(writer: StoreWriter, names: Iterable[str]) -> int:
    """Number of recipes for whose topologies all these metrics are known."""
    wanted = set(names)
    return sum(wanted <= known for known in writer.measured().values())
