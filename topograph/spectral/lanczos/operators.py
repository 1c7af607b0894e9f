"""The symmetric operators whose smallest eigenvalue is sought, as Lanczos steps over a `Pattern`.

============================  ==========================================  =======================================
operator                      matrix                                      smallest eigenvalue, known vector deflated
============================  ==========================================  =======================================
`FullOperator`, sign −1       L = [[D_L, −B], [−Bᵀ, D_R]]                 λ2 (the null vector is constant)
`FullOperator`, sign +1       −[[D_L, B], [Bᵀ, D_R]], similar to −L       −λ_{max−1} (the Perron vector)
`HalfOperator.gram`           −BᵀB                                        −σ2² (the Perron vector)
`HalfOperator.normalized`     I − D_R⁻¹ Bᵀ D_L⁻¹ B, in the inner          1 − σ2² of the normalised B (constant)
                              product of D_R
`HalfOperator.eliminated`     (k + D_R − μ)⁻¹ (k D_R − BᵀB), in the       λ2 where it equals μ, all inputs having degree
                              inner product of k + D_R − μ                k (constant)
============================  ==========================================  =======================================

A bipartite Laplacian is turned into its signless form by a change of sign on one side. That form has no negative entry,
so by Perron and Frobenius its largest eigenvalue is simple and its eigenvector positive when the graph is connected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import zip_longest
from typing import Protocol

import numpy as np
import numpy.typing as npt

from topograph.machine_code import address_of
from topograph.seats import Seat, seats
from topograph.spectral.lanczos import kernels
from topograph.spectral.lanczos.state import LanczosState
from topograph.spectral.lanczos.table import FOLLOWED, FULL, ROOM_FOR_SUMS, Share, space_for
from topograph.spectral.pattern import Matrix, Pattern, Vector
from topograph.spectral.threads import BothParts, run_parts, split_rows, waiting_threads

Runs = npt.NDArray[np.int64]
_Given = tuple[Pattern, Runs, int, int, int, int, int]  # what all workers give to `kernels.advance`

ROUNDING = 8 * float(np.finfo(float).eps)
"""Allowance for the rounding of a product, relative to the norm of the matrix."""


class Operator(Protocol):
    """A symmetric operator that takes Lanczos steps on itself."""

    @property
    def size(self) -> int:
        """Length of its vectors."""
        ...

    @property
    def inner(self) -> Vector | None:
        """Weights of the inner product in which it is self-adjoint; None where they are 1."""
        ...

    @property
    def noise(self) -> float:
        """Rounding of a product."""
        ...

    @property
    def cost(self) -> int:
        """Number of edges that a product passes over."""
        ...

    def advance(self, state: LanczosState, steps: int) -> None:
        """Take up to ``steps`` steps; fewer where the Krylov space is exhausted. The state has room for them."""
        ...


@dataclass(frozen=True)
class Terms:
    """An operator over a pattern as the compiled steps see it.

    Parameters
    ----------
    kind
        `steps.FULL`, or 0 for an operator over the outputs only.
    diagonals
        Shift, E, E⁻¹ and F of `HalfOperator`; E = 1 for the full graph, and F is empty where it is 1.
    """

    kind: int
    diagonals: tuple[Vector, Vector, Vector, Vector]

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Where the diagonals lie; 0 where F is 1."""
        shift, inverse, inner, factor = map(address_of, self.diagonals)
        return shift, inverse, inner, factor if self.diagonals[3].size else 0


_NONE = np.empty(0)


class PatternOperator(Operator, Protocol):
    """An operator whose products are passes over a pattern, which several runs may share."""

    @property
    def pattern(self) -> Pattern:
        """The pattern."""
        ...

    @property
    def terms(self) -> Terms:
        """The operator as the compiled steps see it."""
        ...


@dataclass(frozen=True)
class FullOperator:
    """[[D_L, −B], [−Bᵀ, D_R]] for ``sign = -1``, and minus [[D_L, B], [Bᵀ, D_R]] for ``sign = 1``."""

    pattern: Pattern
    sign: int
    inner: Vector | None = None
    diagonal: Vector = field(init=False, repr=False)
    noise: float = field(init=False)

    def __post_init__(self) -> None:
        left, right = self.pattern.left, self.pattern.right
        object.__setattr__(self, "diagonal", -self.sign * np.concatenate([left, right]))
        object.__setattr__(self, "noise", ROUNDING * float(left.max() + right.max()))

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.diagonal.size

    @property
    def cost(self) -> int:
        """See `Operator.cost`."""
        return self.pattern.n_edges

    @cached_property
    def terms(self) -> Terms:
        """See `PatternOperator.terms`."""
        ones = np.ones(self.size)
        return Terms(FULL, (self.diagonal, ones, ones, _NONE))

    def advance(self, state: LanczosState, steps: int) -> None:
        """See `Operator.advance`."""
        advance_together([(self, state)], steps)


@dataclass(frozen=True)
class HalfOperator:
    """``shift − E Bᵀ F B`` over the outputs, self-adjoint in the inner product with weights E⁻¹; a diagonal shift.

    An empty ``factor`` is F = 1.
    """

    pattern: Pattern
    factor: Vector = field(repr=False)
    inverse: Vector = field(repr=False)
    inner: Vector | None = field(repr=False)
    shift: Vector = field(repr=False)
    noise: float

    @cached_property
    def metric(self) -> Vector:
        """The weights of the inner product."""
        return np.ones(self.pattern.n_right) if self.inner is None else self.inner

    @classmethod
    def gram(cls, pattern: Pattern) -> HalfOperator:
        """−BᵀB."""
        ones = np.ones(pattern.n_right)
        noise = ROUNDING * float(pattern.left.max() * pattern.right.max())
        return cls(pattern, _NONE, ones, None, np.zeros(pattern.n_right), noise)

    @classmethod
    def normalized(cls, pattern: Pattern) -> HalfOperator:
        """I − D_R⁻¹ Bᵀ D_L⁻¹ B."""
        ones = np.ones(pattern.n_right)
        return cls(pattern, 1.0 / pattern.left, 1.0 / pattern.right, pattern.right, ones, ROUNDING)

    @classmethod
    def eliminated(cls, pattern: Pattern, mu: float) -> HalfOperator:
        """(k + D_R − μ)⁻¹ (k D_R − BᵀB), where every input has degree k > μ."""
        k = float(pattern.left[0])
        inner = k + pattern.right - mu
        shift = k * pattern.right / inner
        noise = 2 * ROUNDING * float(shift.max())
        return cls(pattern, _NONE, 1.0 / inner, inner, shift, noise)

    @property
    def size(self) -> int:
        """Number of outputs."""
        return self.pattern.n_right

    @property
    def cost(self) -> int:
        """See `Operator.cost`."""
        return self.pattern.n_edges

    @cached_property
    def terms(self) -> Terms:
        """See `PatternOperator.terms`."""
        return Terms(0, (self.shift, self.inverse, self.metric, self.factor))

    def advance(self, state: LanczosState, steps: int) -> None:
        """See `Operator.advance`."""
        advance_together([(self, state)], steps)


def advance_together(
    runs: Sequence[tuple[PatternOperator, LanczosState]], steps: int, parts: BothParts | None = None
) -> None:
    """Up to ``steps`` steps of runs on one pattern, which share each pass over it.

    They are fewer where one of the runs exhausts its Krylov space. Threads share each product by ``parts`` of the
    inputs and of the outputs, or by those of `split_rows`.
    """
    pattern = runs[0][0].pattern
    n, m = pattern.shape
    table = np.array([_row(operator, state) for operator, state in runs])
    width = 2 if len(runs) == 1 else 4 if len(runs) == 2 else 8
    sums = runs[0][1].work_space(ROOM_FOR_SUMS + width * (max(n, m) + n + m))
    source = sums + 8 * ROOM_FOR_SUMS
    given = pattern, table, width, source, source + 8 * width * max(n, m), sums, steps
    parts = parts or split_rows(pattern)
    taken = _advance_by_threads(given, parts) if parts else _advance_alone(given)
    for _, state in runs:
        state.steps += taken


def _advance_alone(given: _Given) -> int:
    pattern, _, width, *_ = given
    memory = _look_up_space(pattern, width, 1)
    share = Share(0, pattern.n_left, 0, pattern.n_right, memory.ctypes.data if memory.size else 0)
    return kernels.advance(*given, share, _alone())


def _advance_by_threads(given: _Given, parts: BothParts) -> int:
    """The steps by threads that wait for each other in compiled code."""
    pattern, _, width, *_ = given
    places = seats(max(map(len, parts)))
    memory = _look_up_space(pattern, width, len(places))
    spaces = [memory.ctypes.data + worker * memory.strides[0] for worker in range(len(places))]
    with waiting_threads() as are_free:
        if are_free:
            shares = [
                Share(rows[0], rows[1], columns[0], columns[1], space)
                for (rows, columns), space in zip(zip_longest(*parts, fillvalue=(0, 0)), spaces, strict=True)
            ]
            calls = [(kernels.advance, *given, share, seat) for share, seat in zip(shares, places, strict=True)]
            taken: int = run_parts(calls, give_up=places[0].free_all)[0]
            return taken
    return _advance_alone(given)


def _look_up_space(pattern: Pattern, width: int, workers: int) -> npt.NDArray[np.float64]:
    """Work space of each worker, where the pattern is half-dense."""
    return np.empty((workers, space_for(width, max(pattern.shape)))) if pattern.is_half_dense else _NONE


def _row(operator: PatternOperator, state: LanczosState) -> tuple[int, ...]:
    """A row of the table of runs (`steps`)."""
    terms = operator.terms
    kind = terms.kind | (FOLLOWED if state.is_followed else 0)
    return kind, len(state.basis), state.steps, *state.addresses, *terms.addresses, 0


@cache
def _alone() -> Seat:
    """The place of one who waits for nobody: many may have it at once."""
    return seats(1)[0]


def product(matrix: Matrix, vector: Vector) -> Vector:
    """The product of a pattern, by rows or by columns, with a vector."""
    out = np.empty(matrix.indptr.size - 1)
    kernels.gather(matrix, vector, out)
    return out
