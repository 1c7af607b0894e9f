"""What a search can aim at: quantities whose change under a swap of two edges is known from a few eigenvectors.

Each is written as a *score* that grows with expansion: the smallest of a family s_1 ≤ s_2 ≤ … with vectors p_j on the
inputs and q_j on the outputs, so that replacing the edges (a, b), (c, d) by (a, d), (c, b) changes s_j, to first order,
by c · (p_j[a] − p_j[c]) · (q_j[b] − q_j[d]).

========================  ==============  =============  =======  ====================================
quantity                  s_j             p_j, q_j       c        from
========================  ==============  =============  =======  ====================================
algebraic_connectivity    λ_(j+1)         the vector     2        xᵀLx, the degrees being fixed
normalized_gap            1 − σ_(j+1)     D^-½ (u, v)    1        uᵀ D_L^-½ B D_R^-½ v
ramanujan_ratio           −σ_(j+1)/bound  (u, v)         1/bound  uᵀBv; the degrees fix the bound
========================  ==============  =============  =======  ====================================

A new quantity is a subclass of `Quantity` and its mention in `QUANTITIES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric
from topograph.metrics.ramanujan import ramanujan_bound
from topograph.metrics.registry import get_metric

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Modes:
    """The lowest scores of one graph and what a swap does to each.

    Parameters
    ----------
    scores
        Shape ``(s,)``, ascending; the first is the score of the graph.
    left, right
        Shapes ``(n_left, s)`` and ``(n_right, s)``: p and q.
    scale
        The factor c.
    """

    scores: Vector
    left: Vector
    right: Vector
    scale: float


class Quantity(ABC):
    """A metric that a search can raise or lower, on all graphs with the degrees of one graph.

    An object holds the graph that a search is at: its ``operator`` is a symmetric matrix whose lowest eigenvalues,
    those of ``known`` left aside, tell the scores.

    Parameters
    ----------
    graph
        Fixes sizes, degrees, and the order of the edges by row.
    """

    name: ClassVar[str]
    """The metric's name."""
    order: int
    """The order of the operator."""
    known: Vector | None = None
    """Shape ``(order,)``: an eigenvector that is known beforehand and says nothing, or None."""

    def __init__(self, graph: BipartiteGraph) -> None:
        self.n, self.m = graph.shape
        self.matrix = graph.biadjacency.astype(np.float64)

    @classmethod
    def metric(cls) -> Metric:
        """The metric, as the registry has it."""
        return get_metric(cls.name)

    @classmethod
    def sign(cls) -> int:
        """1 where a larger value means a better expander, −1 where a smaller one does."""
        return -1 if cls.metric().direction == "lower" else 1

    @classmethod
    def value(cls, graph: BipartiteGraph) -> float:
        """The metric itself, from the package's own solvers; NaN where it is undefined.

        Raises
        ------
        ConvergenceError
            Where a value exists but was not reached.
        """
        graph.spectrum()
        return float(cls.metric().compute(graph).value)

    def move(self, columns: npt.NDArray[np.int64]) -> None:
        """Turn to the graph whose edges, in row order, lead to ``columns``."""
        self.matrix.indices = columns.astype(np.int32)

    @abstractmethod
    def operator(self, x: Vector) -> Vector:
        """The operator applied to columns, shape ``(order, k)``."""

    @abstractmethod
    def modes(self, values: Vector, vectors: Vector) -> Modes:
        """The modes from the lowest eigenvalues and eigenvectors of the operator, ascending."""


class AlgebraicConnectivity(Quantity):
    """λ2 of the Laplacian, whose kernel of constant vectors is known."""

    name = "algebraic_connectivity"

    def __init__(self, graph: BipartiteGraph) -> None:
        super().__init__(graph)
        self.order = graph.n_nodes
        self.known = np.full(self.order, self.order**-0.5)
        self.left = graph.left_degrees.astype(np.float64)[:, None]
        self.right = graph.right_degrees.astype(np.float64)[:, None]

    def operator(self, x: Vector) -> Vector:
        """See `Quantity.operator`."""
        top, bottom = x[: self.n], x[self.n :]
        return np.concatenate([self.left * top - self.matrix @ bottom, self.right * bottom - self.matrix.T @ top])

    def modes(self, values: Vector, vectors: Vector) -> Modes:
        """See `Quantity.modes`."""
        return Modes(values, vectors[: self.n], vectors[self.n :], 2.0)


class _SingularValue(Quantity):
    """σ2 of the scaled biadjacency S = D_l B D_r: the operator is −SᵀS, or −SSᵀ where there are fewer inputs."""

    def __init__(self, graph: BipartiteGraph, left_scale: Vector, right_scale: Vector) -> None:
        super().__init__(graph)
        self.order = min(self.n, self.m)
        self.left_scale, self.right_scale = left_scale[:, None], right_scale[:, None]

    def operator(self, x: Vector) -> Vector:
        """See `Quantity.operator`."""
        b, left, right = self.matrix, self.left_scale, self.right_scale
        if self.m <= self.n:
            return np.asarray(-right * (b.T @ (left**2 * (b @ (right * x)))))
        return np.asarray(-left * (b @ (right**2 * (b.T @ (left * x)))))

    def singular_modes(self, values: Vector, vectors: Vector) -> tuple[Vector, Vector, Vector]:
        """Singular values, and the scaled singular vectors of inputs and outputs, largest first."""
        sigma = np.sqrt(np.maximum(-values, 0.0))
        safe = np.where(sigma > 0, sigma, 1.0)
        if self.m <= self.n:
            right = self.right_scale * vectors
            return sigma, self.left_scale**2 * (self.matrix @ right) / safe, right
        left = self.left_scale * vectors
        return sigma, left, self.right_scale**2 * (self.matrix.T @ left) / safe


class NormalizedGap(_SingularValue):
    """1 − σ2 of the normalised biadjacency, whose first singular vectors are the roots of the degrees."""

    name = "normalized_gap"

    def __init__(self, graph: BipartiteGraph) -> None:
        left, right = graph.left_degrees.astype(np.float64), graph.right_degrees.astype(np.float64)
        with np.errstate(divide="ignore"):
            super().__init__(graph, np.where(left > 0, left**-0.5, 0.0), np.where(right > 0, right**-0.5, 0.0))
        degrees = right if self.m <= self.n else left
        self.known = np.sqrt(degrees / degrees.sum())

    def modes(self, values: Vector, vectors: Vector) -> Modes:
        """See `Quantity.modes`."""
        sigma, left, right = self.singular_modes(values, vectors)
        return Modes(1.0 - sigma, left, right, 1.0)


class RamanujanRatio(_SingularValue):
    """σ2 of the biadjacency over the bound, which the degrees fix."""

    name = "ramanujan_ratio"

    def __init__(self, graph: BipartiteGraph) -> None:
        super().__init__(graph, np.ones(graph.n_left), np.ones(graph.n_right))
        self.bound = ramanujan_bound(graph).value

    def modes(self, values: Vector, vectors: Vector) -> Modes:
        """See `Quantity.modes`; the first pair belongs to σ1, which no swap may aim at."""
        sigma, left, right = self.singular_modes(values[1:], vectors[:, 1:])
        return Modes(-sigma / self.bound, left, right, 1.0 / self.bound)


QUANTITIES: dict[str, type[Quantity]] = {
    quantity.name: quantity for quantity in (AlgebraicConnectivity, NormalizedGap, RamanujanRatio)
}
"""What `rewire` and `optimize` can aim at, by name."""


def get_quantity(name: Any) -> type[Quantity]:
    """The quantity of that name.

    Raises
    ------
    InvalidParameterError
        When there is none; the message lists those there are.
    """
    if name not in QUANTITIES:
        raise InvalidParameterError(f"metric must be one of {', '.join(QUANTITIES)}, but got metric={name!r}")
    return QUANTITIES[name]
