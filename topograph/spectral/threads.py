"""Both cores on large graphs: rows are shared among threads, which the kernels let run side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from topograph.spectral.pattern import Pattern

_EDGES = 1_000_000  # below this handing out the work costs more than it saves

Parts = list[tuple[int, int]]


def n_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split_rows(pattern: Pattern) -> tuple[Parts, Parts] | None:
    """Ranges of inputs and of outputs with about equally many edges, one a core; None where one thread is best."""
    if pattern.n_edges < _EDGES or n_cores() == 1:
        return None
    cores = n_cores()
    return _ranges(pattern.indptr, cores), _ranges(pattern.col_indptr, cores)


def run_parts(calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Run ``(function, *arguments)`` side by side; the results in order."""
    waiting = [_pool(os.getpid()).submit(*call) for call in calls[1:]]
    function, *arguments = calls[0]
    return [function(*arguments), *(job.result() for job in waiting)]


def _ranges(indptr: Any, count: int) -> Parts:
    cuts = np.searchsorted(indptr, indptr[-1] * (np.arange(1, count) / count)).tolist()
    edges = [0, *cuts, indptr.size - 1]
    return [(lo, hi) for lo, hi in pairwise(edges) if lo < hi]


@cache
def _pool(process: int) -> ThreadPoolExecutor:  # one a process: threads do not survive a fork
    del process
    return ThreadPoolExecutor(max_workers=max(n_cores() - 1, 1), thread_name_prefix="topograph-spectral")
