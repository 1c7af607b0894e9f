"""`run_study`: runs what a study still lacks, in parallel, and keeps every result the moment it is there."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict, Unpack

from topograph.checks import check_integer
from topograph.cores import available_cores
from topograph.errors import InvalidParameterError
from topograph.metrics.registry import select_metrics
from trainers.study.agenda import Agenda
from trainers.study.backends import Backend, check_limits, foreign_backend, local_backend
from trainers.study.engine import Tally, drive
from trainers.study.plan import DataFacts, check_fit, describe_data, plan_id, plan_runs, study_meta
from trainers.study.progress import Progress
from trainers.study.spec import DEFAULT_METRICS, StudySpec
from trainers.study.store import Store, open_store
from trainers.study.writer import StoreWriter

_VERSIONS = ("topograph", "numpy", "scipy", "numba", "pandas", "scikit-learn")


@dataclass(frozen=True)
class StudyOutcome:
    """What a call of `run_study` did.

    Parameters
    ----------
    store
        Where the results are.
    planned
        Runs that the spec asks for.
    trained, failed
        Runs trained by this call, and runs that failed in it.
    known
        Runs that were there already, done or failed before.
    seconds
        Wall-clock time.
    """

    store: Path
    planned: int
    trained: int
    failed: int
    known: int
    seconds: float

    def __str__(self) -> str:
        done = f"{self.planned} networks planned: {self.known} known already, {self.trained} trained now"
        failures = f", {self.failed} failed (kept with their reasons)" if self.failed else ""
        return f"{done}{failures}, {self.seconds:.1f} s; results in {self.store}"


class Options(TypedDict, total=False):
    """`Means`, by name."""

    workers: int | None
    executor: Executor | None
    cluster: str | None
    timeout: float | None
    memory: int | None
    keep_weights: bool
    together: int
    progress: bool | None


@dataclass(frozen=True)
class Means:
    """With what a study is run.

    Parameters
    ----------
    workers
        Processes, each with one thread; as many as there are cores by default. With 1 and no limits, everything runs in
        this one. Beside ``executor``: how many runs it does at a time.
    executor
        Any `concurrent.futures.Executor`; it is not shut down.
    cluster
        The address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``.
    timeout
        Seconds that a run may take, until its process is killed and the run has failed.
    memory
        Bytes that a run's process may hold, until it is killed and the run has failed (Linux).
    keep_weights
        Whether the trained weights are kept in the store.
    together
        Networks given at most to a trainer that trains many at once.
    progress
        Whether to show a progress bar; None for only in terminals and notebooks.
    """

    workers: int | None = None
    executor: Executor | None = None
    cluster: str | None = None
    timeout: float | None = None
    memory: int | None = None
    keep_weights: bool = False
    together: int = 64
    progress: bool | None = None

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_integer("workers", self.workers, low=1)
        check_integer("together", self.together, low=1)
        check_limits(self.timeout, self.memory)
        if self.executor is not None and self.cluster is not None:
            raise InvalidParameterError(f"give an executor or a cluster, not both, but got cluster={self.cluster!r}")

    @contextmanager
    def backend(self, datasets: Iterable[str], trainers: Iterable[str]) -> Iterator[Backend]:
        """The workers, until the block ends; killed where they are when it ends by an error."""
        timeout, memory = check_limits(self.timeout, self.memory)
        if self.cluster is not None:
            from trainers.study.cluster import cluster_backend

            backend: Backend = cluster_backend(self.cluster, timeout, memory)
        elif self.executor is not None:
            backend = foreign_backend(self.executor, self.workers, timeout, memory)
        else:
            workers = available_cores() if self.workers is None else self.workers
            backend = local_backend(workers, timeout, memory, sorted(datasets), sorted(trainers))
        try:
            yield backend
        except BaseException:
            backend.close(kill=True)
            raise
        backend.close()


def run_study(
    spec: str | os.PathLike[str] | Mapping[str, Any] | StudySpec,
    store: str | os.PathLike[str] | None = None,
    *,
    retry_failed: bool = False,
    **means: Unpack[Options],
) -> StudyOutcome:
    """Run what a study still lacks.

    Each result is kept as soon as it is there: after Ctrl-C, a crash or ``kill -9``, call it again and only the rest
    is trained.

    Parameters
    ----------
    spec
        A TOML file, the same content as a dictionary, or a `StudySpec`.
    store
        The SQLite file of the results; ``<name of the study>.sqlite`` in the current folder by default.
    retry_failed
        Whether runs that failed before are tried again.
    **means
        See `trainers.study.runner.Means`: ``workers``, ``executor``, ``cluster``, ``timeout``, ``memory``,
        ``keep_weights``, ``together``, ``progress``.

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
    given = Means(**means)
    spec = read_spec(spec)
    target = open_store(f"{spec.name}.sqlite" if store is None else store)
    datasets, trainers = ({getattr(point, key) for point in spec.points} for key in ("dataset", "trainer"))
    if not target.path.exists():
        # a new study: its workers start while it is being planned
        with given.backend(datasets, trainers) as backend:
            data = describe_data(spec)
            check_fit(spec, data)  # before there is a store
            with _writing(target) as writer:
                planned, runs = _planned(writer, spec, data, retry_failed)
                tally = _do(writer, backend, given, spec.name, runs, spec.metrics)
    else:
        with _writing(target) as writer:
            data = known_facts(writer, spec)
            check_fit(spec, data)
            planned, runs = _planned(writer, spec, data, retry_failed)
            tally = _with_workers(writer, given, spec.name, runs, spec.metrics, datasets, trainers)
    seconds = time.perf_counter() - started
    return StudyOutcome(target.path, planned, tally.trained, tally.failed, planned - len(runs), seconds)


def retry_study(store: str | os.PathLike[str], **means: Unpack[Options]) -> StudyOutcome:
    """Try again what failed, and run what is pending, without the spec: a store knows its runs.

    Parameters
    ----------
    store
        The SQLite file.
    **means
        As for `run_study`.
    """
    started = time.perf_counter()
    given, target = Means(**means), _existing(store)
    with _writing(target) as writer:
        writer.retry()
        runs = writer.pending()
        content = writer.meta("spec", {})
        metrics = content.get("metrics", DEFAULT_METRICS)
        metrics = [metrics] if isinstance(metrics, str) else metrics
        tally = _with_workers(writer, given, content.get("name", "study"), runs, metrics, (), ())
        known = writer.n_runs()
    seconds = time.perf_counter() - started
    return StudyOutcome(target.path, known, tally.trained, tally.failed, known - len(runs), seconds)


def measure_study(store: str | os.PathLike[str], metrics: str | Iterable[str], **means: Unpack[Options]) -> int:
    """Compute more metrics of every topology of a store; nothing is trained.

    Parameters
    ----------
    store
        The SQLite file.
    metrics
        Names or groups, see ``topograph list metrics``.
    **means
        As for `run_study`.

    Returns
    -------
    int
        Topologies that were measured.
    """
    given, target = Means(**means), _existing(store)
    names = [metric.name for metric in select_metrics(metrics)]
    with _writing(target) as writer:
        before = _complete(writer, names)
        if before < len(writer.measured()):
            with given.backend((), ()) as backend:
                agenda = Agenda(writer, (), names, slots=backend.slots, remeasure=True)
                drive(writer, agenda, backend, Progress("measure", 0, 0.0, show=given.progress), {})
        return _complete(writer, names) - before


def read_spec(spec: str | os.PathLike[str] | Mapping[str, Any] | StudySpec) -> StudySpec:
    """A specification, however it is given."""
    if isinstance(spec, StudySpec):
        return spec
    return StudySpec.from_mapping(spec) if isinstance(spec, Mapping) else StudySpec.from_toml(spec)


def known_facts(writer: StoreWriter, spec: StudySpec) -> dict[str, DataFacts]:
    """The facts of the data: those of named sets as the store has them, so that going on reads no data."""
    kept = {name: DataFacts(**facts) for name, facts in writer.meta("data", {}).items()}
    named = {point.dataset for point in spec.points if not point.dataset.endswith(".npz")}
    if named >= {point.dataset for point in spec.points} and named <= set(kept):
        return {name: kept[name] for name in named}
    return describe_data(spec)


def _planned(
    writer: StoreWriter, spec: StudySpec, data: Mapping[str, DataFacts], retry_failed: bool
) -> tuple[int, list[tuple[int, float]]]:
    """Enter a study's runs, where they are not known; returns how many, and those to be trained with their costs."""
    key, plans = plan_id(spec, data), writer.meta("plans", {})
    if key not in plans:
        plans[key] = writer.plan(plan_runs(spec, data), {"data": {name: vars(facts) for name, facts in data.items()}})
    writer.say({**study_meta(spec), "plans": plans, "versions": {package: version(package) for package in _VERSIONS}})
    asked = None if plans[key] == writer.n_runs() else writer.runs_of(run.run_id for run in plan_runs(spec, data))
    if retry_failed:
        writer.retry(asked)
    runs = writer.pending()
    return plans[key], runs if asked is None else [(run, cost) for run, cost in runs if run in asked]


def _with_workers(
    writer: StoreWriter,
    given: Means,
    name: str,
    runs: Sequence[tuple[int, float]],
    metrics: Iterable[str],
    datasets: Iterable[str],
    trainers: Iterable[str],
) -> Tally:
    """As `_do`, with workers only where there is something to do."""
    names = [metric.name for metric in select_metrics(metrics)]
    given_up, wanted = writer.unmeasurable(), set(names)
    if not runs and all(wanted <= known or recipe in given_up for recipe, known in writer.measured().items()):
        return Tally()
    with given.backend(datasets, trainers) as backend:
        return _do(writer, backend, given, name, runs, metrics)


def _do(
    writer: StoreWriter,
    backend: Backend,
    given: Means,
    name: str,
    runs: Sequence[tuple[int, float]],
    metrics: Iterable[str],
) -> Tally:
    costs = dict(runs)
    agenda = Agenda(
        writer,
        [run for run, _ in runs],
        [metric.name for metric in select_metrics(metrics)],
        together=1 if given.timeout is not None else given.together,  # the time of a run is its own
        slots=backend.slots,
        keep_weights=given.keep_weights,
    )
    progress = Progress(name, len(runs), sum(costs.values()), writer.best_accuracy(), given.progress)
    try:
        return drive(writer, agenda, backend, progress, costs)
    finally:
        progress.close()


def _complete(writer: StoreWriter, names: Iterable[str]) -> int:
    """Recipes of whose topologies all these metrics are known."""
    wanted = set(names)
    return sum(wanted <= known for known in writer.measured().values())


def _existing(store: str | os.PathLike[str]) -> Store:
    target = open_store(store)
    target.counts()  # refuses what is no store, and does not make one
    return target


@contextmanager
def _writing(target: Store) -> Iterator[StoreWriter]:
    """The store's writer, and for as long a note in it of who writes."""
    with target.writer() as writer:
        writer.say({"writer": {"pid": os.getpid(), "machine": platform.node(), "since": time.time()}})
        try:
            yield writer
        finally:
            with suppress(sqlite3.Error):  # on a full disk the note stays, and status sees it is stale
                writer.say({"writer": None})
