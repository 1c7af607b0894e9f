"""What expanders are defined by: how far small sets reach, and how evenly edges fall between sets.

Both are extremes over exponentially many sets. Searched sets bound them from one side, the spectrum from the other, and
the residual is the distance between the two: the truth lies within it, with certainty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import by_columns
from topograph.metrics.metric import Metric, Value

_TANNER = "Tanner (1984), Explicit concentrators from generalized N-gons"
_HOORY = "Hoory, Linial & Wigderson (2006), Expander graphs and their applications"
_CHUNG = "Chung (1997), Spectral Graph Theory"

_RANDOM_SETS = 16  # of each size
_GREEDY_STARTS = 4
_GREEDY_STEPS = 4000
_STEPS = 24  # of the power iteration that points at unevenly connected sets
_CUTS = 16

Vector = npt.NDArray[np.float64]


def _vertex_expansion(graph: BipartiteGraph) -> Value:
    if not graph.left_degrees.all():
        return Value(0.0)  # an isolated input reaches nothing
    largest = math.ceil(graph.n_left / 2)
    found = min(reached / size for size, reached in _searched_sets(graph, largest))
    return Value(found, found - _least_expansion(graph, largest))


def _searched_sets(graph: BipartiteGraph, largest: int) -> Iterator[tuple[int, int]]:
    """Sizes of sets of inputs, and of the outputs that they reach."""
    random = np.random.default_rng(0)
    by_degree = np.argsort(graph.left_degrees, kind="stable")
    starts = [int(by_degree[0]), *random.integers(graph.n_left, size=_GREEDY_STARTS).tolist()]
    for start in dict.fromkeys(starts):
        yield from _grown_sets(graph, start, min(largest, _GREEDY_STEPS))
    pattern = sp.csr_array(graph.biadjacency.T.astype(np.float32))
    size = largest
    while size:
        sets = np.zeros((graph.n_left, _RANDOM_SETS), dtype=np.float32)
        for column in range(_RANDOM_SETS):
            sets[random.choice(graph.n_left, size, replace=False), column] = 1
        yield size, int(np.count_nonzero(pattern @ sets, axis=0).min())
        size //= 2


def _grown_sets(graph: BipartiteGraph, start: int, largest: int) -> Iterator[tuple[int, int]]:
    """Grow a set by the input that reaches the fewest new outputs."""
    col_indptr, col_indices = by_columns(graph)
    new = graph.left_degrees.astype(np.float64)  # outputs that each input would add
    reached = np.zeros(graph.n_right, dtype=bool)
    total, chosen = 0, start
    for size in range(1, largest + 1):
        outputs = graph.indices[graph.indptr[chosen] : graph.indptr[chosen + 1]]
        outputs = outputs[~reached[outputs]]
        reached[outputs] = True
        total += outputs.size
        yield size, total
        if outputs.size:
            theirs = np.concatenate([col_indices[col_indptr[j] : col_indptr[j + 1]] for j in outputs])
            new -= np.bincount(theirs, minlength=graph.n_left)
        new[chosen] = np.inf
        chosen = int(np.argmin(new))


def _least_expansion(graph: BipartiteGraph, largest: int) -> float:
    r"""A lower bound on \|N(S)\| / \|S\| over all sets S of at most so many inputs, every input having an output.

    With x the sum of the degrees in S, those in N(S) sum to at least x / (σ² + (1 − σ²) x / E), by Cauchy and Schwarz
    and the second singular value σ of the normalised B; N(S) has at least as many nodes as the largest outputs need
    for that sum, and at least as many as the largest degree in S.
    """
    gap = graph.spectrum(on_failure="nan")["normalized_gap"]
    sigma = 1.0 if gap.reason is not None else 1.0 - max(gap.low, 0.0)
    smallest = np.sort(graph.left_degrees)[:largest].astype(np.float64)
    volumes = np.cumsum(smallest)
    reached = volumes / (sigma**2 + (1 - sigma**2) * volumes / graph.n_edges)
    outputs = np.cumsum(np.sort(graph.right_degrees)[::-1])
    counts = np.searchsorted(outputs, reached * (1 - 1e-9)) + 1  # rounding must not cost a node
    sizes = np.arange(1, largest + 1)
    return float((np.maximum(counts, smallest) / sizes).min())


def _mixing(graph: BipartiteGraph) -> Value:
    if not graph.n_edges:
        return Value.undefined("the graph has no edges")
    left, right = graph.left_degrees.astype(np.float64), graph.right_degrees.astype(np.float64)
    if np.count_nonzero(left) < 2 or np.count_nonzero(right) < 2:
        return Value.undefined("a side has a single node with an edge, so no set of it says anything")
    pattern = graph.biadjacency.astype(np.float64)
    found = 0.0
    for seed in range(2):
        u, v = _second_pair(pattern, left, right, seed)
        inputs, outputs = _cut_sets(u, left), _cut_sets(v, right)
        between = (pattern.T @ inputs).T @ outputs
        inside = left @ inputs, right @ outputs
        expected = np.outer(*inside) / graph.n_edges
        scale = np.sqrt(np.outer(*(volume * (1 - volume / graph.n_edges) for volume in inside)))
        found = max(found, float((np.abs(between - expected) / scale).max()))
    gap = graph.spectrum(on_failure="nan")["normalized_gap"]
    limit = 1.0 if gap.reason is not None else 1.0 - max(gap.low, 0.0)
    return Value(found, max(limit - found, 0.0))


def _second_pair(pattern: sp.csr_array, left: Vector, right: Vector, seed: int) -> tuple[Vector, Vector]:
    """Rough second singular vectors of the normalised B, each divided by the roots of the degrees."""
    over_left = np.divide(1.0, left, out=np.zeros_like(left), where=left > 0)
    over_right = np.divide(1.0, right, out=np.zeros_like(right), where=right > 0)
    v = np.random.default_rng(seed).standard_normal(right.size)
    for _ in range(_STEPS):
        v -= (right @ v) / right.sum()
        u = over_left * (pattern @ v)
        v = over_right * (pattern.T @ u)
        v /= max(float(np.abs(v).max()), 1e-300)
    return over_left * (pattern @ v), v


def _cut_sets(values: Vector, degrees: Vector) -> Vector:
    """Sets of the nodes with the largest values, as columns of zeros and ones; none is empty or holds all."""
    nodes = np.flatnonzero(degrees)
    order = nodes[np.argsort(-values[nodes], kind="stable")]
    sizes = np.unique(np.linspace(1, nodes.size - 1, _CUTS).astype(int))
    sets = np.zeros((values.size, sizes.size))
    for column, size in enumerate(sizes):
        sets[order[:size], column] = 1
    return sets


METRICS = (
    Metric(
        "vertex_expansion",
        _vertex_expansion,
        summary=(
            "least number of outputs that a set of at most half of the inputs reaches, over its size: the "
            "smallest over random and greedily grown sets; the truth is at most the residual below"
        ),
        formula=r"\min_{1 \le |S| \le \lceil n/2 \rceil} |N(S)| / |S|",
        low=0,
        high=math.inf,
        group="expansion",
        reference=f"{_TANNER}; {_HOORY}",
        direction="higher",
        cost="spectrum + 80 E + n²",
        reads_spectrum=True,
        fast=False,
    ),
    Metric(
        "mixing_discrepancy",
        _mixing,
        summary=(
            "how far the edges between two sets are from what their degrees let expect: the largest over "
            "sets cut from rough singular vectors; the truth is at most the residual above, by the expander "
            "mixing lemma"
        ),
        formula=(
            r"\max_{S, T} \frac{|E(S,T) - \mathrm{vol}(S) \mathrm{vol}(T) / |E||}"
            r"{\sqrt{\mathrm{vol}(S) \mathrm{vol}(\bar S) \mathrm{vol}(T) \mathrm{vol}(\bar T)} / |E|}"
        ),
        low=0,
        high=1,
        group="expansion",
        network=True,
        reference=f"{_CHUNG}; {_HOORY}",
        direction="lower",
        cost="spectrum + 130 E",
        reads_spectrum=True,
        fast=False,
    ),
)
