"""λ2, σ1 − σ2 and the normalised gap of a whole network, by products through its operators: it is never written out.

A network with residual sums has odd cycles, so its graph is not bipartite. What singular values are to a bipartite
graph, the largest eigenvalues of the adjacency matrix are to any graph, and for a chain of layers they are the same
numbers. Each value has its certificate, as those of layers have (`topograph.spectral.lanczos`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import LinearOperator

from topograph.caching import cache_of
from topograph.metrics.metric import Value
from topograph.model_graph.components import components
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.operators import Flags
from topograph.model_graph.references import Numbers
from topograph.spectral.estimate import Estimate

_TOLERANCE = 1e-8
_DENSE_ORDER = 300
_PATIENCE = 5000
_EPSILON = float(np.finfo(float).eps)

QUANTITIES = (
    "algebraic_connectivity",
    "giant_connectivity",
    "adjacency_gap",
    "normalized_gap",
    "giant_normalized_gap",
)
"""What `network_estimate` computes."""


def adjacency_operator(network: NetworkGraph) -> LinearOperator:
    """The adjacency matrix of all units as a SciPy operator, not written out.

    Examples
    --------
    >>> from topograph.model_graph.builder import GraphBuilder, Pattern
    >>> builder = GraphBuilder()
    >>> y = builder.contract(builder.inputs((1, 1, 2)), Pattern(np.ones((1, 2, 1), dtype=bool)))
    >>> adjacency_operator(builder.finish([y])) @ np.array([1.0, 2.0, 5.0])
    array([5., 5., 3.])
    """

    def multiply(x: Numbers) -> Numbers:
        return network.adjacent(np.concatenate([[0.0], x.ravel()]))[1:]

    size = network.n_units
    return LinearOperator((size, size), matvec=multiply, rmatvec=multiply, dtype=np.float64)


def network_estimate(network: NetworkGraph, quantity: str) -> Value:
    """A spectral quantity of the whole network, with the error that its certificate allows."""
    return Value.of(_ESTIMATES[quantity](network))


def _connectivity(network: NetworkGraph) -> Estimate:
    if components(network).count > 1:
        return Estimate.exact(0.0, "components")
    return _giant(network, "connectivity")


def _normalized_gap(network: NetworkGraph) -> Estimate:
    pieces = components(network).with_edges
    return Estimate.exact(0.0, "components") if pieces > 1 else _giant(network, "normalized_gap")


def _adjacency_gap(network: NetworkGraph) -> Estimate:
    if not components(network).with_edges:
        return Estimate.exact(0.0, "components")
    if components(network).with_edges > 1:
        return Estimate.undefined("computed for a whole network only where all its edges are in one component")
    return _giant(network, "adjacency_gap")


_ESTIMATES: dict[str, Callable[[NetworkGraph], Estimate]] = {
    "algebraic_connectivity": _connectivity,
    "giant_connectivity": lambda network: _giant(network, "connectivity"),
    "adjacency_gap": _adjacency_gap,
    "normalized_gap": _normalized_gap,
    "giant_normalized_gap": lambda network: _giant(network, "normalized_gap"),
}


def _giant(network: NetworkGraph, quantity: str) -> Estimate:
    """A quantity of the component with the most edges, computed once."""
    cache = cache_of(network)
    key = "giant", quantity
    if key not in cache:
        piece = Piece(network, components(network).giant)
        if not components(network).with_edges:
            cache[key] = Estimate.undefined("the graph has no edges")
        elif piece.size <= _DENSE_ORDER:
            cache[key] = _dense(piece, quantity)
        else:
            from topograph.model_graph.lanczos import estimate

            cache[key] = estimate(piece, quantity, _TOLERANCE, _PATIENCE)
    result: Estimate = cache[key]
    return result


@dataclass(frozen=True, eq=False)
class Piece:
    """A connected component of a network: vectors over its units only.

    Parameters
    ----------
    network
        The network.
    units
        Flags of its units.
    """

    network: NetworkGraph
    units: Flags

    @property
    def size(self) -> int:
        """Number of units."""
        return int(np.count_nonzero(self.units))

    @property
    def degrees(self) -> Numbers:
        """Edges at each unit."""
        return self.network.degrees[self.units]

    def adjacent(self, x: Numbers) -> Numbers:
        """The product of the adjacency matrix with ``x``."""
        whole = self.network.zeros()
        whole[self.units] = x
        return np.asarray(self.network.adjacent(whole)[self.units])

    def matrix(self) -> npt.NDArray[np.float64]:
        """The adjacency matrix, written out."""
        begins, ends = self.network.edges(self.units.copy())
        places = np.cumsum(self.units) - 1
        matrix = np.zeros((self.size, self.size))
        np.add.at(matrix, (places[begins], places[ends]), 1.0)
        return matrix + matrix.T


def _dense(piece: Piece, quantity: str) -> Estimate:
    """The quantity by LAPACK; its backward error is bounded by the order times ε times the norm."""
    matrix, degrees = piece.matrix(), piece.degrees
    if quantity == "connectivity":
        values = np.linalg.eigvalsh(np.diag(degrees) - matrix)
        value, norm = float(values[1]), 2 * float(degrees.max())
    elif quantity == "normalized_gap":
        roots = np.sqrt(degrees)
        values = np.linalg.eigvalsh(matrix / np.outer(roots, roots))
        value, norm = float(min(1.0 - values[-2], 1.0)), 1.0
    else:
        values = np.linalg.eigvalsh(matrix)
        value, norm = float(values[-1] - values[-2]), 2 * float(degrees.max())
    if len(matrix) == 2 and quantity != "connectivity":  # a single edge has no second value, as for a layer
        value = 1.0 if quantity == "normalized_gap" else float(values[-1])
    error = math.sqrt(len(matrix)) * _EPSILON * norm
    return Estimate(value, error, "dense")
