"""`ClusterBackend`: jobs on the workers of a Dask scheduler."""

from __future__ import annotations

import time
from typing import Any

from topograph.errors import MissingDependencyError, WorkerError
from trainers.study.engine.backends import Backend

_PATIENCE = 20.0
_CONNECTION = 10.0


class ClusterBackend(Backend):
    """A Dask cluster, however many workers it has at the moment.

    Tasks are a few hundred bytes: workers read data sets by name and make topologies by recipe, once a process. When a
    worker dies, Dask gives its tasks to others; when the scheduler is gone, the study stops and can be run again.

    Parameters
    ----------
    client
        A `distributed.Client`.
    timeout, memory
        Limits of one run; with any, runs are done in processes beside the workers, which can be killed.
    """

    def __init__(self, client: Any, timeout: float | None, memory: int | None) -> None:
        self._client = client
        self._lost: float | None = None
        self._counted = 0.0
        super().__init__(client.get_executor(pure=False), 1, 2, timeout=timeout, memory=memory)
        self.check()

    def check(self) -> None:
        """See `Backend.check`: how many workers there are, and whether the scheduler is."""
        now = time.monotonic()
        if self._client.status == "running":
            self._lost = None
            if now - self._counted > 5:
                self._counted = now
                self.slots = max(1, sum(self._client.ncores().values()))
                self.window = 2 * self.slots
            return
        self._lost = self._lost or now
        if now - self._lost > _PATIENCE or self._client.status == "closed":
            raise WorkerError(
                f"the scheduler at {self._client.scheduler.address} no longer answers. What was finished is kept; the "
                "same command goes on from there once it is back"
            )

    def close(self, kill: bool = False) -> None:
        """Leave the cluster; what is under way there is given up."""
        self._client.close(timeout=2)


def cluster_backend(address: str, timeout: float | None, memory: int | None) -> ClusterBackend:
    """The cluster whose scheduler is at an address such as ``"tcp://127.0.0.1:8786"``.

    Raises
    ------
    MissingDependencyError
        When Dask is not installed.
    WorkerError
        When no scheduler answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError("a cluster needs Dask: pip install 'topograph[dask]'") from error
    try:
        client: Any = Client(address, timeout=_CONNECTION, set_as_default=False)  # type: ignore[no-untyped-call, unused-ignore]
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"no Dask scheduler answers at {address!r}: {error}. Start one with: dask scheduler; workers with: dask "
            "worker ADDRESS"
        ) from error
    return ClusterBackend(client, timeout, memory)
