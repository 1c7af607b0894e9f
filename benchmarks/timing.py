"""What the benchmarks time with: one core, and the least processor time of some calls."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import topograph as tg

Result = TypeVar("Result")


def use_one_core() -> None:
    """To be called before NumPy is imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def best(call: Callable[[], Result], repeats: int) -> tuple[float, Result]:
    """Least seconds of the processor, and what the last call returned."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        times.append(time.process_time() - start)
    return min(times), result


def fresh(graph: tg.BipartiteGraph) -> tg.BipartiteGraph:
    """The same mask, nothing cached."""
    return type(graph)(graph.n_left, graph.n_right, graph.indptr, graph.indices)
