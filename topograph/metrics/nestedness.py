"""Nestedness: whether neurons with few edges reach a part of what those with many reach, as ecology asks."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value

_ALMEIDA = (
    "Almeida-Neto, Guimarães, Guimarães, Loyola & Ulrich (2008), A consistent metric for nestedness analysis in "
    "ecological systems"
)
_BLOCK = 4_000_000  # products of degrees held at a time


@computed_once
def _sums(graph: BipartiteGraph) -> tuple[float, float]:
    """Sum of the paired nestedness over the pairs of inputs, and over those of outputs, as shares."""
    matrix = sp.csr_array(graph.biadjacency, dtype=np.int32)
    return _paired(matrix, graph.left_degrees), _paired(matrix.T.tocsr(), graph.right_degrees)


def _paired(matrix: Any, degrees: npt.NDArray[Any]) -> float:
    """Over the pairs of rows of unequal degree: the share of the smaller row that lies in the larger one."""
    degrees = degrees.astype(np.int64)
    total = 0.0
    turned = matrix.T.tocsr()
    work = np.cumsum(matrix @ np.diff(turned.indptr))
    starts = np.searchsorted(work, np.arange(0, int(work[-1]) + 1, _BLOCK)) if len(work) else np.zeros(0, int)
    ends = [*starts[1:], matrix.shape[0]]
    for start, end in zip(starts, ends, strict=True):
        overlaps = (matrix[start:end] @ turned).tocoo()
        larger, smaller = degrees[overlaps.row + start], degrees[overlaps.col]
        pairs = larger > smaller
        total += float((overlaps.data[pairs] / smaller[pairs]).sum())
    return total


def _nodf(graph: BipartiteGraph, left: bool, right: bool) -> Value:
    pairs = [n * (n - 1) // 2 for n, used in zip(graph.shape, (left, right), strict=True) if used]
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    if not sum(pairs):
        return Value.undefined("there is no pair of nodes on the same side")
    sums = [value for value, used in zip(_sums(graph), (left, right), strict=True) if used]
    return Value(100 * sum(sums) / sum(pairs))


_nested = partial(
    Metric, low=0, high=100, group="nestedness", reference=_ALMEIDA, cost="Σ d² over both sides", fast=False
)
_FORMULA = r"\frac{100}{\text{pairs}} \sum_{d_i > d_j} |N_i \cap N_j| / d_j"

METRICS = (
    _nested(
        "nodf",
        lambda g: _nodf(g, left=True, right=True),
        summary=(
            "nestedness by overlap and decreasing fill: over all pairs of inputs and pairs of outputs, the percentage "
            "of the neighbours of the one with fewer that the other has as well; pairs of equal degree count 0"
        ),
        formula=_FORMULA + r",\ i, j \text{ on the same side}",
    ),
    _nested(
        "nodf_inputs",
        lambda g: _nodf(g, left=True, right=False),
        summary="the same over the pairs of inputs only",
        formula=_FORMULA + r",\ i, j \in L",
    ),
    _nested(
        "nodf_outputs",
        lambda g: _nodf(g, left=False, right=True),
        summary="the same over the pairs of outputs only",
        formula=_FORMULA + r",\ i, j \in R",
    ),
)
