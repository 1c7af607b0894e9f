"""`Lane`: one Lanczos run towards one extreme eigenvalue, stopped by its own certificate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from topograph.spectral import tridiagonal as tri
from topograph.spectral.operators import Operator
from topograph.spectral.pattern import Vector

RISK = 1e-3
"""Probability, over the random starting vector, that the worst conceivable spectrum escapes a certificate."""


@dataclass(frozen=True)
class Known:
    """An eigenvector that is deflated, of unit norm in the operator's inner product, with its eigenvalue and residual.

    Without a residual the vector is exact.
    """

    vector: Vector
    value: float = 0.0
    residual: float = 0.0

    def slack(self, theta: float) -> float:
        """How far the deflation may move the eigenvalue ``theta``: r, and r² over the distance where that is less."""
        if not self.residual:
            return 0.0
        distance = theta - self.value
        return min(self.residual, self.residual**2 / distance) if distance > 0 else self.residual


@dataclass(frozen=True)
class Certified:
    """The smallest eigenvalue that a lane found.

    Parameters
    ----------
    value
        The smallest Ritz value.
    low, high
        What is guaranteed: see `Lane`.
    residual
        Norm of the residual of its Ritz vector.
    steps
        Products with the operator.
    """

    value: float
    low: float
    high: float
    residual: float
    steps: int


class Lane:
    r"""Lanczos without a stored basis for the smallest eigenvalue off the known eigenvector.

    ``high`` is the Ritz value itself, which no smallest eigenvalue exceeds. ``low`` comes from the growth of the run's
    orthonormal polynomials (`topograph.spectral.tridiagonal`): no eigenvalue lies below it unless its eigenvector
    overlaps the starting vector by less than c. For a random start on the unit sphere of dimension N that happens with
    probability at most :math:`c\sqrt{2N/\pi}`; c is chosen so that this is `RISK`. So the guarantee is a certain one
    above, and below one that fails for at most one seed in a thousand on the worst spectrum there could be. For the
    Perron vector the start is a positive vector, whose overlap is bounded below outright, and both ends are certain.
    Both are widened by an allowance for the rounding of the products (8 ε times a bound of the norm: an estimate, no
    worst case) and by the residual of the deflated vector.

    An eigenvalue of any multiplicity counts as one: a start has a component in its eigenspace. Copies of it that appear
    late in the run, when orthogonality is lost, change nothing at the end of the spectrum.

    Parameters
    ----------
    operator
        What to take steps on.
    known
        The eigenvector to keep out; None when the extreme eigenvalue itself is sought.
    tolerance
        Widest interval accepted, relative to ``scale(value)``.
    scale
        From the eigenvalue to the size that the tolerance refers to.
    start
        A positive starting vector, for a Perron vector; drawn at random from ``seed`` without it.
    """

    def __init__(
        self,
        operator: Operator,
        known: Known | None,
        tolerance: float,
        scale: Callable[[float], float] = abs,
        start: Vector | None = None,
        seed: int = 0,
    ) -> None:
        self.operator, self.tolerance, self.scale = operator, tolerance, scale
        # a Perron vector comes fast, and steps beyond it only bring back copies of it
        # and between two looks at a large graph there should be few: a look costs as much as 10⁵ edges
        self.first_chunk = 16 if start is None else 5
        self.least_chunk = 2 if start is not None or operator.cost > 200_000 else 8
        size = operator.size
        self.known = known or Known(np.zeros(size))
        metric = np.ones(size) if operator.inner is None else operator.inner
        if start is None:
            vector = np.random.default_rng(seed).standard_normal(size) / np.sqrt(metric)
            vector -= self.known.vector * float((metric * self.known.vector) @ vector)
            overlap = RISK * math.sqrt(math.pi / (2 * size))
        else:
            # the positive eigenvector u has ‖u‖₁ ≥ ‖u‖₂, so ⟨u, start⟩ is at least the smallest entry of the start
            vector = start.copy()
            overlap = float(np.min(start * np.sqrt(metric))) / math.sqrt(float((metric * start) @ start))
        self.start = vector
        self.needed = 2.0 / overlap  # the factor 2 leaves room for the rounding of the recurrence
        self.vector, self.work = vector.copy(), np.zeros(size)
        self.alphas, self.betas = np.zeros(64), np.zeros(65)
        self.betas[0] = math.sqrt(float((metric * vector) @ vector))
        self.steps = 0
        self.theta = math.inf
        self.exhausted = False
        self._progress: tuple[int, float] = (0, 0.0)
        self._last: tuple[int, float] = (0, 0.0)

    @property
    def noise(self) -> float:
        """What rounding and deflation may hide."""
        return self.operator.noise + self.known.slack(self.theta)

    def run(self, max_steps: int) -> bool:
        """Take steps until the certificate holds; False when ``max_steps`` in all are not enough."""
        while self.steps < max_steps and not self.exhausted:
            count = min(self._next_chunk(), max_steps - self.steps)
            self.advance(count)
            if self.check():
                return True
        return self.check()

    def advance(self, count: int) -> None:
        """Take ``count`` steps."""
        wanted = self.steps + count
        if wanted > self.alphas.size:
            self.alphas = np.concatenate([self.alphas, np.zeros(wanted)])
            self.betas = np.concatenate([self.betas, np.zeros(wanted)])
        reached = self.operator.advance(
            self.vector, self.work, self.known.vector, self.alphas, self.betas, self.steps, count
        )
        self.absorb(reached, wanted)

    def absorb(self, reached: int, wanted: int) -> None:
        """Note that steps up to ``reached`` were taken where ``wanted`` were asked for."""
        if (reached - self.steps) % 2:
            self.vector, self.work = self.work, self.vector
        self.steps = reached
        self.exhausted = reached < wanted or self.betas[reached] <= 1e-14 * abs(self.alphas[reached - 1])

    def check(self) -> bool:
        """Whether the certificate is as narrow as the tolerance asks."""
        if not self.steps:
            return False
        above = min(self.theta, float(self.alphas[: self.steps].min()))
        precision = 1e-4 * self.tolerance
        self.theta = float(tri.smallest_ritz_value(self.alphas, self.betas, self.steps, above, precision))
        width = self.tolerance * self.scale(self.theta) - 2 * self.noise
        if not width > 0:
            return False
        grown = float(tri.growth(self.alphas, self.betas, self.steps, self.theta - width))
        self._progress = (self.steps, math.log(max(grown, 1.0)))
        # a start that hardly overlaps the eigenvector sought lets the growth run ahead of the value: both must be there
        return grown >= self.needed and self.betas[self.steps] * abs(self.coordinates()[-1]) <= width

    @property
    def is_hopeless(self) -> bool:
        """Whether rounding alone is wider than the tolerance at the value reached."""
        return self.steps > 0 and self.tolerance * self.scale(self.theta) <= 2 * self.noise

    def result(self) -> Certified:
        """The value with its interval."""
        k = self.steps
        self.theta = theta = float(tri.smallest_ritz_value(self.alphas, self.betas, k, self.theta, 0.0))
        reach = max(self.tolerance * self.scale(theta), self.noise)
        floor = float(tri.certified_floor(self.alphas, self.betas, k, theta, self.needed, reach))
        residual = float(self.betas[k] * abs(self.coordinates()[-1]))
        return Certified(theta, floor - self.noise, theta + self.noise, residual + self.noise, k)

    def coordinates(self) -> Vector:
        """The Ritz vector in the basis of the run."""
        coordinates: Vector = tri.ritz_coordinates(self.alphas, self.betas, self.steps, self.theta)
        return coordinates

    def ritz_vector(self) -> Vector:
        """The Ritz vector, by repeating the run: no basis is stored.

        It is taken at the first step whose residual is small enough: what deflating it may hide is the square of that.
        Later steps hold copies of it, whose sum may cancel.
        """
        total = np.zeros(self.operator.size)
        vector, work = self.start.copy(), np.zeros(self.operator.size)
        betas, alphas = self.betas.copy(), self.alphas.copy()
        for j, coordinate in enumerate(self._clean_coordinates()):
            total += coordinate / betas[j] * vector
            self.operator.advance(vector, work, self.known.vector, alphas, betas, j, 1)
            vector, work = work, vector
        return total

    def as_known(self) -> Known:
        """The Ritz vector, to be deflated, with the residual that one more product shows."""
        metric = 1.0 if self.operator.inner is None else self.operator.inner
        vector = self.ritz_vector()
        vector /= math.sqrt(float((metric * vector) @ vector))
        alphas, betas, work = np.zeros(2), np.ones(3), np.zeros(vector.size)
        self.operator.advance(vector.copy(), work, np.zeros(vector.size), alphas, betas, 0, 1)
        return Known(vector, float(alphas[0]), float(betas[1]) + self.operator.noise)

    def _clean_coordinates(self) -> Vector:
        best, smallest = self.coordinates(), math.inf
        for k in range(1, self.steps + 1, max(1, self.steps // 50)):
            theta = tri.smallest_ritz_value(self.alphas, self.betas, k, float(self.alphas[:k].min()), 0.0)
            coordinates: Vector = tri.ritz_coordinates(self.alphas, self.betas, k, theta)
            residual = float(self.betas[k] * abs(coordinates[-1]))
            if residual < smallest and theta - self.theta <= 1e-8 * abs(theta):
                best, smallest = coordinates, residual
            if smallest <= max(self.operator.noise, 0.1 * self.tolerance * abs(theta)):
                break
        return best

    def _next_chunk(self) -> int:
        """Steps until the next look: few while little is known, then as many as the growth so far asks for."""
        if not self.steps:
            return self.first_chunk
        step, reached = self._progress
        previous_step, previous = self._last
        self._last = (step, reached)
        if step > previous_step and reached > previous:
            ahead = 0.7 * (math.log(self.needed) - reached) * (step - previous_step) / (reached - previous)
            longest = self.least_chunk if self.least_chunk == 2 else max(8, self.steps // 6)
            return int(min(max(ahead, self.least_chunk // 2), longest))
        return max(self.least_chunk, self.steps // 6 if self.least_chunk > 2 else 2)
