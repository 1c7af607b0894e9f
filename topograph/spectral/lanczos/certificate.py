"""The results of a Lanczos run: `Certified` eigenvalues, `KnownVector`s to deflate, and what a `Certificate` does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from topograph.spectral.lanczos.operators import Operator
from topograph.spectral.lanczos.state import LanczosState
from topograph.spectral.pattern import Vector

if TYPE_CHECKING:
    from topograph.spectral.lanczos.run import LanczosRun

RISK = 1e-3
"""Probability, over the random starting vectors, that the worst conceivable spectrum escapes a certificate."""


@dataclass(frozen=True)
class Certified:
    """The smallest eigenvalue that a run reached.

    Parameters
    ----------
    value
        The smallest Ritz value, or the Rayleigh quotient of its vector.
    low, high
        Ends of the guaranteed interval.
    residual
        Norm of the residual of the Ritz vector.
    steps
        Number of products with the operator.
    single_below
        Number below which only one eigenvalue lies, where the certificate knows one.
    """

    value: float
    low: float
    high: float
    residual: float
    steps: int
    single_below: float | None = None


class Certificate(Protocol):
    """A reason why the smallest eigenvalue cannot be outside an interval."""

    @property
    def missing(self) -> float:
        """By how many nats the certificate fell short when it was last asked; infinite where it cannot be given."""
        ...

    def interval(self, run: LanczosRun, width: float) -> Certified | None:
        """The eigenvalue with an interval no wider than ``width``, or None where the run is not that far yet."""
        ...


@dataclass(frozen=True)
class KnownVector:
    """An eigenvector to deflate, of unit norm in the operator's inner product, with its eigenvalue and residual.

    Without a residual the vector is exact.
    """

    vector: Vector
    value: float = 0.0
    residual: float = 0.0

    def shift(self, theta: float) -> float:
        """How far the deflation may move the eigenvalue ``theta``: r, and r² over the distance where that is less."""
        if not self.residual:
            return 0.0
        distance = theta - self.value
        return min(self.residual, self.residual**2 / distance) if distance > 0 else self.residual


def constant_vector(size: int, weight: float | None = None) -> KnownVector:
    """The constant vector of length ``size``, whose inner product with the vector of ones is the root of ``weight``."""
    return KnownVector(np.full(size, (size if weight is None else weight) ** -0.5))


def measure_vector(operator: Operator, known: KnownVector, vector: Vector) -> KnownVector:
    """A vector, made orthogonal to ``known`` and of norm 1, with Rayleigh quotient and residual: one more product."""
    metric = 1.0 if operator.inner is None else operator.inner
    vector = vector - known.vector * float((metric * known.vector) @ vector)
    vector /= math.sqrt(float((metric * vector) @ vector))
    state = LanczosState(vector, 1.0, known.vector)
    operator.advance(state, 1)
    return KnownVector(vector, float(state.alphas[0]), float(state.betas[1]))
