"""Where jobs are done: in this process, in cells on this machine, or wherever an executor takes them."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any

from topograph.checks import check_integer, check_real
from topograph.cores import available_cores
from topograph.errors import InvalidParameterError, TopographError, WorkerError
from trainers.study.engine.pool import SandboxPool
from trainers.study.engine.sandbox import Sandbox, SandboxDiedError
from trainers.study.engine.worker import execute, warm
from trainers.study.records import Job, JobResult


class WorkerLostError(TopographError, RuntimeError):
    """The worker that had some jobs is gone, but others are there."""


class Backend:
    """Does jobs, so many at a time.

    Parameters
    ----------
    executor
        What they are submitted to.
    slots
        Workers that it has.
    window
        Jobs to be under way at a time: some more than there are workers, so that none waits for the store.
    timeout, memory
        Limits of one job: seconds, bytes.
    isolated
        Whether the executor keeps to the limits by itself.
    owned
        Whether the executor ends with the study.
    patience
        Seconds in which jobs are submitted, before the store is written. It matters where submitting is doing: runs of
        less share a transaction, longer ones have one each.
    """

    def __init__(
        self,
        executor: Executor,
        slots: int,
        window: int,
        *,
        timeout: float | None = None,
        memory: int | None = None,
        isolated: bool = False,
        owned: bool = False,
        patience: float = math.inf,
    ) -> None:
        self._executor, self.slots, self.window, self.patience = executor, slots, window, patience
        self._limits = (timeout, memory)
        self._confine = not isolated and (timeout is not None or memory is not None)
        self._owned = owned

    def submit(self, jobs: Sequence[Job]) -> Future[list[JobResult]]:
        """Have some jobs done."""
        try:
            if self._confine:
                return self._executor.submit(execute_confined, jobs, *self._limits)
            return self._executor.submit(execute, jobs)
        except (BrokenExecutor, RuntimeError) as error:
            raise WorkerError(f"the executor takes no more work: {error}. What was finished is kept") from error

    def result(self, future: Future[list[JobResult]]) -> list[JobResult]:
        """What came of the jobs.

        Raises
        ------
        WorkerLostError
            When the worker died under them, and they can be tried again.
        WorkerError
            When there are no workers any more.
        """
        try:
            return future.result()
        except SandboxDiedError as error:
            raise WorkerLostError(str(error)) from error
        except (CancelledError, BrokenExecutor) as error:
            self.check()
            raise WorkerError(
                f"the workers are gone ({type(error).__name__}: {error}); what was finished is kept, and the same "
                "command goes on from there"
            ) from error
        except Exception as error:
            if type(error).__name__ == "KilledWorker":  # Dask's, which need not be installed
                raise WorkerLostError(f"the Dask workers that had this run died: {error}") from error
            raise

    def check(self) -> None:
        """Look after the workers; called now and then.

        Raises
        ------
        WorkerError
            When there are none any more.
        """

    def close(self, kill: bool = False) -> None:
        """Release what was taken; with ``kill``, in the middle of whatever is going on."""
        if self._owned and kill and isinstance(self._executor, SandboxPool):
            self._executor.kill()
        elif self._owned:
            self._executor.shutdown(wait=True, cancel_futures=kill)


class Inline(Executor):
    """Does everything at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the function."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def local_backend(
    workers: int, timeout: float | None, memory: int | None, datasets: Sequence[str], trainers: Sequence[str]
) -> Backend:
    """Cells on this machine; with one worker and no limits, this process itself."""
    if workers == 1 and timeout is None and memory is None:
        return Backend(Inline(), 1, 1000, isolated=True, owned=True, patience=0.02)
    pool = SandboxPool(workers, timeout=timeout, memory=memory, first=(warm, (tuple(datasets), tuple(trainers))))
    return Backend(pool, workers, 2 * workers, isolated=True, owned=True)


def foreign_backend(executor: Executor, workers: int | None, timeout: float | None, memory: int | None) -> Backend:
    """Any executor; ``workers`` says how many jobs it does at a time, where it does not say so itself."""
    slots = workers or getattr(executor, "_max_workers", None) or available_cores()
    return Backend(executor, slots, 2 * slots, timeout=timeout, memory=memory)


_OWN = threading.local()


def execute_confined(jobs: Sequence[Job], timeout: float | None, memory: int | None) -> list[JobResult]:
    """As `execute`, in a cell of the calling thread, which is kept for the next call."""
    cell: Sandbox | None = getattr(_OWN, "cell", None)
    if cell is None or _OWN.memory != memory:
        if cell is not None:
            cell.kill()
        data = {job.condition.dataset: job.condition.trainer for job in jobs if job.condition is not None}
        cell = Sandbox(memory, first=(warm, (tuple(data), tuple(data.values()))))
        _OWN.cell, _OWN.memory = cell, memory
    try:
        return cell.call(execute, (jobs,), timeout)  # type: ignore[no-any-return]
    except Exception:
        cell.kill()
        _OWN.cell = None
        raise


def check_limits(timeout: float | None, memory: int | None) -> tuple[float | None, int | None]:
    """Accept limits of a run.

    Raises
    ------
    InvalidParameterError
    """
    if timeout is not None:
        timeout = check_real("timeout", timeout, low=0, include_low=False)
    if memory is not None:
        memory = check_integer("memory", memory, low=1)
        if not sys.platform.startswith("linux"):
            raise InvalidParameterError(f"memory={memory} can be kept to on Linux only; leave it out here")
    return timeout, memory
