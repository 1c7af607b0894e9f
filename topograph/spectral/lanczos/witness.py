"""`Witness`: the certificate that rests on a second random vector, which follows the run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from topograph.spectral.lanczos import tridiagonal as tri
from topograph.spectral.lanczos.certificate import RISK, Certified, measure_vector

if TYPE_CHECKING:
    from topograph.spectral.lanczos.run import LanczosRun

_LEAST_DETERMINANT = 0.8 * RISK  # of a 2 × 2 matrix of standard normal numbers, but for this probability: Laplace's


class Witness:
    r"""Only one eigenvalue lies below some ρ, since a second random vector has become parallel to the Ritz vector.

    Growth alone has to tell apart eigenvalues as close as the tolerance, which takes twice the steps that the value
    takes. So a second random vector follows the run with the same coefficients, and both are filtered by one
    polynomial: :math:`y = f(A)\,a` is the Ritz vector, at the Ritz value θ, and :math:`z = f(A)\,b`. All zeros of f are
    Ritz values from the second on, so that |f| falls up to the first of them. If A had two eigenvalues
    :math:`\mu_1 \le \mu_2 \le \rho` below that zero, with eigenvectors U, then :math:`\mu_1 \le \theta`, and z would be
    as far from the line of y as :math:`|f(\theta)\,f(\rho)|\,|\det U^T [a, b]|` at least, since that is the area which
    the two span within U, and y has norm 1. The determinant of a 2 × 2 matrix of standard normal numbers has Laplace's
    distribution: it is below t with probability at most t. Where z is closer to y than that, there is one eigenvalue up
    to ρ, and Temple's inequality holds: with the Rayleigh quotient θ of the Ritz vector and the norm r of its residual,
    both computed afresh from the vector, :math:`\theta - r^2 / (\rho - \theta) \le \lambda \le \theta`.

    Parameters
    ----------
    norm
        Norm of the start of the run.
    """

    def __init__(self, norm: float) -> None:
        self._least_area = 2.0 * norm**2 / _LEAST_DETERMINANT
        self.missing = math.inf
        self.second = math.inf
        # distance of the witness from the Ritz vector, as a share of residual / (second − θ), when it was last asked;
        # low at first, so that it is asked early
        self._share = 0.15

    def interval(self, run: LanczosRun, width: float) -> Certified | None:
        """See `Certificate.interval`; asked of the vectors themselves, at some cost, only where that is promising."""
        self.missing = math.inf
        if not run.is_kept or run.steps <= 2:
            return None
        self.second = float(tri.second_ritz_value(run.alphas, run.betas, run.steps, run.theta))
        likely = self._share * run.residual / (self.second - run.theta)
        self.missing = self._shortfall(run, run.residual**2 / width, likely)
        return self._ask(run, width) if self.missing <= 0 else None

    def _ask(self, run: LanczosRun, width: float) -> Certified | None:
        k = run.steps
        ritz, other = np.tensordot(run.coordinates / run.betas[:k], run.state.basis[:k], 1)
        norm = run.inner_product(ritz, ritz)
        apart = other - ritz * (run.inner_product(ritz, other) / norm)
        distance = math.sqrt(run.inner_product(apart, apart))
        self._share = distance * (self.second - run.theta) / run.residual
        if abs(norm - 1.0) > 1e-6:  # orthogonality is lost
            self.missing = math.inf
            return None
        self.missing = self._shortfall(run, run.residual**2 / width, distance)
        if self.missing > 0:
            return None
        least = self._least_filter(run, distance)
        rho = float(tri.filtered_above(run.alphas, run.betas, k, run.coordinates, run.theta, self.second, least))
        run.extra_products += 1
        measured = measure_vector(run.operator, run.known, ritz)
        value, residual = measured.value, measured.residual
        if rho <= value or residual**2 > (rho - value) * width:
            self.missing = max(self._shortfall(run, residual**2 / width, distance), 0.1)
            return None
        self.missing = 0.0
        low, noise = value - residual**2 / (rho - value), run.noise
        return Certified(value, low - noise, value + noise, residual + noise, run.products, rho)

    def _least_filter(self, run: LanczosRun, distance: float) -> float:
        """The least |f(ρ)| for a witness at this ``distance`` from the Ritz vector; f(θ) is 1 / coordinates[0]."""
        return float(self._least_area * distance * max(abs(run.coordinates[0]), 1e-10))

    def _shortfall(self, run: LanczosRun, gap: float, distance: float) -> float:
        """By how many nats, at the best ρ, Temple's ``gap`` or the witness's ``distance`` falls short."""
        least = self._least_filter(run, distance)
        ritz = run.coordinates, run.theta, self.second
        return float(tri.shortfall(run.alphas, run.betas, run.steps, *ritz, gap, least))
