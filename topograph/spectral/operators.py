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
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from topograph.spectral import kernels
from topograph.spectral.pattern import Pattern, Vector
from topograph.spectral.threads import Parts, run_parts, split_rows

ROUNDING = 8 * float(np.finfo(float).eps)
"""Allowance for the rounding of a product, relative to the norm of the matrix."""


@dataclass
class Track:
    """The vectors that a run moves along.

    Parameters
    ----------
    vector, work
        The Lanczos vector of the next step times its β, and the same of the last step. They change places.
    other, other_work
        A second pair that follows with the coefficients of the first.
    basis
        ``steps × 2 × size``: ``vector`` and ``other`` as every step found them, while there are rows for them.
    is_followed
        Whether there is a second pair; without it, ``other`` and ``other_work`` are zeros.
    """

    vector: Vector
    work: Vector
    other: Vector
    other_work: Vector
    basis: npt.NDArray[np.float64]
    is_followed: bool = True

    @classmethod
    def of(cls, vector: Vector, other: Vector | None = None, rows: int = 0) -> Track:
        """The start of a run; without ``other`` only zeros follow."""
        basis, empty = np.empty((rows, 2, vector.size)), np.zeros(vector.size)
        if other is None:
            return cls(vector.copy(), empty, np.zeros(vector.size), np.zeros(vector.size), basis, False)
        return cls(vector.copy(), empty, other.copy(), np.zeros(vector.size), basis)

    @property
    def arrays(self) -> tuple[Vector, Vector, Vector, Vector, npt.NDArray[np.float64]]:
        """All of them."""
        return self.vector, self.work, self.other, self.other_work, self.basis

    def turn(self) -> None:
        """What one step does to the names of the vectors."""
        self.vector, self.work = self.work, self.vector
        self.other, self.other_work = self.other_work, self.other


class Operator(Protocol):
    """A symmetric operator that knows how to take Lanczos steps on itself; ``noise`` is the rounding of a product."""

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
        """Edges that a product passes over."""
        ...

    def advance(self, track: Track, known: Vector, alphas: Vector, betas: Vector, first: int, steps: int) -> int:
        """Steps ``first … first + steps − 1``, noted in ``alphas`` and ``betas``; how many there are then.

        See `kernels.advance_lane`. The track is turned once for every step.
        """
        ...


@dataclass(frozen=True)
class Terms:
    """What the compiled steps know of an operator over a pattern.

    Parameters
    ----------
    kind
        `kernels.FULL`, or 0 for an operator over the outputs only.
    diagonals
        Shift, E, E⁻¹ and F of `HalfOperator`; all but the first empty for the full graph, and F empty where it is 1.
    """

    kind: int
    diagonals: tuple[Vector, Vector, Vector, Vector]


_NONE = np.empty(0)


class PatternOperator(Operator, Protocol):
    """An operator whose products are passes over a pattern, which several may share."""

    @property
    def pattern(self) -> Pattern:
        """The pattern."""
        ...

    @property
    def terms(self) -> Terms:
        """What the compiled steps need."""
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
        return Terms(kernels.FULL, (self.diagonal, _NONE, _NONE, _NONE))

    def advance(self, track: Track, known: Vector, alphas: Vector, betas: Vector, first: int, steps: int) -> int:
        """See `Operator.advance`."""
        return first + advance_runs([Run(self, track, known, alphas, betas, first)], steps)


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

    def advance(self, track: Track, known: Vector, alphas: Vector, betas: Vector, first: int, steps: int) -> int:
        """See `Operator.advance`."""
        return first + advance_runs([Run(self, track, known, alphas, betas, first)], steps)


@dataclass(frozen=True)
class Run:
    """The Lanczos run of one lane: what `Operator.advance` takes."""

    operator: PatternOperator
    track: Track
    known: Vector
    alphas: Vector
    betas: Vector
    first: int

    @property
    def kind(self) -> int:
        """See `kernels.FULL`."""
        return self.operator.terms.kind | (kernels.FOLLOWED if self.track.is_followed else 0)


def advance_runs(runs: Sequence[Run], steps: int) -> int:
    """Up to ``steps`` steps of runs on one pattern, which share each pass over it; how many were taken.

    They are fewer where one of the runs exhausts its Krylov space.
    """
    pattern = runs[0].operator.pattern
    parts = split_rows(pattern)
    if parts is not None:
        taken = _advance_in_parts(runs, steps, parts)
    elif len(runs) > 1:
        taken = int(kernels.advance_lanes(*pattern.by_rows, *pattern.by_columns, *_kinds(runs), steps, *_padded(runs)))
    else:
        run, terms = runs[0], runs[0].operator.terms
        taken = int(
            kernels.advance_lane(
                *pattern.by_rows, *pattern.by_columns, run.kind, terms.diagonals[:3], terms.diagonals[3],
                *run.track.arrays, run.known, run.alphas, run.betas, run.first, steps,
            )
        )  # fmt: skip
    if taken % 2:
        for run in runs:
            run.track.turn()
    return taken


def _kinds(runs: Sequence[Run]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return np.array([run.kind for run in runs]), np.array([run.first for run in runs])


def _padded(runs: Sequence[Run]) -> tuple[Any, ...]:
    """What `kernels.advance_lanes` takes of each run: as many of each, whatever the count."""
    padded = [*runs, *[runs[0]] * (kernels.LANES - len(runs))]
    vectors, works, others, other_works, bases = zip(*[run.track.arrays for run in padded], strict=True)
    shifts, inverses, inners, factors = zip(*[run.operator.terms.diagonals for run in padded], strict=True)
    knowns, alphas, betas = zip(*[(run.known, run.alphas, run.betas) for run in padded], strict=True)
    return (shifts, inverses, inners), factors, vectors, works, others, other_works, knowns, bases, alphas, betas


def _advance_in_parts(runs: Sequence[Run], steps: int, parts: tuple[Parts, Parts]) -> int:
    """The loop of `kernels.advance_lanes`, each product shared among threads."""
    pattern, (kinds, firsts) = runs[0].operator.pattern, _kinds(runs)
    terms, factors, vectors, works, others, other_works, *rest = _padded(runs)
    n, m = pattern.n_left, pattern.n_right
    totals, source = np.empty((2 * len(runs), n + m)), kernels.make_source(max(n, m))
    for step in range(steps):
        kernels.spread_right(n, kinds, vectors, others, source)
        run_parts([(kernels.gather_lanes, *pattern.by_rows, source, totals, 0, lo, hi) for lo, hi in parts[0]])
        kernels.spread_left(n, kinds, vectors, others, factors, totals, source)
        run_parts([(kernels.gather_lanes, *pattern.by_columns, source, totals, n, lo, hi) for lo, hi in parts[1]])
        state = vectors, works, others, other_works
        is_exhausted = kernels.finish_lanes(n, kinds, firsts, step, terms, totals, *state, *rest)
        vectors, works, others, other_works = works, vectors, other_works, others
        if is_exhausted:
            return step + 1
    return steps


def product(matrix: tuple[Any, Any, Any], vector: Vector) -> Vector:
    """The product of a pattern, by rows or by columns, with a vector."""
    out = np.empty(matrix[0].size - 1)
    kernels.gather(*matrix, vector, out, 0, out.size)
    return out
