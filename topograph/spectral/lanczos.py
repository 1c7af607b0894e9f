"""`LanczosSolver`: Lanczos on the pattern, for graphs too large to write down."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from topograph.spectral.complete import star_values
from topograph.spectral.component import Component
from topograph.spectral.eliminated import EliminatedLane, is_worth_eliminating
from topograph.spectral.estimate import Estimate
from topograph.spectral.kappa import gap_of_kappa, gap_scale
from topograph.spectral.lane import Certified, Known, Lane
from topograph.spectral.operators import FullOperator, HalfOperator
from topograph.spectral.pattern import Vector
from topograph.spectral.solver import Solver, Values
from topograph.spectral.together import Running, alone, together

_PATIENCE = 20_000  # steps before a lane is given up
_FIRST_TRY = 500  # steps before another solver is asked
_MANY = 2**25  # edges above which one quantity follows the other


@dataclass(frozen=True)
class LanczosSolver:
    """One lane for each quantity (`topograph.spectral.lane.Lane`), the known eigenvector deflated, all in step.

    The null vector of L and the top singular pair of the normalised B are known outright. The Perron vectors behind σ1
    and the largest Laplacian eigenvalue are found first, then kept out to reach the second ones: both are simple in a
    connected graph, so the second is a different number. Where both sides are regular, everything follows from the
    normalised gap; where one is, λ2 is sought over the other (`topograph.spectral.eliminated`).

    Parameters
    ----------
    rescue
        Solvers to ask for a quantity that has not converged after 500 steps, in order; the first that reaches it
        answers. Without one that does, the lane goes on.
    """

    rescue: Sequence[Solver] = ()
    name: str = "lanczos"

    def solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """See `Solver.solve`."""
        pattern = component.pattern
        if _is_constant(pattern.left) and _is_constant(pattern.right):
            return self._regular(component, wanted, tolerance)
        runs: list[Running[Values]] = []
        if "connectivity" in wanted:
            runs.append(self._connectivity(component, tolerance))
        if "normalized_gap" in wanted:
            runs.append(self._normalized(component, tolerance))
        if {"laplacian_max", "laplacian_second_max"} & set(wanted):
            start = np.concatenate([pattern.left, pattern.right])
            names, read = ("laplacian_max", "laplacian_second_max"), _negated
            runs.append(self._pair(FullOperator(pattern, 1), start, names, component, wanted, tolerance, read, _apart))
        if {"sigma1", "sigma2"} & set(wanted):
            operator, names = HalfOperator.gram(pattern), ("sigma1", "sigma2")
            read, scale = _root_of_negated, _roots_apart
            runs.append(self._pair(operator, pattern.right, names, component, wanted, tolerance, read, scale))
        # the vectors of all of them at once would take a multiple of the memory of a large pattern
        found = [alone(run) for run in runs] if pattern.n_edges > _MANY else together(runs)
        values = {name: value for some in found for name, value in some.items()}
        return {name: values[name] for name in wanted}

    def _connectivity(self, component: Component, tolerance: float) -> Running[Values]:
        pattern = component.pattern
        for side in (pattern, pattern.transposed):
            if is_worth_eliminating(side):
                found = yield from EliminatedLane(side, tolerance).running(_FIRST_TRY)
                if found is not None:
                    return {"connectivity": _found(found)}
        lane = Lane(FullOperator(pattern, -1), _constant(pattern.n_left + pattern.n_right), tolerance)
        return {"connectivity": (yield from self._finish(lane, component, "connectivity", _found))}

    def _pair(
        self,
        operator: FullOperator | HalfOperator,
        start: Vector,
        names: tuple[str, str],
        component: Component,
        wanted: Collection[str],
        tolerance: float,
        read: Callable[[Certified], Estimate],
        scale: Callable[[float, float], float],
    ) -> Running[Values]:
        """The largest eigenvalue, by its positive eigenvector, and with that deflated the second."""
        both = names[1] in wanted and operator.size > 1
        first = Lane(operator, None, tolerance, lambda theta: scale(theta, -math.inf), start=start)
        values = {names[0]: (yield from self._finish(first, component, names[0], read))}
        if names[1] in wanted:
            if not both:
                values[names[1]] = Estimate.exact(0.0, self.name)
            elif values[names[0]].is_failure:
                values[names[1]] = values[names[0]]
            else:
                known = first.as_known()
                lane = Lane(operator, known, tolerance, lambda theta: scale(theta, known.value))
                values[names[1]] = yield from self._finish(lane, component, names[1], read)
        return values

    def _normalized(self, component: Component, tolerance: float) -> Running[Values]:
        pattern = component.pattern
        if pattern.n_right == 1:
            return {"normalized_gap": Estimate.exact(1.0, self.name)}
        known = Known(np.full(pattern.n_right, float(pattern.right.sum()) ** -0.5))
        lane = Lane(HalfOperator.normalized(pattern), known, tolerance, gap_scale)
        return {"normalized_gap": (yield from self._finish(lane, component, "normalized_gap", _gap))}

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
            gap = alone(self._normalized(component, tolerance))["normalized_gap"]

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
        self, lane: Lane, component: Component, name: str, read: Callable[[Certified], Estimate]
    ) -> Running[Estimate]:
        """Run the lane to its certificate, by way of the rescuers where it is slow."""
        if (yield from lane.running(_FIRST_TRY if self.rescue else _PATIENCE)):
            return read(lane.result())
        for solver in self.rescue:
            estimate = solver.solve(component, [name], lane.tolerance)[name]
            if not estimate.is_failure:
                return estimate
        if not lane.is_hopeless and (yield from lane.running(_PATIENCE)):
            return read(lane.result())
        reached = read(lane.result())
        inverse = " or method='inverse'" if name in ("connectivity", "normalized_gap") else ""
        return Estimate.failed(
            f"{name} is near {reached.value:.9g} after {lane.steps} steps, but its interval [{reached.low:.9g}, "
            f"{reached.high:.9g}] is wider than the tolerance {lane.tolerance:g} asks; loosen tolerance=, or use "
            f"method='dense'{inverse}",
            self.name,
            lane.steps,
        )


def _found(found: Certified) -> Estimate:
    return Estimate(found.value, found.residual, "lanczos", found.steps, None, found.low, found.high)


def _negated(found: Certified) -> Estimate:
    return Estimate(-found.value, found.residual, "lanczos", found.steps, None, -found.high, -found.low)


def _root_of_negated(found: Certified) -> Estimate:
    return _negated(found).map(lambda x: math.sqrt(max(x, 0.0)), 0.5 / math.sqrt(max(-found.value, 1e-300)))


def _apart(theta: float, first: float) -> float:
    """What the tolerance refers to: the eigenvalue, or its distance from the ``first``, which is asked for as well."""
    return min(abs(theta), max(theta - first, 1e-4 * abs(theta)))


def _roots_apart(theta: float, first: float) -> float:
    """The same where the roots of both are asked for: an error of σ² is one of 2 σ times that of σ."""
    sigma = math.sqrt(abs(theta))
    return 2 * sigma * min(sigma, max(math.sqrt(abs(first)) - sigma, 1e-4 * sigma))


def _gap(found: Certified) -> Estimate:
    return gap_of_kappa(_found(found))


def _constant(size: int) -> Known:
    return Known(np.full(size, size**-0.5))


def _is_constant(degrees: Vector) -> bool:
    return bool((degrees == degrees[0]).all())
