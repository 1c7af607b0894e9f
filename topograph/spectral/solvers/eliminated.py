r"""λ2 over the outputs only, for a graph whose inputs all have one degree k.

With the inputs eliminated, an eigenvalue λ < k of L belongs to :math:`(k D - B^T B)\,y = \lambda\,(k + D - \lambda)\,y`
(D the degrees of the outputs), and its null vector is constant. With μ in place of the λ on the right this is a
symmetric problem, whose second eigenvalue θ equals μ where μ = λ2. A product costs as much as one of L and is worth two
of them: the Krylov space of :math:`B^T B` takes half the steps, fewer where the degrees of the sides differ.
"""

from __future__ import annotations

import math

import numpy as np

from topograph.spectral.lanczos.certificate import Certified, KnownVector, constant_vector, measure_vector
from topograph.spectral.lanczos.interleaving import Stepwise, complete
from topograph.spectral.lanczos.operators import FullOperator, HalfOperator, product
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.pattern import Pattern, Vector
from topograph.spectral.solvers.rotating import likely_gap

_FIRST = 16  # steps after which λ2 is known well enough to serve as μ


def _random_graph_gap(left: float, right: float) -> float:
    """About λ2 of a random graph with these degrees: a first μ."""
    sigma = math.sqrt(max(left - 1, 0.0)) + math.sqrt(max(right - 1, 0.0))
    return min(max(0.5 * (left + right) - math.hypot(0.5 * (left - right), sigma), 0.0), 0.9 * left)


def is_worth_eliminating(pattern: Pattern) -> bool:
    """Whether all inputs have one degree, and λ2 is not due to one weak output, which L shows as fast."""
    if not (pattern.left == pattern.left[0]).all() or pattern.n_right == 1:
        return False
    usual = _random_graph_gap(float(pattern.left[0]), float(pattern.right.mean()))
    return not 0.5 * usual < pattern.right.min() < usual


class EliminatedConnectivity:
    r"""λ2 from a run at a fixed μ, begun again once λ2 is known well enough to serve as μ.

    For a likely rotation the first μ is already good enough.

    The interval is that of L itself. The Ritz vector y is completed by :math:`x = B y / (k - \lambda)`, and Rayleigh
    quotient and residual of (x, y) are computed from L. That only one eigenvalue of L lies between 0 and some ρ, as
    Temple's inequality needs, follows from the witness of the run (`topograph.spectral.lanczos.witness`), which
    certifies this up to ρ' at μ: on the complement of two dimensions :math:`kD - B^TB - \rho\,(k + D - \rho)`, whose
    negative eigenvalues are as many as those of L below ρ (Haynsworth 1968), is at least
    :math:`\rho'\,(k + D - \mu) - \rho\,(k + D - \rho)`. That is not negative for ρ up to its smaller root, at the
    least degree in D and at the largest. In the same way the absence of eigenvalues is carried from μ to L. A run
    that is begun again takes the risk of its own start; there is seldom more than one.

    Parameters
    ----------
    pattern
        Pattern whose inputs all have one degree.
    tolerance
        Widest interval accepted, relative to the value.
    """

    def __init__(self, pattern: Pattern, tolerance: float) -> None:
        self.pattern, self.tolerance = pattern, tolerance
        self.degree = float(pattern.left[0])
        self.extremes = self.degree + np.array([pattern.right.min(), pattern.right.max()])
        self.full = FullOperator(pattern, -1)
        self.null = constant_vector(self.full.size)
        self.products = self.seed = 0
        likely = likely_gap(pattern)
        self.is_likely = likely is not None
        self.mu = _random_graph_gap(self.degree, float(pattern.right.mean())) if likely is None else likely
        self.reduced = self._run_at(self.mu, None)

    def _begin_again(self, mu: float) -> bool:
        """Draw a new start, which must not depend on the run that led to μ; False where μ is not below k."""
        if not mu < self.degree:
            return False
        self.products += self.reduced.products
        self.seed += 1
        self.mu, self.reduced = mu, self._run_at(mu, None)
        return True

    def _run_at(self, mu: float, start: Vector | None) -> LanczosRun:
        operator = HalfOperator.eliminated(self.pattern, mu)
        total = self.degree * operator.size + float(self.pattern.right.sum()) - mu * operator.size
        known = constant_vector(operator.size, total)
        return LanczosRun(operator, known, 0.7 * self.tolerance, seed=self.seed, start=start)

    def run(self, max_steps: int) -> Certified | None:
        """The value with its interval; None where the tolerance was not reached."""
        return complete(self.stepwise(max_steps))

    def stepwise(self, max_steps: int) -> Stepwise[Certified | None]:
        """As `run`, for a caller that interleaves several runs (`interleaving`)."""
        again = not self.is_likely
        if again:
            yield self.reduced, min(_FIRST, self.reduced.operator.size)
            self.reduced.look()
        while self.products < max_steps and self.reduced.is_kept:
            if again and not self._begin_again(self._quotient(self.reduced.theta, self.reduced.ritz_vector())):
                return None
            if not (yield from self.reduced.stepwise(max_steps - self.products)):
                return None
            certified = yield from self._carry_to_full()
            if certified is not None:
                return certified
            # the interval of growth widens more on the way to L than that of the witness
            by_witness = self.reduced.result().single_below is not None
            again = by_witness or self.reduced.tolerance < 1e-2 * self.tolerance
            self.reduced.tolerance *= 0.05
        return None

    def _quotient(self, form: float, y: Vector) -> float:
        """The λ with ``form`` = λ yᵀ(k + D − λ)y: the Rayleigh quotient of L at the best completion of ``y``."""
        square = float(y @ y)
        total = self.degree * square + float(self.pattern.right @ (y * y))
        return 2 * form / (total + math.sqrt(max(total**2 - 4 * form * square, 0.0)))

    def _completed(self, y: Vector) -> KnownVector:
        """The vector of L that belongs to ``y``, with its Rayleigh quotient and the norm of its residual."""
        image = product(self.pattern.by_rows, y)
        form = self.degree * float(self.pattern.right @ (y * y)) - float(image @ image)
        self.products += 2
        x = image / (self.degree - self._quotient(form, y))
        return measure_vector(self.full, self.null, np.concatenate([x, y]))

    def _carry_to_full(self) -> Stepwise[Certified | None]:
        """The interval of L from that of the run, where it is narrow enough."""
        y = self.reduced.ritz_vector()
        completed = self._completed(y)
        noise = self.full.noise
        width = self.tolerance * completed.value - 2 * noise
        certified = self.reduced.result()
        if certified.single_below is None:  # nothing lies below the interval of the run
            low = self._carried(certified.low)
        else:
            rho = self._carried(certified.single_below)
            if rho <= completed.value:
                return None
            if completed.residual**2 > (rho - completed.value) * width:
                completed = yield from self._refined(y, completed, 0.7 * (rho - completed.value) * width)
            low = completed.value - completed.residual**2 / (rho - completed.value)
        if not 0 < completed.value - low <= width:
            return None
        value, products = completed.value, self.products + self.reduced.products
        return Certified(value, low - noise, value + noise, completed.residual + noise, products)

    def _refined(self, y: Vector, completed: KnownVector, enough: float) -> Stepwise[KnownVector]:
        """A better completion of ``y``, after some steps from ``y``; its squared residual should be ``enough``."""
        run = self._run_at(completed.value, y)
        while completed.residual**2 > enough and run.steps < 60 and not run.exhausted:
            yield run, 6
            run.look()
            if run.residual**2 <= enough or run.steps >= 60:
                completed = self._completed(run.ritz_vector())
        self.products += run.products
        return completed

    def _carried(self, limit: float) -> float:
        """The ρ for L that ``limit`` stands for at μ."""
        rest = limit * (self.extremes - self.mu)
        roots = np.sqrt(np.maximum(self.extremes**2 - 4 * rest, 0.0))
        return min(float(np.min(2 * rest / (self.extremes + roots))), self.degree)
