"""How many paths lead from the inputs of a network to its outputs, and how evenly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.metrics.metric import Value
from topograph.metrics.reach import connected_pairs

if TYPE_CHECKING:
    from topograph.topology import Topology

_BLOCK = 1 << 24  # numbers held at once


@dataclass(frozen=True)
class _PathCounts:
    """Moments of the path counts P over all input-output pairs, and of ln P over those that have a path."""

    connected: int
    cv: float
    log_std: float


@computed_once
def _path_counts(topology: Topology) -> _PathCounts:
    """Counts as floats with an exponent of its own for each output: powers of two, so scaling rounds nothing."""
    *earlier, last = topology
    matrices = [graph.biadjacency.astype(np.float64) for graph in earlier]
    columns = last.biadjacency.tocsc()
    width = max(1, _BLOCK // max(topology.sizes[:-1]))
    connected, logs, squares_of_logs = 0, 0.0, 0.0
    shift = 0.0
    sums: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]] = []
    for start in range(0, last.n_right, width):
        counts = columns[:, start : start + width].toarray(order="C").astype(np.float64)
        exponents = np.zeros(counts.shape[1], dtype=np.int64)
        for matrix in reversed(matrices):
            counts = matrix @ counts
            _, powers = np.frexp(counts.max(axis=0))
            counts = np.ldexp(counts, -powers)
            exponents += powers
        sums.append((counts.sum(axis=0), np.square(counts).sum(axis=0), exponents))
        with np.errstate(divide="ignore"):
            each = np.log(counts) + exponents * math.log(2)
        each = each[np.isfinite(each)]
        if not connected and each.size:
            shift = float(each[0])  # so that equal logs have a variance of exactly 0
        each -= shift
        connected += each.size
        logs, squares_of_logs = logs + float(each.sum()), squares_of_logs + float(np.square(each).sum())
    first, second, exponents = (np.concatenate(parts) for parts in zip(*sums, strict=True))
    top = int(exponents[first > 0].max(initial=-(2**62)))
    scale = np.maximum(exponents - top, -2000)
    pairs = topology.sizes[0] * last.n_right
    mean = float(np.ldexp(first, scale).sum()) / pairs
    variance = max(float(np.ldexp(second, 2 * scale).sum()) / pairs - mean**2, 0.0)
    if variance < 1e-13 * mean**2:
        variance = 0.0  # below the rounding of the sums
    log_variance = squares_of_logs / connected - (logs / connected) ** 2 if connected else math.nan
    return _PathCounts(connected, math.sqrt(variance) / mean if mean else math.nan, math.sqrt(max(log_variance, 0.0)))


_NO_PATH = Value.undefined("no input is connected to an output")


def log_path_count(topology: Topology) -> Value:
    """Logarithm of Σ P: a product of the layers with a vector of ones, scaled in between."""
    counts = np.ones(topology.sizes[-1])
    log = 0.0
    for graph in reversed(topology.graphs):
        counts = graph.biadjacency.astype(np.float64) @ counts
        largest = float(counts.max())
        if not largest:
            return _NO_PATH
        counts /= largest
        log += math.log(largest)
    return Value(log + math.log(float(counts.sum())))


def path_count_cv(topology: Topology) -> Value:
    """Standard deviation of P over its mean."""
    found = _path_counts(topology)
    return _NO_PATH if math.isnan(found.cv) else Value(found.cv)


def log_path_spread(topology: Topology) -> Value:
    """Standard deviation of ln P over the pairs with a path."""
    found = _path_counts(topology)
    connected = connected_pairs(topology)
    if not connected:
        return _NO_PATH
    if connected != found.connected:
        return Value.undefined("the path counts of one output span more than 300 orders of magnitude")
    return Value(found.log_std)
