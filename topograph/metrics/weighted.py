"""What changes when the magnitudes of the weights count: `WeightedGraph` and its gaps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value
from topograph.spectral import Spectrum, compute_spectrum
from topograph.spectral.spectrum import weighted_edges

_HOANG = (
    "Hoang, Liu, Marculescu & Wang (2023), Revisiting Pruning at Initialization Through the Lens of Ramanujan Graph"
)
_CHUNG = "Chung (1997), Spectral Graph Theory"
_FIEDLER = "Fiedler (1975), A property of eigenvectors of nonnegative symmetric matrices"


@dataclass(frozen=True)
class WeightedGraph:
    """A graph and the magnitude of the weight on each of its edges.

    Parameters
    ----------
    graph
        The pattern.
    weights
        The weight matrix, ``n_left × n_right``, dense or SciPy sparse, or one number an edge in the order of
        ``graph.edges()``. Only magnitudes count; an edge of weight 0 counts as none.

    Raises
    ------
    InvalidParameterError
        When the weights do not fit the graph or are not finite.

    Examples
    --------
    >>> graph = BipartiteGraph.from_mask([[1, 0], [1, 1]])
    >>> round(WeightedGraph(graph, [3.0, -1.0, 2.0]).spectrum["sigma1"].value, 6)
    3.256617
    """

    graph: BipartiteGraph
    weights: Any

    def __post_init__(self) -> None:
        signs = _signs(self.graph, self.weights)
        graph, values = weighted_edges(self.graph, self.weights)
        magnitudes: npt.NDArray[np.float64] = np.ones(graph.n_edges) if values is None else values
        magnitudes.flags.writeable = False
        object.__setattr__(self, "_signs", signs[signs != 0])
        object.__setattr__(self, "graph", graph)
        object.__setattr__(self, "weights", magnitudes)

    @classmethod
    def from_matrix(cls, matrix: Any) -> WeightedGraph:
        """A weight matrix, every non-zero entry an edge."""
        return cls(BipartiteGraph.from_mask(matrix), matrix)

    @cached_property
    def singular_values(self) -> npt.NDArray[np.float64]:
        """The singular values of W, with its signs, from the largest; computed densely, once."""
        matrix = np.zeros(self.graph.shape)
        edges = self.graph.edges()
        matrix[edges[:, 0], edges[:, 1]] = self.weights * self._signs  # type: ignore[attr-defined]
        return np.asarray(np.linalg.svd(matrix, compute_uv=False))

    @cached_property
    def spectrum(self) -> Spectrum:
        """The spectral quantities of ``|W|``, computed once."""
        wanted = ("algebraic_connectivity", "sigma1", "sigma2", "adjacency_gap", "normalized_gap")
        return compute_spectrum(self.graph, quantities=wanted, weights=self.weights, on_failure="nan")


def _signs(graph: BipartiteGraph, weights: Any) -> npt.NDArray[np.float64]:
    """The sign of the weight on each edge; what does not fit the graph is left to `weighted_edges` to refuse."""
    if getattr(weights, "shape", None) == graph.shape or np.shape(weights) == graph.shape:
        edges = graph.edges()
        matrix = sp.csr_array(weights) if sp.issparse(weights) else np.asarray(weights)
        weights = matrix[edges[:, 0], edges[:, 1]]
    elif sp.issparse(weights) or np.ndim(weights) == 2:
        return np.ones(0)
    return np.asarray(np.sign(np.asarray(weights, dtype=np.float64).ravel()))


def _read(quantity: str) -> Callable[[WeightedGraph], Value]:
    return lambda weighted: Value.of(weighted.spectrum[quantity])


def _relative_gap(weighted: WeightedGraph) -> Value:
    gap, first = weighted.spectrum["adjacency_gap"], weighted.spectrum["sigma1"]
    if gap.reason or first.reason:
        return Value.undefined(str(gap.reason or first.reason))
    if not first.value:
        return Value.undefined("the graph has no edges")
    value = gap.value / first.value
    return Value(value, (gap.residual + value * first.residual) / first.value)


_weighted = partial(
    Metric,
    low=0,
    high=math.inf,
    group="weighted",
    direction="higher",
    cost="a spectrum of its own",
    needs="weights",
    fast=False,
)

METRICS = (
    _weighted(
        "weighted_gap",
        _read("adjacency_gap"),
        summary=(
            "difference of the two largest singular values of |W|; not of the two largest |λ| of the bipartite "
            "adjacency, which are equal"
        ),
        formula=r"\sigma_1(|W \odot M|) - \sigma_2(|W \odot M|)",
        reference=_HOANG,
    ),
    _weighted(
        "weighted_gap_relative",
        _relative_gap,
        summary="weighted_gap over the largest singular value of |W|: free of the scale of the weights",
        formula=r"1 - \sigma_2(|W \odot M|) / \sigma_1(|W \odot M|)",
        reference=_HOANG,
        high=1,
    ),
    _weighted(
        "weighted_normalized_gap",
        _read("normalized_gap"),
        summary=(
            "1 minus the second singular value of |W| normalised by its sums of rows and columns, isolated nodes "
            "dropped"
        ),
        formula=r"1 - \sigma_2(D_L^{-1/2} |W| D_R^{-1/2})",
        reference=_CHUNG,
        high=1,
    ),
    _weighted(
        "weighted_connectivity",
        _read("algebraic_connectivity"),
        summary="algebraic connectivity with |W| as edge weights",
        formula=r"\lambda_2(L),\ L = D - A,\ A_{ij} = |W_{ij}|",
        reference=_FIEDLER,
    ),
)
