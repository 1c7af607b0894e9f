"""How far two masks of the same shape are from each other, edge by edge and up to a renumbering of the neurons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topograph.checks import check_choice
from topograph.errors import TopologyMismatchError
from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import normalized
from topograph.metrics.metric import Value
from topograph.topology import Topology

_LIU = "Liu et al. (2020), Topological insights into sparse neural networks"
_JACCARD = "Jaccard (1901), Étude comparative de la distribution florale"
_SZYMKIEWICZ = "Simpson (1943), Mammals and the nature of continents"
_WILSON = "Wilson & Zhu (2008), A study of graph spectra for comparing graphs and trees"
_LARGEST_SPECTRUM = 4096  # of the smaller side: all singular values are needed, from a dense matrix

Permutation = npt.NDArray[np.int64]
Costs = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Matching:
    """Which output of the second mask stands for each of the first, and what that costs.

    Parameters
    ----------
    partners
        Shape ``(n_right,)``: for each output of the first mask, one of the second, each once.
    distance
        Mean over the outputs of the share of connections that differ, in [0, 1].
    least
        No matching has a smaller distance than this; equal to ``distance`` when the matching is optimal.
    """

    partners: Permutation
    distance: float
    least: float


@dataclass(frozen=True)
class Comparison:
    """A named function of two masks of one shape.

    Parameters
    ----------
    name
        The column it fills.
    compute
        ``compute(first, second) -> Value`` for two chains of equal sizes, a pair of single masks being a chain of one.
    summary, formula, low, high, cost, reference
        As for `topograph.metrics.Metric`.
    quick
        Whether it is computed when nothing is asked for.
    """

    name: str
    compute: Callable[[Topology, Topology], Value]
    summary: str
    formula: str
    low: float
    high: float
    cost: str
    reference: str = ""
    quick: bool = True


def match_outputs(first: BipartiteGraph, second: BipartiteGraph, method: str = "exact") -> Matching:
    """Match the outputs of two masks so that their sets of inputs differ least.

    Two outputs differ by the size of the symmetric difference of their inputs over that of the union: 0 when equal (two
    outputs without inputs are), 1 when they share none.

    Parameters
    ----------
    first, second
        Masks of the same shape n × m.
    method
        ``"exact"`` solves the assignment problem, O(m³) time. ``"greedy"`` takes the closest pair left, again and
        again, O(m² log m). Both hold m × m numbers and take E·m steps to fill them.

    Raises
    ------
    TopologyMismatchError
        When the shapes differ.

    Examples
    --------
    >>> first = BipartiteGraph.from_mask([[1, 0], [0, 1]])
    >>> matching = match_outputs(first, BipartiteGraph.from_mask([[0, 1], [1, 0]]))
    >>> matching.partners.tolist(), matching.distance
    ([1, 0], 0.0)
    """
    check_choice("method", method, ["exact", "greedy"])
    if first.shape != second.shape:
        raise TopologyMismatchError(f"masks to match must have one shape, but got {first.shape} and {second.shape}")
    costs = _differences(first, second)
    if method == "exact":
        from scipy.optimize import linear_sum_assignment

        _, partners = linear_sum_assignment(costs)
    else:
        partners = _closest_first(costs)
    distance = float(costs[np.arange(len(costs)), partners].mean())
    if method == "exact":
        return Matching(partners, distance, distance)
    # whatever the matching, each output pays at least for its closest
    least = max(float(costs.min(axis=1).mean()), float(costs.min(axis=0).mean()))
    return Matching(partners, distance, min(least, distance))


def _differences(first: BipartiteGraph, second: BipartiteGraph) -> Costs:
    shared = (first.biadjacency.T.astype(np.float64) @ second.biadjacency.astype(np.float64)).toarray()
    union = first.right_degrees[:, None] + second.right_degrees - shared
    differences: Costs = np.divide(union - shared, union, out=np.zeros_like(union), where=union > 0)
    return differences


def _closest_first(costs: Costs) -> Permutation:
    size = len(costs)
    partners = np.full(size, -1, dtype=np.int64)
    taken = np.zeros(size, dtype=bool)
    left = size
    for place in np.argsort(costs, axis=None, kind="stable"):
        row, column = divmod(int(place), size)
        if partners[row] < 0 and not taken[column]:
            partners[row], taken[column] = column, True
            left -= 1
            if not left:
                break
    return partners


def _nnstd(first: Topology, second: Topology, method: str) -> Value:
    """Layer by layer, the inputs of each renumbered as the outputs of the one before were matched."""
    distances, least = [], []
    renumbered: Permutation | None = None
    for one, other in zip(first, second, strict=True):
        if renumbered is not None:
            other = BipartiteGraph.from_mask(other.biadjacency[renumbered])
        matching = match_outputs(one, other, method)
        renumbered = matching.partners
        distances.append(matching.distance)
        least.append(matching.least)
    value = float(np.mean(distances))
    if method == "exact":
        return Value(value)
    if len(first) == 1:
        return Value(value, value - least[0])
    # the matching of one layer changes what the next is compared with, for better or worse: nothing is certain
    return Value(value, max(value, 1 - value))


def _common(first: Topology, second: Topology) -> tuple[int, int, int]:
    """Numbers of edges: shared, of the first, of the second."""
    shared = sum(a.biadjacency.multiply(b.biadjacency).nnz for a, b in zip(first, second, strict=True))
    return int(shared), first.n_edges, second.n_edges


def _overlap(first: Topology, second: Topology) -> Value:
    shared, one, other = _common(first, second)
    return Value(shared / min(one, other)) if min(one, other) else Value.undefined("a mask has no edges")


def _jaccard(first: Topology, second: Topology) -> Value:
    shared, one, other = _common(first, second)
    union = one + other - shared
    return Value(shared / union) if union else Value.undefined("neither mask has an edge")


def _hamming(first: Topology, second: Topology) -> Value:
    shared, one, other = _common(first, second)
    return Value((one + other - 2 * shared) / sum(graph.n_left * graph.n_right for graph in first))


def _density_distance(first: Topology, second: Topology) -> Value:
    return Value(float(np.mean([abs(a.density - b.density) for a, b in zip(first, second, strict=True)])))


def _degree_distance(first: Topology, second: Topology) -> Value:
    distances = []
    for a, b in zip(first, second, strict=True):
        sides = ((a.left_degrees, b.left_degrees, a.n_right), (a.right_degrees, b.right_degrees, a.n_left))
        # between two equally large samples on a line the earth mover moves the sorted values onto each other
        distances += [float(np.abs(np.sort(one) - np.sort(other)).mean()) / most for one, other, most in sides]
    return Value(float(np.mean(distances)))


def _spectral_distance(first: Topology, second: Topology) -> Value:
    distances, errors = [], []
    for a, b in zip(first, second, strict=True):
        if min(a.shape) > _LARGEST_SPECTRUM:
            return Value.undefined(
                f"needs all singular values of a mask whose smaller side is {min(a.shape)}, more than "
                f"{_LARGEST_SPECTRUM}"
            )
        one, other = _singular_values(a), _singular_values(b)
        distances.append(float(np.sqrt(np.mean(np.square(one - other)))))
        # by Weyl, each value is off by the rounding of a matrix of norm 1 at most
        errors.append(8 * float(np.finfo(float).eps) * max(a.shape))
    return Value(float(np.mean(distances)), float(np.mean(errors)))


def _singular_values(graph: BipartiteGraph) -> npt.NDArray[np.float64]:
    """All singular values of D_L^-½ B D_R^-½, zeros for nodes without a connection included, largest first."""
    values: npt.NDArray[np.float64] = np.linalg.svd(normalized(graph).toarray(), compute_uv=False)
    return values


_SHARED = r"E_1 \cap E_2"

COMPARISONS = (
    Comparison(
        "overlap",
        _overlap,
        "connections in both masks over those of the smaller one",
        rf"|{_SHARED}| / \min(|E_1|, |E_2|)",
        0,
        1,
        "E",
        _SZYMKIEWICZ,
    ),
    Comparison(
        "jaccard",
        _jaccard,
        "connections in both masks over those in either",
        rf"|{_SHARED}| / |E_1 \cup E_2|",
        0,
        1,
        "E",
        _JACCARD,
    ),
    Comparison(
        "hamming",
        _hamming,
        "connections in exactly one of the masks over the possible ones",
        r"|E_1 \triangle E_2| / \sum_l n_{l-1} n_l",
        0,
        1,
        "E",
    ),
    Comparison(
        "density_distance",
        _density_distance,
        "difference of the densities; for a network the mean over its layers",
        r"\frac{1}{L} \sum_l |\rho_{1,l} - \rho_{2,l}|",
        0,
        1,
        "1",
    ),
    Comparison(
        "degree_distance",
        _degree_distance,
        "earth mover's distance of the degrees over the largest possible degree, mean over sides and layers",
        r"\frac{1}{2L} \sum_{l, \mathrm{side}} W_1(d_1, d_2) / d_{\max}",
        0,
        1,
        "N log N",
    ),
    Comparison(
        "nnstd",
        lambda a, b: _nnstd(a, b, "exact"),
        "neural network sparse topology distance: the neurons of each layer are matched so that their sets of inputs "
        "differ least, those inputs renumbered as matched before; mean over neurons and layers",
        r"\frac{1}{L} \sum_l \min_\pi \frac{1}{n_l} \sum_j \frac{|I_j \triangle I'_{\pi(j)}|}{|I_j \cup I'_{\pi(j)}|}",
        0,
        1,
        "E m + m³ a layer",
        _LIU,
        quick=False,
    ),
    Comparison(
        "nnstd_greedy",
        lambda a, b: _nnstd(a, b, "greedy"),
        "nnstd with neurons matched greedily, closest pair first; for one layer nnstd is at most this, and at most the "
        "residual below; for a network, where matchings follow each other, the residual says that nothing is certain",
        r"\mathrm{nnstd\ with\ a\ greedy\ } \pi",
        0,
        1,
        "E m + m² log m a layer",
        _LIU,
        quick=False,
    ),
    Comparison(
        "spectral_distance",
        _spectral_distance,
        "root mean square difference of the sorted singular values of the normalised biadjacencies, mean over layers; "
        "blind to any renumbering of neurons",
        r"\frac{1}{L} \sum_l \sqrt{\frac{1}{r} \sum_{i \le r} (\tilde\sigma_{1,i} - \tilde\sigma_{2,i})^2}",
        0,
        1,
        "n m min(n, m)",
        _WILSON,
        quick=False,
    ),
)
"""Every comparison of two masks."""
