"""`Execution`: how a study is carried out, and the workers that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from types import TracebackType

from topograph.checks import check_integer
from topograph.cores import available_cores
from topograph.errors import InvalidParameterError
from trainers.given import given_trainers
from trainers.study.engine.backends import Backend, check_limits, foreign_backend, local_backend


@dataclass(frozen=True)
class Execution:
    """How a study is carried out: the keyword arguments of `trainers.study.run_study`, checked.

    Parameters
    ----------
    workers, executor, cluster, timeout, memory, keep_weights, together, progress
        As for `trainers.study.run_study`.

    Raises
    ------
    InvalidParameterError
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
        if self.executor is not None and not callable(getattr(self.executor, "submit", None)):
            raise InvalidParameterError(f"executor must be a concurrent.futures.Executor, but got {self.executor!r}")
        if self.cluster is not None and (not isinstance(self.cluster, str) or not self.cluster.strip()):
            raise InvalidParameterError(
                "cluster must be the address of a Dask scheduler, such as 'tcp://127.0.0.1:8786', but got "
                f"{self.cluster!r}"
            )

    def workforce(self, datasets: Iterable[str] = (), trainers: Iterable[str] = ()) -> Workforce:
        """The workers, which start when they are first needed and prepare for these data sets and trainers."""
        return Workforce(self, tuple(sorted(datasets)), tuple(sorted(set(trainers) - set(given_trainers()))))


class Workforce:
    """The workers of one study: started at most once, and released at the end of a ``with`` block.

    Parameters
    ----------
    execution
        How the study is carried out.
    datasets, trainers
        Names that each worker loads when it starts.
    """

    def __init__(self, execution: Execution, datasets: tuple[str, ...], trainers: tuple[str, ...]) -> None:
        self._execution, self._datasets, self._trainers = execution, datasets, trainers
        self._backend: Backend | None = None

    def start(self) -> Backend:
        """The running workers.

        Raises
        ------
        WorkerError, MissingDependencyError
            When the cluster does not answer, or Dask is not installed.
        """
        if self._backend is None:
            self._backend = self._make()
        return self._backend

    def _make(self) -> Backend:
        execution = self._execution
        timeout, memory = check_limits(execution.timeout, execution.memory)
        if execution.cluster is not None:
            from trainers.study.engine.cluster import cluster_backend

            return cluster_backend(execution.cluster, timeout, memory)
        if execution.executor is not None:
            return foreign_backend(execution.executor, execution.workers, timeout, memory)
        workers = available_cores() if execution.workers is None else execution.workers
        return local_backend(workers, timeout, memory, self._datasets, self._trainers)

    def __enter__(self) -> Workforce:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the workers; after an error, in the middle of their work."""
        if self._backend is not None:
            self._backend.close(kill=error is not None)
