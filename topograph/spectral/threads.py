"""Threads for large graphs: each takes a range of rows, and compiled code lets them run side by side."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from topograph.cores import available_cores

if TYPE_CHECKING:
    from topograph.spectral.pattern import Pattern

_MOST = 64  # threads
_EDGES = 1_000_000  # below this, handing out work costs more than it saves

Parts = list[tuple[int, int]]
BothParts = tuple[Parts, Parts]
"""Of the inputs and of the outputs."""

_waiting = threading.Lock()


def useful_threads(edges: int) -> int:
    """How many threads are worthwhile for so many edges: as many as there are cores, or one."""
    return 1 if edges < _EDGES else min(available_cores(), _MOST)


def split_rows(pattern: Pattern) -> BothParts | None:
    """Ranges of inputs and of outputs, one per core, with about equally many edges; None where one thread is best."""
    threads = useful_threads(pattern.n_edges)
    if threads == 1:
        return None
    return split_evenly(pattern.indptr, threads), split_evenly(pattern.col_indptr, threads)


def split_evenly(indptr: npt.NDArray[Any], count: int) -> Parts:
    """Ranges of rows, at most so many, with about equally many edges."""
    cuts = np.searchsorted(indptr, indptr[-1] * (np.arange(1, count) / count)).tolist()
    edges = [0, *cuts, indptr.size - 1]
    return [(lo, hi) for lo, hi in pairwise(edges) if lo < hi]


def run_parts(calls: Sequence[tuple[Any, ...]], give_up: Callable[[], None] = lambda: None) -> list[Any]:
    """Run ``(function, *arguments)`` side by side; the results in order.

    None of them runs on when this returns or raises, since they may write where memory is freed then. Where one cannot
    begin, or this thread is interrupted, ``give_up`` is called, after which the others must end.
    """
    jobs: list[Future[Any]] = []
    try:
        for call in calls[1:]:
            jobs.append(_pool(os.getpid()).submit(*call))  # noqa: PERF401 (known one by one: the next may fail)
        function, *arguments = calls[0]
        first = function(*arguments)
    except BaseException:
        give_up()
        raise
    finally:
        wait(jobs)
    return [first, *(job.result() for job in jobs)]


@contextmanager
def free_cores(pattern: Pattern) -> Iterator[None]:
    """Keep BLAS to one thread where ours share a pattern: after a call, its threads hold their cores for a while."""
    if split_rows(pattern) is None:
        yield
    else:
        with _blas().limit(limits=1, user_api="blas"):
            yield


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def waiting_threads() -> Iterator[bool]:
    """Whether calls of `run_parts` may wait for each other meanwhile: those of one caller at a time.

    Otherwise the threads of the pool could all wait for calls that wait for a thread.
    """
    are_free = _waiting.acquire(blocking=False)
    try:
        yield are_free
    finally:
        if are_free:
            _waiting.release()


@cache
def _pool(process: int) -> ThreadPoolExecutor:  # one pool per process: threads do not survive a fork
    del process
    return ThreadPoolExecutor(_MOST, thread_name_prefix="topograph-spectral")
