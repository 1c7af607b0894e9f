"""`LanczosRun`: one Lanczos run towards one extreme eigenvalue, ended by its own certificate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from topograph.spectral.lanczos import tridiagonal as tri
from topograph.spectral.lanczos.certificate import Certificate, Certified, KnownVector, measure_vector
from topograph.spectral.lanczos.growth import Growth
from topograph.spectral.lanczos.interleaving import Stepwise, complete
from topograph.spectral.lanczos.operators import Operator
from topograph.spectral.lanczos.pacing import Pacing
from topograph.spectral.lanczos.state import LanczosState
from topograph.spectral.lanczos.witness import Witness
from topograph.spectral.pattern import Vector

KEPT = 2**28
"""Bytes of basis vectors that a run may keep, or the pattern's own size, if larger."""


class LanczosRun:
    """Lanczos for the smallest eigenvalue off the known eigenvector.

    Two certificates are tried, and the first that is as narrow as the tolerance asks ends the run: `Growth` and
    `Witness`. On the worst spectrum there could be, growth fails for at most a fifth of `certificate.RISK` of all seeds
    and the witness for the rest of it. Both are widened by an allowance for the rounding of the products (8 ε times a
    bound of the norm: an estimate, not a worst case) and by the residual of the deflated vector.

    Parameters
    ----------
    operator
        Operator that takes the steps.
    known
        Eigenvector to keep out; None when the extreme eigenvalue itself is sought.
    tolerance
        Widest interval accepted, relative to ``scale(value)``.
    scale
        From the eigenvalue to the size that the tolerance refers to.
    start
        A positive starting vector, for a Perron vector, or any other where no certificate is asked for. Without it the
        start is drawn at random.
    seed
        Seed of the random start and of the witness.
    witness
        Whether a second vector follows a random start.
    """

    def __init__(
        self,
        operator: Operator,
        known: KnownVector | None,
        tolerance: float,
        scale: Callable[[float], float] = abs,
        start: Vector | None = None,
        seed: int = 0,
        witness: bool = True,
    ) -> None:
        self.operator, self.tolerance, self.scale = operator, tolerance, scale
        self.pacing = Pacing(start is not None, operator.cost > 200_000)
        self.known = known or KnownVector(np.zeros(operator.size))
        self.metric = np.ones(operator.size) if operator.inner is None else operator.inner
        other: Vector | None = None
        if start is None:
            random = np.random.default_rng(seed)
            start, other = self._drawn(random), self._drawn(random) if witness else None
            self.growth = Growth.of_random_start(operator.size)
        else:
            start = start - self.known.vector * self.inner_product(self.known.vector, start)
            self.growth = Growth.of_positive_start(start, self.metric)
        norm = math.sqrt(self.inner_product(start, start))
        self.state = LanczosState(start, norm, self.known.vector, other)
        self.certificates: list[Certificate] = [self.growth]
        if other is not None:
            self.certificates.append(Witness(norm))
        self.extra_products = 0
        self.kept = KEPT
        self.theta = self.residual = math.inf
        self.coordinates = np.empty(0)
        self._start = start
        self._certified: tuple[int, Certified | None] = 0, None

    def _drawn(self, random: np.random.Generator) -> Vector:
        vector: Vector = random.standard_normal(self.operator.size) / np.sqrt(self.metric)
        return vector - self.known.vector * self.inner_product(self.known.vector, vector)

    def inner_product(self, first: Vector, second: Vector) -> float:
        """The inner product in which the operator is self-adjoint."""
        return float((self.metric * first) @ second)

    # ------------------------------------------------------------------ steps

    @property
    def steps(self) -> int:
        """Number of steps so far."""
        return self.state.steps

    @property
    def alphas(self) -> Vector:
        """Diagonal of the tridiagonal matrix."""
        return self.state.alphas

    @property
    def betas(self) -> Vector:
        """Norm of the start, then the entries beside the diagonal."""
        return self.state.betas

    @property
    def products(self) -> int:
        """Number of products with the operator so far."""
        return self.steps + self.extra_products

    @property
    def is_kept(self) -> bool:
        """Whether the vectors of all steps are there."""
        return self.state.is_kept

    @property
    def exhausted(self) -> bool:
        """Whether the Krylov space has no further dimension."""
        return self.state.exhausted

    def run(self, max_steps: int) -> bool:
        """Take steps until a certificate holds; False when ``max_steps`` in all are not enough."""
        return complete(self.stepwise(max_steps))

    def stepwise(self, max_steps: int) -> Stepwise[bool]:
        """As `run`, for a caller that interleaves several runs (`interleaving`)."""
        while self.steps < max_steps and not self.exhausted and self.state.is_finite:
            yield self, min(self.pacing.next_chunk(self.steps), max_steps - self.steps)
            if self.check():
                return True
        return self.check()

    def advance(self, count: int) -> None:
        """Take ``count`` steps, fewer where the Krylov space is exhausted."""
        self.make_room(count)
        self.operator.advance(self.state, count)

    def make_room(self, count: int) -> None:
        """Room for ``count`` more steps."""
        size, cost = self.operator.size, self.operator.cost
        self.state.make_room(self.steps + count, max(self.kept, 8 * cost) // (16 * size))

    # ------------------------------------------------------------------ the value and its certificates

    @property
    def noise(self) -> float:
        """How much rounding and deflation may hide."""
        return self.operator.noise + self.known.shift(self.theta)

    def look(self) -> None:
        """Find the smallest Ritz value, its vector in the basis of the run, and its residual."""
        above = min(self.theta, float(self.alphas[: self.steps].min()))
        self._look(above, 1e-4 * self.tolerance)

    def refined(self) -> float:
        """The smallest Ritz value to the last bit."""
        self._look(self.theta, 0.0)
        return self.theta

    def _look(self, above: float, precision: float) -> None:
        k, alphas, betas = self.steps, self.alphas, self.betas
        self.theta = float(tri.smallest_ritz_value(alphas, betas, k, above, precision))
        self.coordinates = tri.ritz_coordinates(alphas, betas, k, self.theta)
        self.residual = float(betas[k] * abs(self.coordinates[-1]))

    def check(self) -> bool:
        """Whether a certificate is as narrow as the tolerance asks."""
        if not self.steps or not self.state.is_finite:
            return False
        self.look()
        width = self.tolerance * self.scale(self.theta) - 2 * self.noise
        if not width > 0:
            return False
        missing = math.inf
        for certificate in self.certificates:
            certified = certificate.interval(self, width)
            missing = min(missing, certificate.missing)
            if certified is not None:
                break
        self._certified = self.steps, certified
        self.pacing.note(self.steps, missing)
        return certified is not None

    @property
    def is_hopeless(self) -> bool:
        """Whether rounding alone is wider than the tolerance at the value reached, or a number has overflowed."""
        if not self.state.is_finite:
            return True
        return self.steps > 0 and self.tolerance * self.scale(self.theta) <= 2 * self.noise

    def result(self) -> Certified:
        """The value with its interval, which is wider than the tolerance where no certificate was found."""
        step, certified = self._certified
        return certified if certified is not None and step == self.steps else self.growth.reached(self)

    # ------------------------------------------------------------------ the vector

    def ritz_vector(self) -> Vector:
        """The Ritz vector."""
        return self._combined(tri.ritz_coordinates(self.alphas, self.betas, self.steps, self.theta))

    def _combined(self, coordinates: Vector) -> Vector:
        """A vector of the run, from the basis where it is kept, otherwise by repeating the run."""
        k = coordinates.size
        if self.is_kept:
            return np.asarray((coordinates / self.betas[:k]) @ self.state.basis[:k, 0])
        total = np.zeros(self.operator.size)
        state = LanczosState(self._start, float(self.betas[0]), self.known.vector)
        state.make_room(k, 0)
        for j, coordinate in enumerate(coordinates):
            total += coordinate / self.betas[j] * state.at(j)[0]
            self.operator.advance(state, 1)
        return total

    def as_known(self) -> KnownVector:
        """The Ritz vector, to be deflated, with the residual that one more product shows.

        It is taken at the first step whose residual is small enough: deflation may hide no more than its square.
        Later steps hold copies of it, whose sum may cancel.
        """
        measured = measure_vector(self.operator, self.known, self._combined(self._clean_coordinates()))
        return replace(measured, residual=measured.residual + self.operator.noise)

    def _clean_coordinates(self) -> Vector:
        best: Vector = tri.ritz_coordinates(self.alphas, self.betas, self.steps, self.theta)
        smallest = math.inf
        for k in range(1, self.steps + 1, max(1, self.steps // 50)):
            theta = tri.smallest_ritz_value(self.alphas, self.betas, k, float(self.alphas[:k].min()), 0.0)
            coordinates: Vector = tri.ritz_coordinates(self.alphas, self.betas, k, theta)
            residual = float(self.betas[k] * abs(coordinates[-1]))
            if residual < smallest and theta - self.theta <= 1e-8 * abs(theta):
                best, smallest = coordinates, residual
            if smallest <= max(self.operator.noise, 0.1 * self.tolerance * abs(theta)):
                break
        return best
