"""What a spectral solver owes: `Solver`, and the `ComponentValues` it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from topograph.graph import BipartiteGraph
from topograph.spectral.estimate import Estimate


@dataclass(frozen=True)
class ComponentValues:
    """The spectral values of one connected graph with at least one edge.

    Parameters
    ----------
    connectivity
        Second smallest eigenvalue of the Laplacian; positive.
    laplacian_top
        The largest eigenvalues of the Laplacian, two where two are non-zero, in descending order.
    sigmas
        The largest singular values of B, two where B has two rows and columns, in descending order.
    normalized_sigma2
        Second largest singular value of D_L^-½ B D_R^-½; 0 when B has one row or one column.
    """

    connectivity: Estimate
    laplacian_top: tuple[Estimate, ...]
    sigmas: tuple[Estimate, ...]
    normalized_sigma2: Estimate


class Solver(Protocol):
    """Computes the `ComponentValues` of a connected graph; a value it cannot reach is an `Estimate.failed`."""

    def solve(self, graph: BipartiteGraph) -> ComponentValues:
        """The values of ``graph``, which is connected and has an edge."""
        ...
