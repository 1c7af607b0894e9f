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


class EliminatedLane:
    r"""A lane at a fixed μ, begun again once λ2 is known well enough to be the μ.

    The interval is that of L itself. The Ritz vector y is completed by :math:`x = B y / (k - \theta)`, and Rayleigh
    quotient and residual of (x, y) are computed from L. That only one eigenvalue of L lies between 0 and some ρ, as
    Temple's inequality needs, follows from the witness of the lane (`topograph.spectral.lane.Lane`), who vouches for
    this up to ρ' at μ: on the complement of two dimensions :math:`kD - B^TB - \rho\,(k + D - \rho)`, whose negative
    eigenvalues are as many as those of L below ρ (Haynsworth 1968), is at least
    :math:`\rho'\,(k + D - \mu) - \rho\,(k + D - \rho)`. That is not negative for ρ up to its smaller root, at the least
    degree in D and at the largest. In the same way the absence of eigenvalues is carried from μ to L.

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
        self.steps = 0
        self.seed = 0
        self._begin(0.0)

    def _begin(self, mu: float) -> None:
        """Start afresh: the start must not know of the run that led to μ."""
        self.mu = mu
        operator = HalfOperator.eliminated(self.pattern, mu)
        known = np.full(operator.size, 1.0 / math.sqrt(float(np.sum(operator.inner))))
        self.lane = Lane(operator, Known(known), 0.7 * self.tolerance, seed=self.seed)
        self.seed += 1

    def run(self, max_steps: int) -> Certified | None:
        """The value with its interval; None where the tolerance was not reached, or λ2 is not well below k."""
        while self.steps < max_steps:
            lane = self.lane
            before = lane.steps
            lane.advance(min(lane.next_chunk(), max_steps - self.steps))
            self.steps += lane.steps - before
            done = lane.check()
            if lane.theta >= 0.99 * self.degree or lane.is_hopeless or lane.exhausted or not lane.is_kept:
                return None
            found = self._finish() if done else None
            if found is not None:
                return found
            if done or self._is_known_well_enough():
                mu = self._completed(lane.ritz_vector()).value
                if abs(mu - self.mu) <= 1e-9 * mu or self.seed > 3:
                    return None
                self._begin(mu)
        return None

    def _is_known_well_enough(self) -> bool:
        """Whether the lane knows λ2 as exactly as μ must be, while μ itself is further off."""
        lane = self.lane
        gap, width = lane.second - lane.theta, self.tolerance * lane.theta
        inner = self.extremes - self.mu
        turn = 0.5 * lane.theta * float(1 / inner[0] - 1 / inner[1])
        if not gap > 0 or turn == 0.0:
            return False
        # an error of μ turns the Ritz vector by this times it over the gap, which enters λ2 squared
        allowed = 0.5 * math.sqrt(gap * width) / turn
        return lane.residual**2 / gap <= 0.3 * allowed < abs(lane.theta - self.mu)

    def _completed(self, y: Vector) -> Known:
        """The vector of L that belongs to ``y``, with its Rayleigh quotient and the norm of its residual."""
        size = self.full.size
        x = product(self.pattern.by_rows, y) / (self.degree - self.lane.theta)
        return measured(self.full, Known(np.full(size, size**-0.5)), np.concatenate([x, y]))

    def _finish(self) -> Certified | None:
        """The interval of L from that of the lane, where it is narrow enough."""
        lane = self.lane
        found = self._completed(lane.ritz_vector())
        value, residual, noise = found.value, found.residual, self.full.noise
        if lane.limit is None:  # nothing lies below the interval of the lane
            low = self._carried(lane.result().low)
        else:
            rho = self._carried(lane.limit)
            low = value - residual**2 / (rho - value) if rho > value else -math.inf
        if value - low + 2 * noise > self.tolerance * value:
            return None
        return Certified(value, low - noise, value + noise, residual + noise, self.steps)

    def _carried(self, limit: float) -> float:
        """The ρ for L that ``limit`` stands for at μ."""
        rest = limit * (self.extremes - self.mu)
        roots = np.sqrt(np.maximum(self.extremes**2 - 4 * rest, 0.0))
        return min(float(np.min(2 * rest / (self.extremes + roots))), self.degree)
