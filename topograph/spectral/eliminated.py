r"""λ2 over the outputs only, for a graph whose inputs all have one degree k.

With the inputs eliminated, an eigenvalue λ < k of L belongs to :math:`(k D - B^T B)\,y = \lambda\,(k + D - \lambda)\,y`
(D the degrees of the outputs), and its null vector is constant. With μ in place of the λ on the right this is a
symmetric problem, whose second eigenvalue θ equals μ where μ = λ2. A product is no dearer than one of L, and worth two
of them: the Krylov space of :math:`B^T B` takes half the steps, fewer where the degrees of the sides differ.
"""

from __future__ import annotations

import math

import numpy as np

from topograph.spectral.lane import Certified, Known, Lane, measured
from topograph.spectral.operators import FullOperator, HalfOperator, product
from topograph.spectral.pattern import Pattern, Vector
from topograph.spectral.rotating import likely_gap
from topograph.spectral.together import Running, alone

_FIRST = 16  # steps after which λ2 is known well enough to be the μ


def _usual(left: float, right: float) -> float:
    """λ2 of a random graph with these degrees: where to begin."""
    sigma = math.sqrt(max(left - 1, 0.0)) + math.sqrt(max(right - 1, 0.0))
    return min(max(0.5 * (left + right) - math.hypot(0.5 * (left - right), sigma), 0.0), 0.9 * left)


def is_worth_eliminating(pattern: Pattern) -> bool:
    """Whether all inputs have one degree, and λ2 is not that of one weak output, which L shows as fast."""
    if not (pattern.left == pattern.left[0]).all() or pattern.n_right == 1:
        return False
    usual = _usual(float(pattern.left[0]), float(pattern.right.mean()))
    return not 0.5 * usual < pattern.right.min() < usual


class EliminatedLane:
    r"""A lane at a fixed μ, begun again once λ2 is known well enough to be the μ; at once for a likely rotation.

    The interval is that of L itself. The Ritz vector y is completed by :math:`x = B y / (k - \lambda)`, and Rayleigh
    quotient and residual of (x, y) are computed from L. That only one eigenvalue of L lies between 0 and some ρ, as
    Temple's inequality needs, follows from the witness of the lane (`topograph.spectral.lane.Lane`), who vouches for
    this up to ρ' at μ: on the complement of two dimensions :math:`kD - B^TB - \rho\,(k + D - \rho)`, whose negative
    eigenvalues are as many as those of L below ρ (Haynsworth 1968), is at least
    :math:`\rho'\,(k + D - \mu) - \rho\,(k + D - \rho)`. That is not negative for ρ up to its smaller root, at the
    least degree in D and at the largest. In the same way the absence of eigenvalues is carried from μ to L. A lane
    that is begun again takes the risk of its own start; there is seldom more than one.

    Parameters
    ----------
    pattern
        All inputs have one degree.
    tolerance
        Widest interval accepted, relative to the value.
    """

    def __init__(self, pattern: Pattern, tolerance: float) -> None:
        self.pattern, self.tolerance = pattern, tolerance
        self.degree = float(pattern.left[0])
        self.extremes = self.degree + np.array([pattern.right.min(), pattern.right.max()])
        self.full = FullOperator(pattern, -1)
        self.null = Known(np.full(self.full.size, self.full.size**-0.5))
        self.products = self.seed = 0
        likely = likely_gap(pattern)
        self.is_likely = likely is not None
        self.mu = _usual(self.degree, float(pattern.right.mean())) if likely is None else likely
        self.lane = self._lane(self.mu, None)

    def _begin(self, mu: float) -> bool:
        """Start afresh, since the start must not know of the run that led to μ; False where μ is not below k."""
        if not mu < self.degree:
            return False
        self.products += self.lane.products
        self.seed += 1
        self.mu, self.lane = mu, self._lane(mu, None)
        return True

    def _lane(self, mu: float, start: Vector | None) -> Lane:
        operator = HalfOperator.eliminated(self.pattern, mu)
        total = self.degree * operator.size + float(self.pattern.right.sum()) - mu * operator.size
        known = Known(np.full(operator.size, total**-0.5))
        return Lane(operator, known, 0.7 * self.tolerance, seed=self.seed, start=start)

    def run(self, max_steps: int) -> Certified | None:
        """The value with its interval; None where the tolerance was not reached."""
        return alone(self.running(max_steps))

    def running(self, max_steps: int) -> Running[Certified | None]:
        """The same for who takes the steps along with those of others (`topograph.spectral.together`)."""
        again = not self.is_likely
        if again:
            yield self.lane, min(_FIRST, self.lane.operator.size)
            self.lane.look()
        while self.products < max_steps and self.lane.is_kept:
            if again and not self._begin(self._quotient(self.lane.theta, self.lane.ritz_vector())):
                return None
            if not (yield from self.lane.running(max_steps - self.products)):
                return None
            found = yield from self._finish()
            if found is not None:
                return found
            # what growth has shown loses more on the way to L than what the witness has seen
            again = self.lane.limit is not None or self.lane.tolerance < 1e-2 * self.tolerance
            self.lane.tolerance *= 0.05
        return None

    def _quotient(self, form: float, y: Vector) -> float:
        """The λ with ``form`` = λ yᵀ(k + D − λ)y: the Rayleigh quotient of L at the best completion of ``y``."""
        square = float(y @ y)
        total = self.degree * square + float(self.pattern.right @ (y * y))
        return 2 * form / (total + math.sqrt(max(total**2 - 4 * form * square, 0.0)))

    def _completed(self, y: Vector) -> Known:
        """The vector of L that belongs to ``y``, with its Rayleigh quotient and the norm of its residual."""
        image = product(self.pattern.by_rows, y)
        form = self.degree * float(self.pattern.right @ (y * y)) - float(image @ image)
        self.products += 2
        x = image / (self.degree - self._quotient(form, y))
        return measured(self.full, self.null, np.concatenate([x, y]))

    def _finish(self) -> Running[Certified | None]:
        """The interval of L from that of the lane, where it is narrow enough."""
        lane = self.lane
        y = lane.ritz_vector()
        found = self._completed(y)
        noise = self.full.noise
        width = self.tolerance * found.value - 2 * noise
        if lane.limit is None:  # nothing lies below the interval of the lane
            low = self._carried(lane.result().low)
        else:
            rho = self._carried(lane.limit)
            if rho <= found.value:
                return None
            if found.residual**2 > (rho - found.value) * width:
                found = yield from self._refined(y, found, 0.7 * (rho - found.value) * width)
            low = found.value - found.residual**2 / (rho - found.value)
        if not 0 < found.value - low <= width:
            return None
        products = self.products + lane.products
        return Certified(found.value, low - noise, found.value + noise, found.residual + noise, products)

    def _refined(self, y: Vector, found: Known, enough: float) -> Running[Known]:
        """What ``y`` was completed to, better by some steps from ``y``; its squared residual is to be ``enough``."""
        lane = self._lane(found.value, y)
        while found.residual**2 > enough and lane.steps < 60 and not lane.exhausted:
            yield lane, 6
            lane.look()
            if lane.residual**2 <= enough or lane.steps >= 60:
                found = self._completed(lane.ritz_vector())
        self.products += lane.products
        return found

    def _carried(self, limit: float) -> float:
        """The ρ for L that ``limit`` stands for at μ."""
        rest = limit * (self.extremes - self.mu)
        roots = np.sqrt(np.maximum(self.extremes**2 - 4 * rest, 0.0))
        return min(float(np.min(2 * rest / (self.extremes + roots))), self.degree)
