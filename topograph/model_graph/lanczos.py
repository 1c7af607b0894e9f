"""Certified Lanczos on a component of a whole network: the steps in NumPy, the certificates those of layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from topograph.model_graph.references import Numbers
from topograph.model_graph.spectrum import Piece
from topograph.spectral.dispatch import difference
from topograph.spectral.estimate import Estimate
from topograph.spectral.lanczos.certificate import Certified, constant_vector
from topograph.spectral.lanczos.operators import ROUNDING
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.lanczos.state import LanczosState
from topograph.spectral.lanczos.table import CANCELLED


@dataclass(frozen=True, eq=False)
class ProductOperator:
    """A symmetric operator known by its products: an `Operator` of `topograph.spectral.lanczos`.

    Parameters
    ----------
    multiply
        The product with a vector.
    size, cost
        Length of its vectors; multiplications of a product.
    noise
        Rounding of a product.
    inner
        Weights of the inner product in which it is self-adjoint; None where they are 1.
    """

    multiply: Callable[[Numbers], Numbers]
    size: int
    cost: int
    noise: float
    inner: Numbers | None = None

    def advance(self, state: LanczosState, steps: int) -> None:
        """Up to ``steps`` Lanczos steps, as `topograph.spectral.lanczos.steps` takes them."""
        for _ in range(steps):
            if self._step(state):
                return

    def _step(self, state: LanczosState) -> bool:
        j, known = state.steps, state.known
        metric = 1.0 if self.inner is None else self.inner
        here, there = state.at(j), state.at(j + 1)
        last = float(state.betas[j]) if j else 0.0
        carry = last / float(state.betas[j - 1]) if j else 0.0
        scale = 1.0 / float(state.betas[j])
        vector = scale * here[0]
        new = self.multiply(vector)
        if j:
            new = new - carry * state.at(j - 1)[0]
        alpha = float((metric * vector) @ new)
        of_vector, of_known = alpha, float((metric * known) @ new) - alpha * float((metric * known) @ vector)
        for _ in range(2):
            new = new - of_vector * vector - of_known * known
            norm = float((metric * new) @ new)
            if norm >= CANCELLED * (alpha**2 + last**2):
                break
            of_vector, of_known = float((metric * vector) @ new), float((metric * known) @ new)
        followed = None
        if state.is_followed:
            followed = scale * (self.multiply(here[1]) - alpha * here[1])
            if j:
                followed = followed - carry * state.at(j - 1)[1]
            followed = followed - known * float((metric * known) @ followed)
        there[0] = new
        if followed is not None:
            there[1] = followed
        state.alphas[j], state.betas[j + 1] = alpha, math.sqrt(norm)
        state.steps += 1
        return bool(state.betas[j + 1] <= 1e-14 * (abs(alpha) + last))


def estimate(piece: Piece, quantity: str, tolerance: float, patience: int) -> Estimate:
    """``"connectivity"``, ``"normalized_gap"`` or ``"adjacency_gap"`` of a component."""
    return {
        "connectivity": _connectivity,
        "normalized_gap": _normalized_gap,
        "adjacency_gap": _adjacency_gap,
    }[quantity](piece, tolerance, patience)


def _connectivity(piece: Piece, tolerance: float, patience: int) -> Estimate:
    degrees = piece.degrees
    operator = ProductOperator(
        lambda x: degrees * x - piece.adjacent(x),
        piece.size,
        piece.network.cost,
        ROUNDING * 2 * float(degrees.max()),
    )
    run = LanczosRun(operator, constant_vector(piece.size), tolerance)
    return _finished(run, patience, "the algebraic connectivity", lambda value: value)


def _normalized_gap(piece: Piece, tolerance: float, patience: int) -> Estimate:
    degrees = piece.degrees
    operator = ProductOperator(
        lambda x: x - piece.adjacent(x) / degrees, piece.size, piece.network.cost, ROUNDING, degrees
    )
    run = LanczosRun(operator, constant_vector(piece.size, float(degrees.sum())), tolerance)
    return _finished(run, patience, "the normalised gap", lambda value: min(value, 1.0))


def _adjacency_gap(piece: Piece, tolerance: float, patience: int) -> Estimate:
    degrees = piece.degrees
    operator = ProductOperator(
        lambda x: -piece.adjacent(x), piece.size, piece.network.cost, ROUNDING * float(degrees.max())
    )
    first = LanczosRun(operator, None, tolerance, start=degrees)
    top = _finished(first, patience, "the largest eigenvalue", lambda value: -value)
    if top.is_failure:
        return top
    second = LanczosRun(operator, first.as_known(), tolerance)
    return difference(top, _finished(second, patience, "the second largest eigenvalue", lambda value: -value))


def _finished(run: LanczosRun, patience: int, name: str, read: Callable[[float], float]) -> Estimate:
    """Take a run to its certificate; a failure where it is not reached."""
    reached = run.run(patience)
    result: Certified = run.result()
    if not reached:
        return Estimate.failed(
            f"{name} of the whole network is near {read(result.value):.9g} after {run.steps} steps, but its interval "
            f"is wider than the tolerance {run.tolerance:g} allows",
            "lanczos",
            run.steps,
        )
    low, high = sorted([read(result.low), read(result.high)])
    return Estimate(read(result.value), result.residual, "lanczos", result.steps, None, low, high)
