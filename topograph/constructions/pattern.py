"""From rows of outputs to a `BipartiteGraph`, without ever writing down an n × m array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph

_BLOCK = 4_000_000  # entries sorted at a time


def from_equal_rows(outputs: npt.NDArray[Any], n_right: int) -> BipartiteGraph:
    """The graph whose input i connects to the k distinct ``outputs[i]``, shape ``(n_left, k)``, ascending."""
    n_left, k = outputs.shape
    return BipartiteGraph(n_left, n_right, np.arange(n_left + 1, dtype=np.int64) * k, outputs.reshape(-1))


def rotate(offsets: npt.NDArray[np.int64], n_left: int, n_right: int) -> BipartiteGraph:
    """The rotating graph: input i connects to ``(offsets + i) mod n_right``.

    Row i depends on i mod n_right only, so that many rows are sorted and then repeated.
    """
    period = min(n_left, n_right)
    rows = np.empty((period, offsets.size), dtype=np.int32)
    step = max(1, _BLOCK // offsets.size)
    for start in range(0, period, step):
        shift = np.arange(start, min(start + step, period))[:, None]
        rows[start : start + step] = np.sort((offsets + shift) % n_right, axis=1)
    repeats = np.arange(n_left) % period
    return from_equal_rows(rows if period == n_left else rows[repeats], n_right)
