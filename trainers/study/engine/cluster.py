"""`ClusterBackend`: jobs on the workers of a Dask scheduler."""

from __future__ import annotations

import time
from typing import Any

from topograph.errors import MissingDependencyError, WorkerError
from trainers.study.engine.backends import Backend


class ClusterBackend(Backend):
    """A Dask cluster with however many workers it has at the moment.

    A task is a few hundred bytes: workers read data sets by name and make topologies by recipe, once per process. When
    a worker dies, Dask gives its tasks to others; when the scheduler is gone, the study stops and can be run again.

    Parameters
    ----------
    client
        A `distributed.Client`.
    timeout, memory
        Limits of one run; with any, runs are done in sandboxes beside the workers.
    patience
        Seconds without an answer of the scheduler after which it counts as gone.
    """

    def __init__(self, client: Any, timeout: float | None, memory: int | None, patience: float) -> None:
        self._client, self._patience = client, patience
        self._lost: float | None = None
        self._counted = 0.0
        super().__init__(client.get_executor(pure=False), 1, 2, timeout=timeout, memory=memory)
        self.check()

    def check(self) -> None:
        """See `Backend.check`; also counts the workers."""
        now = time.monotonic()
        if self._client.status == "running":
            self._lost = None
            if now - self._counted > 5:
                self._counted = now
                self.slots = max(1, sum(self._client.ncores().values()))
                self.window = 2 * self.slots
            return
        self._lost = self._lost or now
        if now - self._lost > self._patience or self._client.status == "closed":
            raise WorkerError(
                f"the scheduler at {self._client.scheduler.address} no longer answers. Finished networks are kept; run "
                "the same command again once it is back"
            )

    def close(self, kill: bool = False) -> None:
        """Leave the cluster; tasks under way there are given up."""
        self._client.close(timeout=2)


def cluster_backend(address: str, timeout: float | None, memory: int | None) -> ClusterBackend:
    """The cluster whose scheduler is at an address such as ``"tcp://127.0.0.1:8786"``.

    How long it may take to connect, and to connect again when the scheduler falls silent, is Dask's to configure:
    ``distributed.comm.timeouts.connect``.

    Raises
    ------
    MissingDependencyError
        When Dask is not installed.
    WorkerError
        When no scheduler answers there.
    """
    try:
        from dask import config
        from dask.utils import parse_timedelta
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError("a cluster needs Dask: pip install 'topograph[dask]'") from error
    patience = parse_timedelta(config.get("distributed.comm.timeouts.connect"))
    try:
        client: Any = Client(address, timeout=patience, set_as_default=False)  # type: ignore[no-untyped-call, unused-ignore]
    except Exception as error:  # of many kinds: an address may be wrong in many ways
        raise WorkerError(
            f"no Dask scheduler answers at {address!r}: {error}. Start one with: dask scheduler; workers with: dask "
            "worker ADDRESS"
        ) from error
    return ClusterBackend(client, timeout, memory, patience)
