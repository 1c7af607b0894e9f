"""`Solver`: what a spectral solver is asked for, and what it owes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from topograph.spectral.component import Component
from topograph.spectral.estimate import Estimate

Values = Mapping[str, Estimate]
"""Quantities of one connected graph by name: what `dispatch.NEEDS` lists."""


class Solver(Protocol):
    """Computes quantities of a connected graph.

    A solver returns every quantity of ``wanted``. One that it cannot reach is an `Estimate.failed`, which says what was
    reached and what to do; a solver never returns a value that it has no evidence for.

    ==========================  ====================================================================================
    ``connectivity``            second smallest eigenvalue of the Laplacian; positive
    ``laplacian_max``           largest eigenvalue of the Laplacian
    ``laplacian_second_max``    second largest eigenvalue of the Laplacian; undefined for a single edge
    ``sigma1``                  largest singular value of B
    ``sigma2``                  second largest singular value of B; 0 when one side has a single node
    ``normalized_gap``          1 minus the second largest singular value of D_L^-1/2 B D_R^-1/2
    ==========================  ====================================================================================
    """

    @property
    def name(self) -> str:
        """Name that its estimates state as their method."""
        ...

    def solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """The ``wanted`` quantities, each within ``tolerance`` of its own size."""
        ...


def no_second_eigenvalue() -> Estimate:
    """The second largest Laplacian eigenvalue of a single edge."""
    return Estimate.undefined("the Laplacian of a single edge has only one non-zero eigenvalue")
