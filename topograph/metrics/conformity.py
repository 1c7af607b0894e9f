"""How far a mask fits what hardware speeds up: N:M groups and dense blocks."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value

_MISHRA = "Mishra et al. (2021), Accelerating sparse deep neural networks"
_GRAY = "Gray, Radford & Kingma (2017), GPU kernels for block-sparse weights"


def _group_counts(graph: BipartiteGraph, rows: int, columns: int) -> tuple[npt.NDArray[np.int64], int]:
    """Edges in each block of so many inputs and outputs that has any, and the number of blocks, cut ones included."""
    edges = graph.edges().astype(np.int64)
    wide = -(-graph.n_right // columns)
    places = edges[:, 0] // rows * wide + edges[:, 1] // columns
    return np.unique(places, return_counts=True)[1], -(-graph.n_left // rows) * wide


def _n_of_m(graph: BipartiteGraph, n: int, m: int) -> Value:
    counts, groups = _group_counts(graph, m, 1)
    return Value(1 - float(np.count_nonzero(counts > n)) / groups)


def _block_fill(graph: BipartiteGraph, size: int) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    edges = graph.edges().astype(np.int64)
    wide = -(-graph.n_right // size)
    used = np.unique(edges[:, 0] // size * wide + edges[:, 1] // size)
    heights = np.minimum(size, graph.n_left - used // wide * size)
    widths = np.minimum(size, graph.n_right - used % wide * size)
    return Value(graph.n_edges / float((heights * widths).sum()))


_conformity = partial(Metric, low=0, high=1, group="conformity", direction="higher", fast=False)

METRICS = (
    _conformity(
        "n_of_m_2_4",
        lambda g: _n_of_m(g, 2, 4),
        summary="share of each output's groups of 4 consecutive inputs that hold at most 2 edges; 1 for a 2:4 mask",
        formula=r"|\{(g, j) : |E_{gj}| \le 2\}| \,/\, (m \lceil n/4 \rceil)",
        reference=_MISHRA,
    ),
    _conformity(
        "n_of_m_1_4",
        lambda g: _n_of_m(g, 1, 4),
        summary="share of each output's groups of 4 consecutive inputs that hold at most 1 edge; 1 for a 1:4 mask",
        formula=r"|\{(g, j) : |E_{gj}| \le 1\}| \,/\, (m \lceil n/4 \rceil)",
        reference=_MISHRA,
    ),
    _conformity(
        "block_fill_8",
        lambda g: _block_fill(g, 8),
        summary="edges over the entries of all 8 × 8 blocks that hold an edge; 1 for full blocks",
        formula=r"|E| \big/ \sum_{b : E_b \ne \emptyset} |b|",
        reference=_GRAY,
    ),
    _conformity(
        "block_fill_16",
        lambda g: _block_fill(g, 16),
        summary="the same for 16 × 16 blocks",
        formula=r"|E| \big/ \sum_{b : E_b \ne \emptyset} |b|",
        reference=_GRAY,
    ),
)
