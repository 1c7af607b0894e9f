"""`LanczosSolver`: Lanczos on the pattern, for graphs too large to write down."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from topograph.spectral.component import Component
from topograph.spectral.estimate import Estimate
from topograph.spectral.lanczos.certificate import Certified, constant_vector
from topograph.spectral.lanczos.interleaving import Stepwise, complete, complete_together
from topograph.spectral.lanczos.operators import FullOperator, HalfOperator
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.normalized_gap import gap_of_kappa, gap_scale
from topograph.spectral.pattern import Pattern, Vector
from topograph.spectral.solvers.complete import star_values
from topograph.spectral.solvers.eliminated import EliminatedConnectivity, is_worth_eliminating
from topograph.spectral.solvers.protocol import Solver, Values
from topograph.spectral.threads import free_cores

_FIRST_TRY = 500  # steps before another solver is asked
_MANY = 2**25  # edges above which the quantities are computed one after the other


@dataclass(frozen=True)
class LargestPair:
    """The two largest eigenvalues of an operator, whose sign is turned: the first has a positive eigenvector.

    Parameters
    ----------
    names
        Quantities that they are.
    operator, start
        Operator over a pattern, and a positive start.
    read
        From the eigenvalue to the quantity.
    scale
        From an eigenvalue and the first one to the size that the tolerance refers to.
    """

    names: tuple[str, str]
    operator: Callable[[Pattern], FullOperator | HalfOperator]
    start: Callable[[Pattern], Vector]
    read: Callable[[Certified], Estimate]
    scale: Callable[[float, float], float]


@dataclass(frozen=True)
class LanczosSolver:
    """One run per quantity (`topograph.spectral.lanczos`), with the known eigenvector deflated, all side by side.

    The null vector of L and the top singular pair of the normalised B are known outright. The Perron vectors behind σ1
    and the largest Laplacian eigenvalue are found first, then deflated to reach the second ones: both are simple in a
    connected graph, so the second is a different number. Where both sides are regular, everything follows from the
    normalised gap; where one is, λ2 is sought over the other (`topograph.spectral.solvers.eliminated`).

    Parameters
    ----------
    rescue
        Solvers to ask, in order, for a quantity that has not converged after 500 steps; the first that reaches it
        answers. If none does, the run goes on.
    patience
        Number of steps before a run is given up.
    """

    rescue: Sequence[Solver] = ()
    patience: int = 20_000
    name: str = "lanczos"

    def solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """See `Solver.solve`."""
        with free_cores(component.pattern):
            return self._solve(component, wanted, tolerance)

    def _solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        pattern = component.pattern
        if _is_constant(pattern.left) and _is_constant(pattern.right):
            return self._regular(component, wanted, tolerance)
        computations: list[Stepwise[Values]] = []
        if "connectivity" in wanted:
            computations.append(self._connectivity(component, tolerance))
        if "normalized_gap" in wanted:
            computations.append(self._normalized(component, tolerance))
        pairs = [pair for pair in _LARGEST if set(pair.names) & set(wanted)]
        computations += [self._largest(pair, component, wanted, tolerance) for pair in pairs]
        # the vectors of all of them at once would take a multiple of the memory of a large pattern
        one_by_one = pattern.n_edges > _MANY
        results = [complete(each) for each in computations] if one_by_one else complete_together(computations)
        values = {name: value for result in results for name, value in result.items()}
        return {name: values[name] for name in wanted}

    def _connectivity(self, component: Component, tolerance: float) -> Stepwise[Values]:
        pattern = component.pattern
        for side in (pattern, pattern.transposed):
            if is_worth_eliminating(side):
                certified = yield from EliminatedConnectivity(side, tolerance).stepwise(_FIRST_TRY)
                if certified is not None:
                    return {"connectivity": _plain(certified)}
        run = LanczosRun(FullOperator(pattern, -1), constant_vector(sum(pattern.shape)), tolerance)
        return {"connectivity": (yield from self._finish(run, component, "connectivity", _plain))}

    def _largest(
        self, pair: LargestPair, component: Component, wanted: Collection[str], tolerance: float
    ) -> Stepwise[Values]:
        """The largest eigenvalue, by its positive eigenvector, and with that deflated the second."""
        operator, start = pair.operator(component.pattern), pair.start(component.pattern)
        top, below = pair.names
        first = LanczosRun(operator, None, tolerance, lambda theta: pair.scale(theta, -math.inf), start=start)
        values = {top: (yield from self._finish(first, component, top, pair.read))}
        if below not in wanted:
            return values
        if operator.size == 1:
            return values | {below: Estimate.exact(0.0, self.name)}
        if values[top].is_failure:
            return values | {below: values[top]}
        known = first.as_known()
        second = LanczosRun(operator, known, tolerance, lambda theta: pair.scale(theta, known.value))
        return values | {below: (yield from self._finish(second, component, below, pair.read))}

    def _normalized(self, component: Component, tolerance: float) -> Stepwise[Values]:
        pattern = component.pattern
        if pattern.n_right == 1:
            return {"normalized_gap": Estimate.exact(1.0, self.name)}
        known = constant_vector(pattern.n_right, float(pattern.right.sum()))
        run = LanczosRun(HalfOperator.normalized(pattern), known, tolerance, gap_scale)
        return {"normalized_gap": (yield from self._finish(run, component, "normalized_gap", _gap))}

    def _regular(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """Everything from κ = 1 − σ2² / (d_L d_R), both sides being regular."""
        left, right = float(component.pattern.left[0]), float(component.pattern.right[0])
        total, product = left + right, left * right
        if component.pattern.n_right == 1:
            return {name: star_values(component.pattern.n_left, left)[name] for name in wanted}
        values = {
            "laplacian_max": Estimate.exact(total, "closed_form"),
            "sigma1": Estimate.exact(math.sqrt(product), "closed_form"),
        }
        if set(wanted) - set(values):
            gap = complete(self._normalized(component, tolerance))["normalized_gap"]

            def root(x: float) -> float:  # x is the normalised gap, 1 − x the normalised σ2
                return math.sqrt((left - right) ** 2 + 4 * product * (1 - x) ** 2)

            def connectivity(x: float) -> float:
                return 2 * product * x * (2 - x) / (total + root(x))

            s, r = 1 - gap.value, root(gap.value)
            values |= {
                "normalized_gap": gap,
                "connectivity": gap.map(connectivity, 2 * product * s / r if r else 0.0),
                "laplacian_second_max": gap.map(lambda x: (total + root(x)) / 2, 2 * product * s / r if r else 0.0),
                "sigma2": gap.map(lambda x: math.sqrt(product) * (1 - x), math.sqrt(product)),
            }
        return {name: values[name] for name in wanted}

    def _finish(
        self, run: LanczosRun, component: Component, name: str, read: Callable[[Certified], Estimate]
    ) -> Stepwise[Estimate]:
        """Take a run to its certificate; the rescuers are asked where it is slow."""
        if (yield from run.stepwise(_FIRST_TRY if self.rescue else self.patience)):
            return read(run.result())
        for solver in self.rescue:
            estimate = solver.solve(component, [name], run.tolerance)[name]
            if not estimate.is_failure:
                return estimate
        if not run.is_hopeless and (yield from run.stepwise(self.patience)):
            return read(run.result())
        reached = read(run.result())
        inverse = " or method='inverse'" if name in ("connectivity", "normalized_gap") else ""
        return Estimate.failed(
            f"{name} is near {reached.value:.9g} after {run.steps} steps, but its interval [{reached.low:.9g}, "
            f"{reached.high:.9g}] is wider than tolerance={run.tolerance:g} allows; loosen tolerance=, or use "
            f"method='dense'{inverse}",
            self.name,
            run.steps,
        )


def _plain(certified: Certified) -> Estimate:
    low, high = certified.low, certified.high
    return Estimate(certified.value, certified.residual, "lanczos", certified.steps, None, low, high)


def _negated(certified: Certified) -> Estimate:
    low, high = -certified.high, -certified.low
    return Estimate(-certified.value, certified.residual, "lanczos", certified.steps, None, low, high)


def _root_of_negated(certified: Certified) -> Estimate:
    return _negated(certified).map(lambda x: math.sqrt(max(x, 0.0)), 0.5 / math.sqrt(max(-certified.value, 1e-300)))


def _distance(theta: float, first: float) -> float:
    """The size that the tolerance refers to: the eigenvalue, or its distance from ``first``, a result as well."""
    return min(abs(theta), max(theta - first, 1e-4 * abs(theta)))


def _distance_of_roots(theta: float, first: float) -> float:
    """As `_distance` where the roots of both are the results: an error of σ² is 2 σ times one of σ."""
    sigma = math.sqrt(abs(theta))
    return 2 * sigma * min(sigma, max(math.sqrt(abs(first)) - sigma, 1e-4 * sigma))


def _gap(certified: Certified) -> Estimate:
    return gap_of_kappa(_plain(certified))


def _is_constant(degrees: Vector) -> bool:
    return bool((degrees == degrees[0]).all())


_LARGEST = (
    LargestPair(
        ("laplacian_max", "laplacian_second_max"),
        lambda pattern: FullOperator(pattern, 1),
        lambda pattern: np.concatenate([pattern.left, pattern.right]),
        _negated,
        _distance,
    ),
    LargestPair(
        ("sigma1", "sigma2"),
        HalfOperator.gram,
        lambda pattern: pattern.right,
        _root_of_negated,
        _distance_of_roots,
    ),
)
