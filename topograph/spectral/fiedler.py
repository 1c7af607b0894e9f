"""The eigenvector behind λ2, of the Laplacian or of the normalised one, checked by its residual."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from topograph.errors import ConvergenceError
from topograph.spectral.component import Component
from topograph.spectral.pattern import Pattern, Vector

if TYPE_CHECKING:
    from topograph.spectral.lanczos.run import LanczosRun

_DENSE_ORDER = 300  # up to here LAPACK finds all vectors in a few hundredths of a second
_ROUNDING = 64 * float(np.finfo(float).eps)
_FIRST_TRY, _PATIENCE, _SOLVES = 600, 6000, 400  # steps of Lanczos before the inverse is asked, in all; solves


def fiedler_vector(component: Component, *, normalized: bool = False, tolerance: float = 1e-8) -> Vector:
    r"""The eigenvector of the second smallest eigenvalue of a connected graph's Laplacian.

    Parameters
    ----------
    component
        A connected graph, with weights or without.
    normalized
        Whether the Laplacian is :math:`D^{-1/2} L D^{-1/2}` instead of L.
    tolerance
        Largest 1-norm of the residual, relative to the largest absolute row sum of the matrix, as in networkx.

    Returns
    -------
    Vector
        Shape ``(n_nodes,)``, inputs first, of norm 1. Its sign is that of the solver; where the eigenvalue is
        repeated, it is any vector of the eigenspace.

    Raises
    ------
    ConvergenceError
        No solver came below the tolerance.

    Examples
    --------
    >>> from topograph import BipartiteGraph
    >>> path = BipartiteGraph.from_mask([[1, 0], [1, 1]])
    >>> vector = fiedler_vector(Component(path))
    >>> (vector * np.sign(vector[0])).round(3).tolist()
    [0.653, -0.271, 0.271, -0.653]

    Notes
    -----
    Fiedler (1973), Algebraic connectivity of graphs. Up to a few hundred nodes LAPACK answers. Beyond, the vector comes
    from the Lanczos run whose certificate says that the eigenvalue is the second, continued until the residual is
    small enough; where that is slow, from Lanczos on the inverse, whose largest eigenvalue it is.
    """
    graph = component.graph
    if graph.n_nodes <= _DENSE_ORDER:
        return _dense(component, normalized)
    pattern = Pattern.of(graph, component.weights)
    allowed = max(tolerance, _ROUNDING)
    best = math.inf
    for vector in _normalized(pattern, allowed) if normalized else _plain(pattern, allowed):
        best = min(best, _residual(pattern, vector, normalized))
        if best <= allowed:
            return vector
    raise ConvergenceError(
        f"the eigenvector has a relative residual of {best:.3g}, but {tolerance:g} was asked for; allow more"
    )


def _dense(component: Component, normalized: bool) -> Vector:
    graph = component.graph
    matrix: Vector = graph.to_mask(np.float64)
    if component.weights is not None:
        matrix[matrix != 0] = component.weights
    degrees = np.concatenate(component.degrees)
    laplacian = np.diag(degrees)
    laplacian[: graph.n_left, graph.n_left :] = -matrix
    laplacian[graph.n_left :, : graph.n_left] = -matrix.T
    if normalized:
        laplacian /= np.sqrt(degrees)[:, None] * np.sqrt(degrees)
    return np.ascontiguousarray(np.linalg.eigh(laplacian)[1][:, 1])


def _residual(pattern: Pattern, vector: Vector, normalized: bool) -> float:
    """The 1-norm of the residual at the Rayleigh quotient, over the largest absolute row sum."""
    from topograph.spectral.lanczos.operators import product

    n = pattern.n_left
    degrees = np.concatenate([pattern.left, pattern.right])
    roots = np.sqrt(degrees) if normalized else np.ones(degrees.size)

    def times(sign: float, x: Vector) -> Vector:
        scaled = x / roots
        neighbours = np.concatenate(
            [product(pattern.by_rows, scaled[n:].copy()), product(pattern.by_columns, scaled[:n].copy())]
        )
        return np.asarray((degrees * scaled + sign * neighbours) / roots)

    image = times(-1.0, vector)
    rest = image - float(vector @ image) * vector
    return float(np.abs(rest).sum()) / float(times(1.0, np.ones(degrees.size)).max())


def _plain(pattern: Pattern, tolerance: float) -> Iterator[Vector]:
    """Candidates for the vector of L, each better or from another solver."""
    from topograph.spectral.lanczos.certificate import constant_vector
    from topograph.spectral.lanczos.operators import FullOperator
    from topograph.spectral.lanczos.run import LanczosRun
    from topograph.spectral.solvers.inverse import Factor, InverseLaplacian, affordable_order

    known = constant_vector(sum(pattern.shape))
    operator = FullOperator(pattern, -1)
    # the 1-norm is at most √N times the norm
    goal = tolerance * 2 * float(max(pattern.left.max(), pattern.right.max())) / math.sqrt(operator.size)
    run = LanczosRun(operator, known, 1e-6)
    if _converge(run, goal, _FIRST_TRY):
        yield _unit(run.ritz_vector())
    places = affordable_order(pattern)
    if places is not None:
        inverse = InverseLaplacian(Factor(pattern, places))
        if inverse.unit:
            solves = LanczosRun(inverse, known, 1e-6, witness=False)
            if _converge(solves, 1e-14, _SOLVES):
                vector = solves.ritz_vector()
                yield _unit(vector - vector.mean())
    if _converge(run, goal, _PATIENCE):
        yield _unit(run.ritz_vector())


def _normalized(pattern: Pattern, tolerance: float) -> Iterator[Vector]:
    """Candidates for the vector of the normalised L, from one over the smaller side."""
    from topograph.spectral.lanczos.certificate import constant_vector
    from topograph.spectral.lanczos.operators import HalfOperator
    from topograph.spectral.lanczos.run import LanczosRun
    from topograph.spectral.solvers.inverse import Factor, InverseNormalized, affordable_order

    side = pattern if pattern.n_right <= pattern.n_left else pattern.transposed
    swapped = side is not pattern
    if side.n_right == 1:  # a star: all other eigenvalues are 1
        first, second = np.sqrt(side.left[:2])
        vector = np.zeros(side.n_left + 1)
        vector[:2] = second, -first
        yield from _both_sides(side, _unit(vector), swapped)
        return
    known = constant_vector(side.n_right, float(side.right.sum()))
    goal = tolerance / math.sqrt(sum(side.shape))
    run = LanczosRun(HalfOperator.normalized(side), known, 1e-6)
    if _converge(run, goal, _FIRST_TRY):
        yield from _completed(side, run.ritz_vector(), swapped)
    places = affordable_order(side)
    if places is not None:
        inverse = InverseNormalized(Factor(side, places))
        if inverse.unit:
            solves = LanczosRun(inverse, known, 1e-6, witness=False)
            if _converge(solves, 1e-14, _SOLVES):
                y = solves.ritz_vector()
                yield from _completed(side, y - float(side.right @ y) / float(side.right.sum()), swapped)
    if _converge(run, goal, _PATIENCE):
        yield from _completed(side, run.ritz_vector(), swapped)


def _completed(side: Pattern, y: Vector, swapped: bool) -> Iterator[Vector]:
    """From y, for which D_R⁻¹ Bᵀ D_L⁻¹ B y = σ² y, to a vector over both sides; σ may be 0."""
    from topograph.spectral.lanczos.operators import product

    right = _unit(np.sqrt(side.right) * y)
    left = product(side.by_rows, right / np.sqrt(side.right)) / np.sqrt(side.left)
    size = float(np.linalg.norm(left))
    if size:
        yield from _both_sides(side, _unit(np.concatenate([left / size, right])), swapped)
    yield from _both_sides(side, np.concatenate([np.zeros(side.n_left), right]), swapped)


def _both_sides(side: Pattern, vector: Vector, swapped: bool) -> Iterator[Vector]:
    """The vector with the graph's inputs first."""
    yield np.concatenate([vector[side.n_left :], vector[: side.n_left]]) if swapped else vector


def _converge(run: LanczosRun, goal: float, steps: int) -> bool:
    """Whether a certificate holds and the residual is at most ``goal``, after ``steps`` steps in all at most."""
    certain = run.run(steps)
    while certain and run.residual > max(goal, run.noise) and run.steps < steps and not run.exhausted:
        run.advance(min(16, steps - run.steps))
        run.look()
    return certain and (run.residual <= max(goal, run.noise) or run.exhausted)


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector))
