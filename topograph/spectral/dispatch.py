"""Dispatch: the parts of a graph, and which solver computes the quantities of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.spectral.component import Component, components_with_edges
from topograph.spectral.estimate import Estimate
from topograph.spectral.pattern import Vector
from topograph.spectral.solvers.complete import CompleteSolver, complete_values
from topograph.spectral.solvers.dense import DenseSolver, reduced_size
from topograph.spectral.solvers.protocol import Solver, Values
from topograph.spectral.solvers.rotating import recognise_rotation, rotation_values

METHODS = ("auto", "closed_form", "dense", "lanczos", "inverse")

DENSE_ORDER = 200
"""Up to this order of the reduced Laplacian one LAPACK call is the fastest and the safest answer."""
_DENSE_RESCUE = 3000  # up to here it is affordable where Lanczos is slow

NEEDS: Mapping[str, tuple[str, ...]] = {
    "algebraic_connectivity": ("connectivity",),
    "laplacian_gap": ("connectivity",),
    "giant_connectivity": ("connectivity",),
    "laplacian_max": ("laplacian_max",),
    "laplacian_second_max": ("laplacian_max", "laplacian_second_max"),
    "sigma1": ("sigma1",),
    "sigma2": ("sigma1", "sigma2"),
    "adjacency_gap": ("sigma1", "sigma2"),
    "normalized_sigma2": ("normalized_gap",),
    "normalized_gap": ("normalized_gap",),
    "giant_normalized_gap": ("normalized_gap",),
}
"""The quantities of connected pieces that a quantity of the graph is made of."""

SMALLEST = ("connectivity", "normalized_gap")
"""Those of them that can be smaller than the error of LAPACK."""

_ZERO_WITHOUT_EDGES = ("algebraic_connectivity", "sigma1", "sigma2", "adjacency_gap")


def estimate_all(
    graph: BipartiteGraph, wanted: Collection[str], method: str, tolerance: float, weights: Vector | None = None
) -> dict[str, Estimate]:
    """The ``wanted`` quantities of any graph."""
    if not graph.n_edges:
        undefined, zero = Estimate.undefined("the graph has no edges"), Estimate.exact(0.0, "components")
        return {name: zero if name in _ZERO_WITHOUT_EDGES else undefined for name in wanted}
    whole = Component(graph, weights)
    if method in ("auto", "closed_form") and not whole.is_complete and weights is None:
        rotation = recognise_rotation(graph)
        if rotation is not None:
            return assemble(
                wanted, [rotation_values(rotation)], rotation.n_components == 1, copies=rotation.n_components > 1
            )
    needed = {need for name in wanted for need in NEEDS[name]}
    if _is_connected(whole, method):
        return assemble(wanted, [choose(whole, method).solve(whole, needed, tolerance)], True)
    if wanted and set(wanted) <= {"algebraic_connectivity"}:
        return {name: Estimate.exact(0.0, "components") for name in wanted}
    return _disconnected(graph, weights, wanted, needed, method, tolerance)


def choose(component: Component, method: str) -> Solver:
    """The solver of a connected graph."""
    if component.is_complete and method in ("auto", "closed_form"):
        return CompleteSolver()
    if method == "dense":
        return DenseSolver()
    if method == "auto":
        if _dense_order(component) <= DENSE_ORDER:
            return CheckedDenseSolver()
        from topograph.spectral.solvers.lanczos import LanczosSolver  # compiled code, loaded where it is needed

        rescue: list[Solver] = [InverseRescue()]
        if component.graph.n_nodes <= _DENSE_RESCUE:
            rescue.append(DenseSolver())
        return LanczosSolver(tuple(rescue))
    if method == "closed_form":
        return CompleteSolver()  # its error names the graphs that have a closed form
    if method == "inverse":
        return _inverse()
    from topograph.spectral.solvers.lanczos import LanczosSolver

    return LanczosSolver()


def _inverse() -> Solver:
    from topograph.spectral.solvers.inverse import InverseSolver

    return InverseSolver()


class CheckedDenseSolver:
    """`DenseSolver`, and `InverseSolver` for an eigenvalue smaller than LAPACK's backward error."""

    name = "dense"

    def solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """See `Solver.solve`."""
        values = dict(DenseSolver().solve(component, wanted, tolerance))
        for name in coarse_values(values, tolerance):
            finer = _inverse().solve(component, [name], tolerance)[name]
            if not finer.is_failure and finer.width < values[name].width:
                values[name] = finer
        return values


def coarse_values(values: Values, tolerance: float) -> list[str]:
    """The smallest eigenvalues that LAPACK's backward error leaves wider than the tolerance."""
    return [name for name in SMALLEST if name in values and is_coarse(values[name], tolerance)]


def is_coarse(estimate: Any, tolerance: float) -> Any:
    """Whether the interval is wider than the tolerance allows: of an `Estimate`, or of each of `Estimates`."""
    return estimate.high - estimate.low > 2 * tolerance * abs(estimate.value)


class InverseRescue:
    """`InverseSolver` for its own quantities; a failure for the others, so that the next solver is asked."""

    name = "inverse"

    def solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """See `Solver.solve`."""
        if set(wanted) <= {"connectivity", "normalized_gap"}:
            return _inverse().solve(component, wanted, tolerance)
        return {
            name: Estimate.failed("method 'inverse' gives the smallest eigenvalues only", self.name) for name in wanted
        }


def _is_connected(whole: Component, method: str) -> bool:
    graph = whole.graph
    if graph.has_component_labels:
        return graph.is_connected
    if whole.is_complete:
        return True
    if not graph.left_degrees.all():
        return False
    if method == "dense" or _dense_order(whole) <= DENSE_ORDER:
        return bool(graph.right_degrees.all()) and graph.is_connected  # without compiled code
    return whole.pattern.is_connected


def _dense_order(component: Component) -> int:
    graph = component.graph
    if component.weights is not None:
        return graph.n_nodes
    small = min(graph.shape)
    if graph.n_nodes <= DENSE_ORDER or small > DENSE_ORDER // 2:
        return graph.n_nodes
    degrees = graph.left_degrees if graph.n_left >= graph.n_right else graph.right_degrees
    return reduced_size(degrees, small)


def _disconnected(
    graph: BipartiteGraph,
    weights: Vector | None,
    wanted: Collection[str],
    needed: Collection[str],
    method: str,
    tolerance: float,
) -> dict[str, Estimate]:
    labels = graph.component_labels
    count = graph.n_components
    left_sizes = np.bincount(labels[: graph.n_left], minlength=count)
    right_sizes = np.bincount(labels[graph.n_left :], minlength=count)
    edges = np.bincount(labels[: graph.n_left], weights=graph.left_degrees, minlength=count).astype(np.int64)
    with_edges = edges > 0
    # complete pieces (single edges, stars) come in thousands and only their sizes matter
    complete = with_edges & (edges == left_sizes * right_sizes)
    if weights is not None or method not in ("auto", "closed_form"):
        complete[:] = False
    giant = int(np.lexsort((-(left_sizes + right_sizes), -edges))[0])
    pieces: list[Values] = []
    giant_values: Values = {}
    shapes, first, counts = np.unique(
        np.stack([left_sizes[complete], right_sizes[complete]]), axis=1, return_index=True, return_counts=True
    )
    del first
    for (a, b), copies in zip(shapes.T.tolist(), counts.tolist(), strict=True):
        values = complete_values(a, b)
        pieces += [values] * min(copies, 2)
        if complete[giant] and (a, b) == (left_sizes[giant], right_sizes[giant]):
            giant_values = values
    others = np.flatnonzero(with_edges & ~complete)
    for label, component in components_with_edges(graph, weights, others):
        # with several pieces the normalised gap is 0, and only that of the largest is of interest
        needed_here = needed if label == giant or edges[label] == graph.n_edges else set(needed) - {"normalized_gap"}
        values = choose(component, method).solve(component, needed_here, tolerance)
        pieces.append(values)
        if label == giant:
            giant_values = values
    return assemble(wanted, pieces, False, giant_values)


def assemble(
    wanted: Collection[str], pieces: list[Values], connected: bool, giant: Values | None = None, copies: bool = False
) -> dict[str, Estimate]:
    """Quantities of the graph from those of its pieces; with ``copies``, one piece stands for several equal ones."""
    giant = giant or pieces[0]
    several = len(pieces) > 1 or copies

    def connectivity() -> Estimate:
        return pieces[0]["connectivity"] if connected else Estimate.exact(0.0, "components")

    def laplacian_gap() -> Estimate:
        return min((piece["connectivity"] for piece in pieces), key=_failure_first)

    def top(place: int, names: tuple[str, str]) -> Estimate:
        if len(pieces) == 1:
            return pieces[0][names[place]]
        values = [piece[name] for piece in pieces for name in names[: place + 1]]
        defined = [value for value in values if value.method != "undefined"]
        for value in defined:
            if value.is_failure:  # the unknown value may be the largest, and then all others move down by one
                return value
        return sorted(defined, key=lambda value: -value.value)[place] if len(defined) > place else values[-1]

    def sigma(place: int) -> Estimate:
        return top(place, ("sigma1", "sigma2"))

    def adjacency_gap() -> Estimate:
        if len(pieces) == 1 and "adjacency_gap" in pieces[0]:
            return pieces[0]["adjacency_gap"]
        return difference(sigma(0), sigma(1))

    def normalized_gap() -> Estimate:
        return Estimate.exact(0.0, "components") if several else pieces[0]["normalized_gap"]

    make: dict[str, Callable[[], Estimate]] = {
        "algebraic_connectivity": connectivity,
        "laplacian_gap": laplacian_gap,
        "giant_connectivity": lambda: giant["connectivity"],
        "laplacian_max": lambda: top(0, ("laplacian_max", "laplacian_second_max")),
        "laplacian_second_max": lambda: top(1, ("laplacian_max", "laplacian_second_max")),
        "sigma1": lambda: sigma(0),
        "sigma2": lambda: sigma(1),
        "adjacency_gap": adjacency_gap,
        "normalized_gap": normalized_gap,
        "giant_normalized_gap": lambda: giant["normalized_gap"],
        "normalized_sigma2": lambda: normalized_gap().map(lambda gap: 1.0 - gap, -1.0),
    }
    return {name: make[name]() for name in wanted}


def difference(first: Estimate, second: Estimate) -> Estimate:
    """``first − second``, whose interval is at most as wide as both together."""
    for estimate in (first, second):
        if estimate.reason is not None:
            return estimate
    return Estimate(
        first.value - second.value,
        first.residual + second.residual,
        second.method,
        first.steps + second.steps,
        low=first.low - second.high,
        high=first.high - second.low,
    )


def _failure_first(estimate: Estimate) -> float:
    """Sort key: the value, after all failures, since an unknown value may be the smallest."""
    return -math.inf if math.isnan(estimate.value) else estimate.value


def check_method(method: str, quantities: Iterable[str]) -> None:
    """Refuse, before any work, a method that cannot give all the quantities."""
    if method != "inverse":
        return
    beyond = [name for name in quantities if not set(NEEDS[name]) <= {"connectivity", "normalized_gap"}]
    if beyond:
        raise InvalidParameterError(
            f"method 'inverse' gives the smallest eigenvalues only, not {', '.join(beyond)}; "
            "leave these out of quantities="
        )
