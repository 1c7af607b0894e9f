"""The places where jobs are done: this process, sandboxes on this machine, or any executor."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from typing import Any

from topograph.checks import check_integer, check_real
from topograph.cores import available_cores
from topograph.errors import InvalidParameterError, TopographError, WorkerError
from trainers.study.engine.pool import SandboxPool
from trainers.study.engine.sandbox import Sandbox, SandboxDiedError
from trainers.study.engine.worker import execute, warm
from trainers.study.records import Job, JobResult


class WorkerLostError(TopographError, RuntimeError):
    """The worker that had some jobs is gone, or its replies are useless, but the jobs can be tried again."""


class Backend:
    """Does jobs, several at a time.

    Parameters
    ----------
    executor
        Executor that the jobs are submitted to.
    slots
        Number of its workers.
    window
        Number of jobs under way at a time: more than there are workers, so that none waits for the store.
    timeout, memory
        Limits of one job: seconds, bytes.
    isolated
        Whether the executor enforces the limits by itself.
    owned
        Whether the executor ends with the study.
    patience
        Seconds of submitting jobs after which the store is written. It matters where submitting a job does it: shorter
        runs share a transaction, longer ones have one each.
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

    @property
    def elsewhere(self) -> bool:
        """Whether jobs may be done in other processes."""
        return self._confine or not isinstance(self._executor, (Inline, ThreadPoolExecutor))

    def submit(self, jobs: Sequence[Job]) -> Future[list[JobResult]]:
        """Submit jobs that are done together."""
        try:
            if self._confine:
                return self._executor.submit(execute_confined, jobs, *self._limits)
            return self._executor.submit(execute, jobs)
        except (BrokenExecutor, RuntimeError) as error:
            raise WorkerError(f"the executor takes no more work: {error}. What was finished is kept") from error

    def result(self, future: Future[list[JobResult]]) -> list[JobResult]:
        """The results of the jobs.

        Raises
        ------
        WorkerLostError
            When the worker died under them, and they can be tried again.
        WorkerError
            When no workers are left.
        """
        try:
            return future.result()
        except SandboxDiedError as error:
            raise WorkerLostError(str(error)) from error
        except (CancelledError, BrokenExecutor) as error:
            self.check()
            raise WorkerError(
                f"the workers are gone ({type(error).__name__}: {error}). Finished networks are kept; run "
                "the same command again to continue"
            ) from error
        except Exception as error:
            if type(error).__name__ == "KilledWorker":  # of Dask, which need not be installed
                raise WorkerLostError(f"the Dask workers that had this run died: {error}") from error
            raise

    def check(self) -> None:
        """Look after the workers; called about once per second.

        Raises
        ------
        WorkerError
            When none are left.
        """

    def close(self, kill: bool = False) -> None:
        """Release the workers; with ``kill``, in the middle of their work."""
        if self._owned and kill and isinstance(self._executor, SandboxPool):
            self._executor.kill()
        elif self._owned:
            self._executor.shutdown(wait=True, cancel_futures=kill)


class Inline(Executor):
    """Makes every call immediately, in this process."""

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
    """Sandboxes on this machine, or this process itself for one worker without limits."""
    if workers == 1 and timeout is None and memory is None:
        return Backend(Inline(), 1, 1000, isolated=True, owned=True, patience=0.02)
    pool = SandboxPool(workers, timeout=timeout, memory=memory, first=(warm, (tuple(datasets), tuple(trainers))))
    return Backend(pool, workers, 2 * workers, isolated=True, owned=True)


def foreign_backend(executor: Executor, workers: int | None, timeout: float | None, memory: int | None) -> Backend:
    """Any executor; ``workers`` is the number of jobs it does at a time, where it does not tell itself."""
    slots = workers or getattr(executor, "_max_workers", None) or available_cores()
    return Backend(executor, slots, 2 * slots, timeout=timeout, memory=memory)


_THREAD = threading.local()
SHORTEST_TIMEOUT = 0.01
"""Seconds; with less, no run could end, and each would cost the start of a process."""


def execute_confined(jobs: Sequence[Job], timeout: float | None, memory: int | None) -> list[JobResult]:
    """As `execute`, in a sandbox of the calling thread, which is kept for the next call."""
    sandbox: Sandbox | None = getattr(_THREAD, "sandbox", None)
    if sandbox is None or _THREAD.memory != memory:
        if sandbox is not None:
            sandbox.kill()
        data = {job.condition.dataset: job.condition.trainer for job in jobs if job.condition is not None}
        sandbox = Sandbox(memory, first=(warm, (tuple(data), tuple(data.values()))))
        _THREAD.sandbox, _THREAD.memory = sandbox, memory
    try:
        return sandbox.call(execute, (jobs,), timeout)  # type: ignore[no-any-return]
    except Exception:
        sandbox.kill()
        _THREAD.sandbox = None
        raise


def check_limits(timeout: float | None, memory: int | None) -> tuple[float | None, int | None]:
    """Accept the limits of a run.

    Raises
    ------
    InvalidParameterError
    """
    if timeout is not None:
        timeout = check_real("timeout", timeout, low=SHORTEST_TIMEOUT)
    if memory is not None:
        memory = check_integer("memory", memory, low=1)
        if not sys.platform.startswith("linux"):
            raise InvalidParameterError(f"memory is limited on Linux only, but got memory={memory}; leave it out here")
    return timeout, memory
