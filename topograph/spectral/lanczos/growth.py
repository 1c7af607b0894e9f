"""`Growth`: the certificate that rests on the growth of a run's orthonormal polynomials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from topograph.spectral.lanczos import tridiagonal as tri
from topograph.spectral.lanczos.certificate import RISK, Certified
from topograph.spectral.pattern import Vector

if TYPE_CHECKING:
    from topograph.spectral.lanczos.run import LanczosRun

_LEAST_NORMAL = 0.2 * RISK * math.sqrt(math.pi / 2)  # a standard normal number is smaller with a fifth of the risk


class Growth:
    r"""No eigenvalue lies far below the smallest Ritz value, since the start would have shown it.

    ``high`` is the Ritz value itself, which no smallest eigenvalue exceeds. ``low`` comes from the growth of the run's
    orthonormal polynomials (`topograph.spectral.lanczos.tridiagonal`): no eigenvalue lies below it unless its
    eigenvector overlaps the starting vector by less than c. For a random start on the unit sphere of dimension N that
    happens with probability at most :math:`c\sqrt{2N/\pi}`. For the Perron vector the start is a positive vector, whose
    overlap is bounded below outright, and both ends are certain.

    An eigenvalue of any multiplicity counts as one: a start has a component in its eigenspace. Copies of it that appear
    late in the run, when orthogonality is lost, change nothing at the end of the spectrum.

    Parameters
    ----------
    overlap
        The least overlap c of the start with the eigenvector sought.
    """

    def __init__(self, overlap: float) -> None:
        self.needed = 2.0 / overlap  # the factor 2 leaves room for the rounding of the recurrence
        self.missing = math.inf

    @classmethod
    def of_random_start(cls, size: int) -> Growth:
        """For a start drawn from the normal distribution."""
        return cls(_LEAST_NORMAL / math.sqrt(size))

    @classmethod
    def of_positive_start(cls, start: Vector, metric: Vector) -> Growth:
        """For a Perron vector u: ‖u‖₁ ≥ ‖u‖₂, so ⟨u, start⟩ is at least the smallest entry of the start."""
        least = max(float(np.min(start * np.sqrt(metric))), 1e-300)
        return cls(least / math.sqrt(float((metric * start) @ start)))

    def interval(self, run: LanczosRun, width: float) -> Certified | None:
        """See `Certificate.interval`."""
        grown = tri.growth(run.alphas, run.betas, run.steps, run.theta - width)
        self.missing = math.log(self.needed) - math.log(max(grown, 1.0))
        # a start that hardly overlaps the eigenvector sought lets the growth run ahead of the value: both must be there
        return self.reached(run) if self.missing <= 0 and run.residual <= width else None

    def reached(self, run: LanczosRun) -> Certified:
        """The interval at this step, however wide."""
        theta = run.refined()
        reach = max(run.tolerance * run.scale(theta), run.noise)
        floor = float(tri.certified_floor(run.alphas, run.betas, run.steps, theta, self.needed, reach))
        noise = run.noise
        return Certified(theta, floor - noise, theta + noise, run.residual + noise, run.products)
