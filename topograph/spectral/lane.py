"""`Lane`: one Lanczos run towards one extreme eigenvalue, stopped by its own certificate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from topograph.spectral import tridiagonal as tri
from topograph.spectral.operators import Operator, PatternOperator, Run, Track
from topograph.spectral.pattern import Vector
from topograph.spectral.together import Running, alone

RISK = 1e-3
"""Probability, over the random starting vectors, that the worst conceivable spectrum escapes a certificate."""

_RISK_OF_GROWTH, _RISK_OF_WITNESS = 0.2 * RISK, 0.8 * RISK
_LEAST_NORMAL = _RISK_OF_GROWTH * math.sqrt(math.pi / 2)  # a standard normal number is smaller with that probability
_LEAST_DETERMINANT = _RISK_OF_WITNESS  # and so is, with its own, the determinant of a 2 × 2 matrix of them: Laplace's

_KEPT = 2**28  # bytes of basis vectors; where the pattern is larger, as many as it has itself


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


def measured(operator: Operator, known: Known, vector: Vector) -> Known:
    """A vector, orthogonal to ``known`` and of norm 1, with Rayleigh quotient and residual: one more product."""
    metric = 1.0 if operator.inner is None else operator.inner
    vector = vector - known.vector * float((metric * known.vector) @ vector)
    vector /= math.sqrt(float((metric * vector) @ vector))
    alphas, betas = np.zeros(2), np.ones(3)
    operator.advance(Track.of(vector), known.vector, alphas, betas, 0, 1)
    return Known(vector, float(alphas[0]), float(betas[1]))


class Lane:
    r"""Lanczos for the smallest eigenvalue off the known eigenvector, with a witness that follows.

    Two certificates are tried, and the first that is as narrow as the tolerance asks ends the run. On the worst
    spectrum there could be, growth fails for at most a fifth of `RISK` of all seeds and the witness for the rest of it.

    **Growth.** ``high`` is the Ritz value itself, which no smallest eigenvalue exceeds. ``low`` comes from the growth
    of the run's orthonormal polynomials (`topograph.spectral.tridiagonal`): no eigenvalue lies below it unless its
    eigenvector overlaps the starting vector by less than c. For a random start on the unit sphere of dimension N that
    happens with probability at most :math:`c\sqrt{2N/\pi}`. For the Perron vector the start is a positive vector, whose
    overlap is bounded below outright, and both ends are certain.

    **Witness.** Growth alone has to tell apart eigenvalues as close as the tolerance, which takes twice the steps that
    the value takes. So a second random vector follows the run with the same coefficients, and both are filtered by
    one polynomial: :math:`y = f(A)\,a` is the Ritz vector, at the Ritz value θ, and :math:`z = f(A)\,b`. All zeros of f
    are Ritz values from the second on, so that |f| falls up to the first of them. If A had two eigenvalues
    :math:`\mu_1 \le \mu_2 \le \rho` below that zero, with eigenvectors U, then :math:`\mu_1 \le \theta`, and z would be
    as far from the line of y as :math:`|f(\theta)\,f(\rho)|\,|\det U^T [a, b]|` at least, since that is the area which
    the two span within U, and y has norm 1. The determinant of a 2 × 2 matrix of standard normal numbers has Laplace's
    distribution: it is below t with probability at most t. Where z is closer to y than that, there is one eigenvalue up
    to ρ, and Temple's inequality holds: with the Rayleigh quotient θ of the Ritz vector and the norm r of its residual,
    both computed afresh from the vector, :math:`\theta - r^2 / (\rho - \theta) \le \lambda \le \theta`.

    Both are widened by an allowance for the rounding of the products (8 ε times a bound of the norm: an estimate, no
    worst case) and by the residual of the deflated vector.

    An eigenvalue of any multiplicity counts as one for growth: a start has a component in its eigenspace. Copies of it
    that appear late in the run, when orthogonality is lost, change nothing at the end of the spectrum.

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
        A positive starting vector, for a Perron vector, or any other where no certificate is asked for; drawn at random
        from ``seed`` without it.
    witness
        Whether a second vector follows a random start.
    """

    def __init__(
        self,
        operator: Operator,
        known: Known | None,
        tolerance: float,
        scale: Callable[[float], float] = abs,
        start: Vector | None = None,
        seed: int = 0,
        witness: bool = True,
    ) -> None:
        self.operator, self.tolerance, self.scale = operator, tolerance, scale
        # a Perron vector comes fast, and steps beyond it only bring back copies of it
        # and between two looks at a large graph there should be few: a look costs as much as 10⁵ edges
        self.first_chunk = 16 if start is None else 5
        self.least_chunk = 2 if start is not None or operator.cost > 200_000 else 4
        self.slack = 6 if operator.cost <= 200_000 else 1  # steps too many that are cheaper than a pass of one's own
        size = operator.size
        self.known = known or Known(np.zeros(size))
        self.metric = np.ones(size) if operator.inner is None else operator.inner
        other: Vector | None = None
        if start is None:
            random = np.random.default_rng(seed)
            start, other = self._drawn(random), self._drawn(random) if witness else None
            overlap = _LEAST_NORMAL / math.sqrt(size)
        else:
            start = start - self.known.vector * self._product(self.known.vector, start)
            # the positive eigenvector u has ‖u‖₁ ≥ ‖u‖₂, so ⟨u, start⟩ is at least the smallest entry of the start
            least = max(float(np.min(start * np.sqrt(self.metric))), 1e-300)
            overlap = least / math.sqrt(self._product(start, start))
        self.start, self.witness = start, other is not None
        self.needed = 2.0 / overlap  # the factors 2 leave room for the rounding of the recurrence
        self.track = Track.of(start, other)
        self.alphas, self.betas = np.zeros(64), np.zeros(65)
        self.betas[0] = math.sqrt(self._product(start, start))
        self.apart = 2.0 * self.betas[0] ** 2 / _LEAST_DETERMINANT
        self.steps = self.asked = 0
        self.theta = self.second = math.inf
        self.exhausted = False
        self.limit: float | None = None  # up to which the witness knows of one eigenvalue
        self.residual = math.inf
        self._certified: Certified | None = None
        self._farther = 0.15  # than the Ritz vector the witness is from the eigenvector: low, so that it is asked early
        self._before = self._ahead = (0, 0.0)  # a step, and by how many nats a certificate was missed there

    def _drawn(self, random: np.random.Generator) -> Vector:
        vector: Vector = random.standard_normal(self.operator.size) / np.sqrt(self.metric)
        return vector - self.known.vector * self._product(self.known.vector, vector)

    def _product(self, first: Vector, second: Vector) -> float:
        return float((self.metric * first) @ second)

    @property
    def noise(self) -> float:
        """What rounding and deflation may hide."""
        return self.operator.noise + self.known.slack(self.theta)

    def run(self, max_steps: int) -> bool:
        """Take steps until a certificate holds; False when ``max_steps`` in all are not enough."""
        return alone(self.running(max_steps))

    def running(self, max_steps: int) -> Running[bool]:
        """The same for who takes the steps along with those of others (`topograph.spectral.together`)."""
        while self.steps < max_steps and not self.exhausted:
            yield self, min(self.next_chunk(), max_steps - self.steps)
            if self.check():
                return True
        return self.check()

    def advance(self, count: int) -> None:
        """Take ``count`` steps."""
        wanted = self.steps + count
        self._make_room(wanted)
        self.settle(self.operator.advance(self.track, self.known.vector, self.alphas, self.betas, self.steps, count))
        self.exhausted = self.exhausted or self.steps < wanted

    def prepared(self, count: int) -> Run:
        """What `topograph.spectral.operators.advance_runs` takes, with room for ``count`` steps; `settle` ends them."""
        self._make_room(self.steps + count)
        return Run(
            cast(PatternOperator, self.operator), self.track, self.known.vector, self.alphas, self.betas, self.steps
        )

    def settle(self, reached: int) -> None:
        """Note that there are ``reached`` steps now."""
        k, alphas, betas = reached, self.alphas, self.betas
        before = betas[k - 1] if k > 1 else 0.0
        self.steps, self._certified, self.limit = k, None, None
        self.exhausted = bool(betas[k] <= 1e-14 * (abs(alphas[k - 1]) + before))

    def _make_room(self, wanted: int) -> None:
        """Room for the coefficients, and for the vectors as long as they take no more memory than is allowed."""
        if wanted > self.alphas.size:
            self.alphas = np.concatenate([self.alphas, np.zeros(wanted)])
            self.betas = np.concatenate([self.betas, np.zeros(wanted)])
        basis = self.track.basis
        rows = len(basis)
        if rows >= wanted or rows < self.steps:
            return
        most = max(_KEPT, 8 * self.operator.cost) // (16 * self.operator.size)
        larger = np.empty((min(max(2 * rows, wanted, 64), most), 2, self.operator.size))
        if len(larger) > rows:
            larger[: self.steps] = basis[: self.steps]
            self.track.basis = larger

    @property
    def products(self) -> int:
        """Products with the operator so far."""
        return self.steps + self.asked

    @property
    def is_kept(self) -> bool:
        """Whether the vectors of all steps are there."""
        return self.steps <= len(self.track.basis)

    def look(self) -> Vector:
        """The smallest Ritz value, its residual, and its vector in the basis of the run."""
        k, alphas, betas = self.steps, self.alphas, self.betas
        above = min(self.theta, float(alphas[:k].min()))
        self.theta = float(tri.smallest_ritz_value(alphas, betas, k, above, 1e-4 * self.tolerance))
        coordinates = self.coordinates()
        self.residual = float(betas[k] * abs(coordinates[-1]))
        return coordinates

    def check(self) -> bool:
        """Whether a certificate is as narrow as the tolerance asks."""
        if not self.steps:
            return False
        k, alphas, betas = self.steps, self.alphas, self.betas
        coordinates = self.look()
        width = self.tolerance * self.scale(self.theta) - 2 * self.noise
        if not width > 0:
            return False
        grown = math.log(max(tri.growth(alphas, betas, k, self.theta - width), 1.0))
        self._before, self._ahead = self._ahead, (k, math.log(self.needed) - grown)
        residual = self.residual
        # a start that hardly overlaps the eigenvector sought lets the growth run ahead of the value: both must be there
        if self._ahead[1] <= 0 and residual <= width:
            return True
        if self.witness and self.is_kept and k > 2:
            self.second = float(tri.second_ritz_value(alphas, betas, k, self.theta))
            likely = self._farther * residual / (self.second - self.theta)
            excess = self._missing(coordinates, residual**2 / width, likely)
            if excess <= 0:
                excess = self._ask_witness(coordinates, width)
            self._ahead = (k, min(self._ahead[1], excess))
        return self._certified is not None

    def _ask_witness(self, coordinates: Vector, width: float) -> float:
        """Take the interval that the witness vouches for, if it is narrow enough; else, by how many nats it is not."""
        k = self.steps
        ritz, other = np.tensordot(coordinates / self.betas[:k], self.track.basis[:k], 1)
        norm = self._product(ritz, ritz)
        apart = other - ritz * (self._product(ritz, other) / norm)
        distance = math.sqrt(self._product(apart, apart))
        self._farther = distance * (self.second - self.theta) / self.residual
        if abs(norm - 1.0) > 1e-6:  # orthogonality is lost
            return math.inf
        missing = self._missing(coordinates, self.residual**2 / width, distance)
        if missing > 0:
            return missing
        least = self._least_filter(coordinates, distance)
        rho = float(tri.filtered_above(self.alphas, self.betas, k, coordinates, self.theta, self.second, least))
        self.asked += 1
        found = measured(self.operator, self.known, ritz)
        value, residual = found.value, found.residual
        if rho <= value or residual**2 > (rho - value) * width:
            return max(self._missing(coordinates, residual**2 / width, distance), 0.1)
        low = value - residual**2 / (rho - value)
        self._certified = Certified(value, low - self.noise, value + self.noise, residual + self.noise, self.products)
        self.limit = rho
        return 0.0

    def _least_filter(self, coordinates: Vector, distance: float) -> float:
        """What |f| must be at ρ for a witness at this ``distance`` from the Ritz vector; f(θ) is 1 / coordinates[0]."""
        return float(self.apart * distance * max(abs(coordinates[0]), 1e-10))

    def _missing(self, coordinates: Vector, gap: float, distance: float) -> float:
        """By how many nats, at the best ρ, Temple's ``gap`` or the witness's ``distance`` falls short."""
        least = self._least_filter(coordinates, distance)
        run = self.alphas, self.betas, self.steps, coordinates, self.theta, self.second
        return float(tri.shortfall(*run, gap, least))

    @property
    def is_hopeless(self) -> bool:
        """Whether rounding alone is wider than the tolerance at the value reached."""
        return self.steps > 0 and self.tolerance * self.scale(self.theta) <= 2 * self.noise

    def result(self) -> Certified:
        """The value with its interval."""
        if self._certified is not None:
            return self._certified
        k = self.steps
        self.theta = theta = float(tri.smallest_ritz_value(self.alphas, self.betas, k, self.theta, 0.0))
        reach = max(self.tolerance * self.scale(theta), self.noise)
        floor = float(tri.certified_floor(self.alphas, self.betas, k, theta, self.needed, reach))
        residual = float(self.betas[k] * abs(self.coordinates()[-1]))
        return Certified(theta, floor - self.noise, theta + self.noise, residual + self.noise, self.products)

    def coordinates(self) -> Vector:
        """The Ritz vector in the basis of the run."""
        coordinates: Vector = tri.ritz_coordinates(self.alphas, self.betas, self.steps, self.theta)
        return coordinates

    def ritz_vector(self) -> Vector:
        """The Ritz vector."""
        return self._combined(self.coordinates())

    def _combined(self, coordinates: Vector) -> Vector:
        """A vector of the run, from the basis where it is kept, otherwise by repeating the run."""
        k = coordinates.size
        if self.is_kept:
            return np.asarray((coordinates / self.betas[:k]) @ self.track.basis[:k, 0])
        total = np.zeros(self.operator.size)
        track = Track.of(self.start)
        betas, alphas = self.betas.copy(), self.alphas.copy()
        for j, coordinate in enumerate(coordinates):
            total += coordinate / betas[j] * track.vector
            self.operator.advance(track, self.known.vector, alphas, betas, j, 1)
        return total

    def as_known(self) -> Known:
        """The Ritz vector, to be deflated, with the residual that one more product shows.

        It is taken at the first step whose residual is small enough: what deflating it may hide is the square of that.
        Later steps hold copies of it, whose sum may cancel.
        """
        found = measured(self.operator, self.known, self._combined(self._clean_coordinates()))
        return replace(found, residual=found.residual + self.operator.noise)

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

    def next_chunk(self) -> int:
        """Steps until the next look: few while little is known, then as many as the progress so far asks for."""
        if not self.steps:
            return self.first_chunk
        (before, missed), (step, missing) = self._before, self._ahead
        longest = max(4, self.steps // 5)
        if before < step and missing < missed:
            return int(min(max(0.9 * missing * (step - before) / (missed - missing), self.least_chunk // 2), longest))
        return longest if self.least_chunk > 2 else 2
