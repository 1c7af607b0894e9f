"""Threads for large graphs: each takes a range of rows, and compiled code lets them run side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from topograph.cores import available_cores
from topograph.spectral.pattern import Pattern

_EDGES = 1_000_000  # below this, handing out work costs more than it saves

Parts = list[tuple[int, int]]


def split_rows(pattern: Pattern) -> tuple[Parts, Parts] | None:
    """Ranges of inputs and of outputs, one per core, with about equally many edges; None where one thread is best."""
    if pattern.n_edges < _EDGES or available_cores() == 1:
        return None
    cores = available_cores()
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
def _pool(process: int) -> ThreadPoolExecutor:  # one pool per process: threads do not survive a fork
    del process
    return ThreadPoolExecutor(max_workers=max(available_cores() - 1, 1), thread_name_prefix="topograph-spectral")
