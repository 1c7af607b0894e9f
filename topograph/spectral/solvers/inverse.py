"""`InverseSolver`: Lanczos on the inverse of the Laplacian, for spectra whose small end is far below the large one."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse import csgraph

from topograph.errors import InvalidParameterError
from topograph.spectral.component import Component
from topograph.spectral.estimate import Estimate
from topograph.spectral.lanczos.certificate import constant_vector
from topograph.spectral.lanczos.operators import product
from topograph.spectral.lanczos.run import LanczosRun
from topograph.spectral.lanczos.state import LanczosState
from topograph.spectral.normalized_gap import gap_of_kappa, gap_scale
from topograph.spectral.pattern import Pattern, Vector
from topograph.spectral.solvers.protocol import Values

_EPS = float(np.finfo(float).eps)
_WORK = 4e9  # multiplications that a factorisation may cost
_MEMORY = 1.5e8  # numbers that it may store


class InverseSolver:
    r"""The smallest eigenvalues through a factorisation that never subtracts.

    The inputs are eliminated, then the outputs one by one in reverse Cuthill–McKee order. Each elimination of a node
    with edges :math:`w_1, w_2, \ldots` (sum d) leaves edges :math:`w_i w_j / d` between its neighbours: sums and
    products of positive numbers only, so the factors, and with them solutions, are accurate however small
    λ2 is (Grassmann, Taksar & Heyman 1985; Alfa, Xue & Ye 2002). Lanczos on the inverse then converges in a few steps.
    """

    name = "inverse"

    def solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """See `Solver.solve`; offers ``connectivity`` and ``normalized_gap``."""
        beyond = set(wanted) - {"connectivity", "normalized_gap"}
        if beyond:
            raise InvalidParameterError(f"method 'inverse' cannot compute {', '.join(sorted(beyond))}")
        places = affordable_order(component.pattern)
        if places is None:
            reason = "the factorisation is too large for method 'inverse'; use method='lanczos'"
            return {name: Estimate.failed(reason, self.name) for name in wanted}
        factor = Factor(component.pattern, places)
        return {name: self._solve(factor, name, tolerance) for name in wanted}

    def _solve(self, factor: Factor, name: str, tolerance: float) -> Estimate:
        pattern = factor.pattern
        if name == "normalized_gap" and pattern.n_right == 1:
            return Estimate.exact(1.0, self.name)
        operator: _Inverse
        if name == "connectivity":
            operator = InverseLaplacian(factor)
            known = constant_vector(operator.size)
        else:
            operator = InverseNormalized(factor)
            known = constant_vector(operator.size, float(pattern.right.sum()))
        if not operator.unit:
            reason = "the weights differ by too much: numbers of the factorisation overflow or vanish"
            return Estimate.failed(reason, self.name)
        scale = abs if name == "connectivity" else operator.gap_scale
        run = LanczosRun(operator, known, tolerance, scale, witness=False)
        if not run.run(min(400, operator.size + 8)):
            reason = (
                f"after {run.steps} solves the value is near {-operator.unit / run.theta:.9g}, but its interval is "
                f"wider than tolerance={tolerance:g} allows; loosen tolerance=, or use method='dense'"
            )
            return Estimate.failed(reason, self.name, run.steps)
        certified = run.result()
        value, low, high = (-operator.unit / theta for theta in (certified.value, certified.low, certified.high))
        residual = certified.residual / abs(certified.value) * value
        estimate = Estimate(value, residual, self.name, certified.steps, low=low, high=high)
        if name == "normalized_gap":
            return gap_of_kappa(estimate)
        return estimate


def affordable_order(pattern: Pattern) -> npt.NDArray[np.int64] | None:
    """The places of the outputs in the band, or None where the factorisation would cost more than is allowed."""
    counts = np.diff(pattern.indptr).astype(np.float64)
    if float(counts @ counts) > _WORK:
        return None
    places = _order(pattern)
    band = _bandwidth(pattern, places)
    if pattern.n_right * float(band) ** 2 > 2 * _WORK or pattern.n_right * float(band + 1) > _MEMORY:
        return None
    return places


def _order(pattern: Pattern) -> npt.NDArray[np.int64]:
    """The place of each output in the reverse Cuthill–McKee order of the whole graph, counted among the outputs."""
    n, m = pattern.n_left, pattern.n_right
    rows = np.concatenate([pattern.indptr, pattern.indptr[-1] + pattern.col_indptr[1:]]).astype(np.int32)
    columns = np.concatenate([pattern.indices.astype(np.int32) + np.int32(n), pattern.col_indices.astype(np.int32)])
    adjacency = sp.csr_array((np.ones(columns.size, dtype=np.int8), columns, rows), shape=(n + m, n + m))
    order = csgraph.reverse_cuthill_mckee(sp.csr_matrix(adjacency), symmetric_mode=True)
    outputs = order[order >= n] - n
    places = np.empty(m, dtype=np.int64)
    places[outputs] = np.arange(m)
    return places


def _bandwidth(pattern: Pattern, places: npt.NDArray[np.int64]) -> int:
    spots = places[pattern.indices]
    starts = pattern.indptr[:-1].astype(np.int64)
    return int((np.maximum.reduceat(spots, starts) - np.minimum.reduceat(spots, starts)).max())


@dataclass(frozen=True)
class Factor:
    """The elimination of all nodes but one: ``solve_outputs(c)`` gives y with S y = c, the last output at 0.

    S = D_R − Bᵀ D_L⁻¹ B is the Laplacian that is left on the outputs. ``c`` must sum to 0.
    """

    pattern: Pattern
    places: npt.NDArray[np.int64] = field(repr=False)
    band: Vector = field(init=False, repr=False)
    pivots: Vector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from topograph.spectral.solvers.banded import assemble, eliminate

        band = np.zeros((self.pattern.n_right, _bandwidth(self.pattern, self.places) + 1))
        assemble(*self.pattern.by_rows, self.pattern.left, self.places, band)
        object.__setattr__(self, "band", band)
        object.__setattr__(self, "pivots", eliminate(band))

    def solve_outputs(self, right_side: Vector) -> Vector:
        """The y with S y = ``right_side``, up to a constant."""
        from topograph.spectral.solvers.banded import solve

        ordered = np.empty_like(right_side)
        ordered[self.places] = right_side
        solve(self.band, self.pivots, ordered)
        return ordered[self.places]

    @cached_property
    def rounding(self) -> float:
        """Relative error allowed for one solve."""
        return 64 * _EPS * math.sqrt(self.pattern.n_left + self.pattern.n_right)


class _Inverse:
    """The common part of both inverses: steps in Python, with a rounding error relative to the eigenvalue sought.

    The operator is ``unit`` times minus the inverse, a power of two, so that its norm is about 1 however small λ2 is;
    ``unit`` is 0 where numbers overflow.
    """

    inner: Vector | None

    def __init__(self, factor: Factor, size: int, inner: Vector | None) -> None:
        self.factor, self.size, self.inner = factor, size, inner
        self.noise = 0.0
        self.cost = factor.band.size
        metric = 1.0 if inner is None else inner
        vector = np.random.default_rng(0).standard_normal(size)
        vector -= float(np.sum(metric * vector)) / float(np.sum(metric * np.ones(size)))
        with np.errstate(over="ignore", invalid="ignore"):
            norm = float(np.max(np.abs(self.apply(vector)))) / float(np.max(np.abs(vector)))
        self.unit = 2.0 ** -math.frexp(norm)[1] if 1e-290 < norm < 1e290 else 0.0

    def gap_scale(self, theta: float) -> float:
        """`gap_scale` for θ = −unit / κ: a relative tolerance on κ is one on θ."""
        kappa = -self.unit / theta
        return gap_scale(kappa) / kappa * abs(theta)

    def apply(self, vector: Vector) -> Vector:
        raise NotImplementedError

    def advance(self, state: LanczosState, steps: int) -> None:
        """See `Operator.advance`; no second vector follows."""
        known, alphas, betas = state.known, state.alphas, state.betas
        dual = known if self.inner is None else self.inner * known
        metric = 1.0 if self.inner is None else self.inner
        # the potentials are rounded relative to the largest, which may be that of a node of small weight
        is_weighted = self.factor.pattern.is_weighted
        root = math.sqrt(float(np.sum(metric * np.ones(self.size))))
        for j in range(state.steps, state.steps + steps):
            v = state.at(j)[0] / betas[j]
            v -= known * float(dual @ v)
            w = -self.unit * self.apply(v)
            size = float(np.max(np.abs(w))) * root if is_weighted else 0.0
            if j:
                w -= betas[j] / betas[j - 1] * state.at(j - 1)[0]
            w -= known * float(dual @ w)
            alphas[j] = float((metric * v) @ w)
            w -= alphas[j] * v
            w -= known * float(dual @ w)
            betas[j + 1] = math.sqrt(float((metric * w) @ w))
            self.noise = max(self.noise, self.factor.rounding * max(abs(float(alphas[j])), size))
            state.at(j + 1)[0] = w
            state.steps = j + 1
            if state.exhausted:
                return


class InverseLaplacian(_Inverse):
    """Minus the pseudo-inverse of L."""

    def __init__(self, factor: Factor) -> None:
        super().__init__(factor, sum(factor.pattern.shape), None)

    def apply(self, vector: Vector) -> Vector:
        """L⁺ ``vector``, for a vector that sums to 0; up to a constant."""
        pattern = self.factor.pattern
        left, right = vector[: pattern.n_left], vector[pattern.n_left :]
        y = self.factor.solve_outputs(right + product(pattern.by_columns, left / pattern.left))
        x = (left + product(pattern.by_rows, y)) / pattern.left
        return np.concatenate([x, y])


class InverseNormalized(_Inverse):
    """Minus the pseudo-inverse of I − D_R⁻¹ Bᵀ D_L⁻¹ B, in the inner product of D_R."""

    def __init__(self, factor: Factor) -> None:
        super().__init__(factor, factor.pattern.n_right, factor.pattern.right)

    def apply(self, vector: Vector) -> Vector:
        """S⁺ D_R ``vector``, up to a constant."""
        return self.factor.solve_outputs(self.factor.pattern.right * vector)
