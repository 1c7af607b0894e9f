"""`share_work`: one compiled call on several threads, as many as PyTorch uses."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.packages import require
from topograph.tiles import LANES

_LINE = 64  # bytes of a cache line
_pools: dict[int, ThreadPoolExecutor] = {}
_is_forked = False
_scratch = threading.local()


def share_work(work: Callable[..., None], given: tuple[Any, ...], workers: int) -> None:
    """Let several threads share a call, on PyTorch's own threads where they can be had.

    Parameters
    ----------
    work
        Compiled function that takes what is given, and last the claims, the workers and the region that
        `topograph.torch.sharing.shared` takes; it must release the GIL.
    given
        Its other arguments.
    workers
        How many there are.
    """
    claims = np.zeros(1, np.int64)
    region = 0 if workers == 1 or _is_forked else _parallel_region()
    if workers == 1 or region:
        work(*given, claims, workers, region)
        return
    if workers not in _pools:
        _pools[workers] = ThreadPoolExecutor(workers - 1, thread_name_prefix="topograph")
    others = [_pools[workers].submit(work, *given, claims, workers, 0) for _ in range(1, workers)]
    work(*given, claims, workers, 0)
    for other in others:
        other.result()


@cache
def _parallel_region() -> int:
    """Address of the function that opens a parallel region of the OpenMP library that PyTorch runs on; 0 if none.

    The GNU library has it, and those of LLVM and Intel have it for its sake. It is looked up among what PyTorch's own
    library needs, since other packages bring an OpenMP of theirs.
    """
    for library in sorted((Path(require("torch", "torch").__file__).parent / "lib").glob("*torch_cpu.*")):
        try:
            found = ctypes.CDLL(str(library)).GOMP_parallel
        except (OSError, AttributeError):
            continue
        return ctypes.cast(found, ctypes.c_void_p).value or 0
    return 0


def scratch_rows(rows: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Memory of this thread, ``(rows, LANES)``, aligned to cache lines; what it holds is left from before.

    The largest that was asked for is kept.
    """
    arrays: dict[Any, npt.NDArray[Any]] = _scratch.__dict__
    array = arrays.get(dtype)
    if array is None or len(array) < rows:
        memory = np.empty(rows * LANES + _LINE // np.dtype(dtype).itemsize, dtype)
        begin = -memory.ctypes.data % _LINE // memory.itemsize
        array = arrays[dtype] = memory[begin : begin + rows * LANES].reshape(rows, LANES)
    return array[:rows]


def _forget_threads() -> None:
    """A forked process has neither the threads of the pools nor OpenMP's."""
    global _is_forked
    _pools.clear()
    _is_forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
