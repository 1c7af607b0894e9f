"""How far two masks of the same shape are from each other, edge by edge and up to a renumbering of the neurons."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import normalized
from topograph.metrics.matching import Permutation, match_outputs
from topograph.metrics.metric import Metric, Value
from topograph.topology import Topology

_LIU = "Liu et al. (2020), Topological insights into sparse neural networks"
_JACCARD = "Jaccard (1901), Étude comparative de la distribution florale"
_SZYMKIEWICZ = "Simpson (1943), Mammals and the nature of continents"
_WILSON = "Wilson & Zhu (2008), A study of graph spectra for comparing graphs and trees"
_LARGEST_SPECTRUM = 4096  # of the smaller side: all singular values are needed, from a dense matrix


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
        # for equally large samples the earth mover's distance is that of the sorted values
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
    """All singular values of D_L^-½ B D_R^-½, zeros for nodes without an edge included, largest first."""
    values: npt.NDArray[np.float64] = np.linalg.svd(normalized(graph).toarray(), compute_uv=False)
    return values


_SHARED = r"E_1 \cap E_2"

_comparison = partial(Metric, low=0, high=1, group="comparison", needs="pair")

METRICS = (
    _comparison(
        "overlap",
        _overlap,
        summary="edges in both masks over those of the smaller one",
        formula=rf"|{_SHARED}| / \min(|E_1|, |E_2|)",
        cost="E",
        reference=_SZYMKIEWICZ,
    ),
    _comparison(
        "jaccard",
        _jaccard,
        summary="edges in both masks over those in either",
        formula=rf"|{_SHARED}| / |E_1 \cup E_2|",
        cost="E",
        reference=_JACCARD,
    ),
    _comparison(
        "hamming",
        _hamming,
        summary="edges in exactly one of the masks over the possible ones",
        formula=r"|E_1 \triangle E_2| / \sum_l n_{l-1} n_l",
        cost="E",
    ),
    _comparison(
        "density_distance",
        _density_distance,
        summary="difference of the densities; for a network the mean over its layers",
        formula=r"\frac{1}{L} \sum_l |\rho_{1,l} - \rho_{2,l}|",
        cost="1",
    ),
    _comparison(
        "degree_distance",
        _degree_distance,
        summary="earth mover's distance of the degrees over the largest possible degree, mean over sides and layers",
        formula=r"\frac{1}{2L} \sum_{l, \mathrm{side}} W_1(d_1, d_2) / d_{\max}",
        cost="N log N",
    ),
    _comparison(
        "nnstd",
        lambda a, b: _nnstd(a, b, "exact"),
        summary=(
            "neural network sparse topology distance: the neurons of each layer are matched so that their sets of"
            " inputs differ least, those inputs renumbered as matched before; mean over neurons and layers"
        ),
        formula=(
            r"\frac{1}{L} \sum_l \min_\pi \frac{1}{n_l} \sum_j \frac{|I_j \triangle I'_{\pi(j)}|}{|I_j \cup "
            r"I'_{\pi(j)}|}"
        ),
        cost="E m + m³ per layer",
        reference=_LIU,
        fast=False,
    ),
    _comparison(
        "nnstd_greedy",
        lambda a, b: _nnstd(a, b, "greedy"),
        summary=(
            "nnstd with neurons matched greedily, closest pair first; for one layer nnstd is at most this, and at"
            " most the residual below; for a network, where matchings follow each other, the residual says that "
            "nothing is certain"
        ),
        formula=r"\mathrm{nnstd\ with\ a\ greedy\ } \pi",
        cost="E m + m² log m per layer",
        reference=_LIU,
        fast=False,
    ),
    _comparison(
        "spectral_distance",
        _spectral_distance,
        summary=(
            "root mean square difference of the sorted singular values of the normalised biadjacencies, mean over"
            " layers; blind to any renumbering of neurons"
        ),
        formula=r"\frac{1}{L} \sum_l \sqrt{\frac{1}{r} \sum_{i \le r} (\tilde\sigma_{1,i} - \tilde\sigma_{2,i})^2}",
        cost="n m min(n, m)",
        reference=_WILSON,
        fast=False,
    ),
)
