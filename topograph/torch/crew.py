"""`share_work`: one compiled call on several threads, as many as PyTorch uses."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.lanes import LANES

_LINE = 64  # bytes of a cache line
_pools: dict[int, ThreadPoolExecutor] = {}
_scratch = threading.local()


def share_work(call: Callable[[int, int], None], workers: int) -> None:
    """Call ``call(worker, workers)`` for each worker, the first on this thread; the calls must release the GIL."""
    if workers == 1:
        call(0, 1)
        return
    if workers not in _pools:
        _pools[workers] = ThreadPoolExecutor(workers - 1, thread_name_prefix="topograph")
    others = [_pools[workers].submit(call, worker, workers) for worker in range(1, workers)]
    call(0, workers)
    for other in others:
        other.result()


def scratch_rows(name: str, rows: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Memory of this thread for ``rows`` rows of lanes, aligned to cache lines; what it holds is left from before."""
    return scratch(name, rows * LANES, dtype).reshape(rows, LANES)


def scratch(name: str, size: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Memory of this thread for ``size`` numbers; the largest that was asked for is kept."""
    arrays: dict[Any, npt.NDArray[Any]] = _scratch.__dict__
    array = arrays.get((name, dtype))
    if array is None or len(array) < size:
        memory = np.empty(size + _LINE // dtype.itemsize, dtype)
        array = arrays[name, dtype] = memory[-memory.ctypes.data % _LINE // dtype.itemsize :]
    return array[:size]


def _forget_pools() -> None:
    """A forked process has the pools, but none of their threads."""
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pools)
