"""`SandboxPool`: an executor of sandboxes on this machine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from trainers.study.engine.sandbox import Sandbox, SandboxDiedError, SandboxLimitError


class SandboxPool(Executor):
    """Calls functions in several processes, each with one thread.

    When a process dies or takes too long, only that call fails: the process is replaced, and the others continue.

    Parameters
    ----------
    workers
        Number of processes; they start immediately.
    timeout
        Seconds that one call may take; None for any time.
    memory
        Bytes that one process may hold, see `trainers.study.engine.sandbox.Sandbox`.
    first
        A function and its arguments, called once in each process when it starts.

    Examples
    --------
    >>> with SandboxPool(1) as pool:
    ...     pool.submit(pow, 2, 10).result()
    1024
    """

    def __init__(
        self,
        workers: int,
        *,
        timeout: float | None = None,
        memory: int | None = None,
        first: tuple[Callable[..., Any], tuple[Any, ...]] | None = None,
    ) -> None:
        self._timeout, self._memory, self._first = timeout, memory, first
        self._queue: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._sandboxes: list[Sandbox | None] = [self._new() for _ in range(workers)]
        self._threads = [threading.Thread(target=self._work, args=(i,), daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call of a function that can be imported by name."""
        if kwargs:
            raise TypeError("keyword arguments are not supported")
        future: Future[Any] = Future()
        with self._changed:
            if self._closing:
                raise RuntimeError("the pool has been shut down")
            self._queue.append((future, fn, args))
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish the queued calls, or with ``cancel_futures`` only the running ones, and end the processes."""
        with self._changed:
            self._closing = True
            while cancel_futures and self._queue:
                self._queue.popleft()[0].cancel()
            self._changed.notify_all()
        if wait:
            for thread in self._threads:
                thread.join()

    def kill(self) -> None:
        """End everything at once, running calls included."""
        self.shutdown(wait=False, cancel_futures=True)
        for sandbox in list(self._sandboxes):
            if sandbox is not None:
                sandbox.kill()
        for thread in self._threads:
            thread.join()

    def _new(self) -> Sandbox:
        return Sandbox(self._memory, self._first)

    def _work(self, index: int) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if not self._queue:
                    break
                future, function, arguments = self._queue.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                sandbox = self._sandboxes[index] = self._sandboxes[index] or self._new()
                result = sandbox.call(function, arguments, self._timeout)
            except (SandboxDiedError, SandboxLimitError) as error:
                self._replace(index)
                future.set_exception(error)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del future
        if (last := self._sandboxes[index]) is not None:
            last.kill()

    def _replace(self, index: int) -> None:
        """A new process in the place of a dead one, where calls are still to come."""
        self._sandboxes[index] = None
        if self._queue or not self._closing:
            with suppress(SandboxDiedError):  # the next call tries again
                self._sandboxes[index] = self._new()
