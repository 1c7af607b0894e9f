"""`run_study`: runs what a study still lacks, in parallel, and keeps every result the moment it is there."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from topograph.checks import check_integer
from topograph.metrics.registry import select_metrics
from trainers.study.plan import Run, plan_runs
from trainers.study.spec import StudySpec
from trainers.study.store import StoreWriter, open_store
from trainers.study.worker import Outcome, Task, execute

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
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


def run_study(
    spec: str | os.PathLike[str] | Mapping[str, Any] | StudySpec,
    store: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    retry_failed: bool = False,
    progress: bool = True,
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
    workers
        Processes, each with one thread; as many as there are cores by default. With 1, everything runs in this one.
    retry_failed
        Whether runs that failed before are tried again.
    progress
        Whether to show a progress bar.

    Raises
    ------
    SpecError
        When the spec is broken; nothing has been done then.
    StoreError
        When the store is of another version, or another process writes to it.
    """
    started = time.perf_counter()
    if not isinstance(spec, StudySpec):
        spec = StudySpec.from_mapping(spec) if isinstance(spec, Mapping) else StudySpec.from_toml(spec)
    workers = _available_cores() if workers is None else check_integer("workers", workers, low=1)
    target = open_store(f"{spec.name}.sqlite" if store is None else store)
    runs = plan_runs(spec)
    with target.writer() as writer:
        meta = {
            "spec": {**spec.content, "name": spec.name},
            "versions": {package: version(package) for package in _VERSIONS},
        }
        writer.plan(runs, meta)
        statuses = writer.statuses()
        wanted = ("pending", "failed") if retry_failed else ("pending",)
        todo = [run for run in runs if statuses[run.run_id] in wanted]
        tasks = _tasks(runs, {run.run_id for run in todo}, writer, spec)
        trained = failed = 0
        with _pool(min(workers, max(1, len(tasks)))) as pool, _bar(spec.name, len(todo), progress) as bar:
            for task, outcome in _outcomes(pool, tasks, 2 * workers):
                _keep(writer, task, outcome)
                if not task.train:
                    continue
                trained, failed = trained + (outcome.record is not None), failed + (outcome.record is None)
                if failed:
                    bar.set_postfix(failed=failed)
                bar.update()
    return StudyOutcome(target.path, len(runs), trained, failed, len(runs) - len(todo), time.perf_counter() - started)


def _tasks(runs: list[Run], todo: set[str], writer: StoreWriter, spec: StudySpec) -> list[Task]:
    """The runs to be trained, and what is missing of any topology's metrics: asked of one run of that topology."""
    names = [metric.name for metric in select_metrics(spec.metrics)]
    measured = writer.measured()
    tasks = []
    for run in sorted(runs, key=lambda run: run.run_id not in todo):  # those to be trained first
        missing = tuple(name for name in names if (run.topology_id, name) not in measured)
        measured.update((run.topology_id, name) for name in missing)
        if missing or run.run_id in todo:
            tasks.append(Task(run, missing, run.run_id in todo))
    return tasks


def _keep(writer: StoreWriter, task: Task, outcome: Outcome) -> None:
    # metrics first: were the process to end between the two, the run would only be trained again
    if outcome.metric_rows:
        writer.keep_metrics(task.run.topology_id, outcome.metric_rows)
    if outcome.record is not None:
        writer.finish(task.run.run_id, outcome.record)
    elif task.train:
        writer.fail(task.run.run_id, outcome.reason, outcome.traceback)


class _Pool:
    """An executor that can be replaced when one of its processes dies."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.executor: Executor | None = None

    def submit(self, task: Task) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        if self.workers == 1:
            future.set_result(execute(task))
            return future
        if self.executor is None:
            from loky import ProcessPoolExecutor

            self.executor = ProcessPoolExecutor(self.workers, env=_ONE_THREAD)
        try:
            return self.executor.submit(execute, task)
        except BrokenProcessPool as error:  # it broke since the last result: the same as breaking under this task
            future.set_exception(error)
            return future

    def drop(self, kill: bool) -> None:
        if self.executor is not None:
            self.executor.shutdown(wait=True, kill_workers=kill)  # type: ignore[call-arg]
            self.executor = None


@contextmanager
def _pool(workers: int) -> Iterator[_Pool]:
    pool = _Pool(workers)
    try:
        yield pool
    except BaseException:
        pool.drop(kill=True)
        raise
    pool.drop(kill=False)


def _outcomes(pool: _Pool, tasks: list[Task], window: int) -> Iterator[tuple[Task, Outcome]]:
    """The outcome of each task, as they come, with a bounded number under way.

    When a process dies, all tasks under way are suspects: they are run again one at a time, and the one under which a
    process dies alone has failed.
    """
    queue = deque(tasks)
    suspects: deque[Task] = deque()
    under_way: dict[Future[Outcome], Task] = {}
    while queue or suspects or under_way:
        limit = 1 if suspects or pool.workers == 1 else window
        while (suspects or queue) and len(under_way) < limit:
            task = suspects.popleft() if suspects else queue.popleft()
            under_way[pool.submit(task)] = task
            if limit == 1:
                break
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        broken: list[Task] = []
        for future in done:
            task = under_way.pop(future)
            try:
                yield task, future.result()
            except BrokenProcessPool as error:
                broken.append(task)
                cause = str(error)
        if broken:
            pool.drop(kill=True)
            broken += under_way.values()
            under_way.clear()
            if len(broken) == 1:
                yield broken[0], Outcome(None, reason=f"the worker process died: {cause}")
            else:
                suspects.extend(broken)


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _bar(name: str, total: int, progress: bool) -> Any:
    """A progress bar; where nobody watches it move, it speaks seldom."""
    patience = 0.1 if sys.stderr.isatty() or "ipykernel" in sys.modules else 10.0
    return tqdm(total=total, desc=name, unit="network", disable=not progress or not total, mininterval=patience)
