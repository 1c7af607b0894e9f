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

import math
from collections.abc import Callable
from dataclasses import dataclass, field
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
    """

    vector: Vector
    work: Vector
    other: Vector
    other_work: Vector
    basis: npt.NDArray[np.float64]

    @classmethod
    def of(cls, vector: Vector, other: Vector | None = None, rows: int = 0) -> Track:
        """The start of a run; without ``other`` only zeros follow."""
        other = np.zeros(vector.size) if other is None else other.copy()
        empty = np.zeros(vector.size)
        return cls(vector.copy(), empty, other, empty.copy(), np.empty((rows, 2, vector.size)))

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

        See `kernels.advance_full`. The track is turned once for every step.
        """
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

    def advance(self, track: Track, known: Vector, alphas: Vector, betas: Vector, first: int, steps: int) -> int:
        """See `Operator.advance`."""
        rows, columns = self.pattern.by_rows, self.pattern.by_columns
        parts = split_rows(self.pattern)
        if parts is None:
            return _turned(
                track, first,
                kernels.advance_full(
                    *rows, *columns, self.diagonal, -1.0, track.vector, track.work, known,
                    track.other, track.other_work, track.basis, alphas, betas, first, steps,
                ),
            )  # fmt: skip
        n = self.pattern.n_left
        totals = np.empty((2, self.size))

        def product(v: Vector, other: Vector) -> Any:
            _gather(parts[0], rows, v[n:], other[n:], None, totals[:, :n])
            _gather(parts[1], columns, v[:n], other[:n], None, totals[:, n:])
            return totals

        return _advance(
            product,
            lambda *vectors: kernels.finish_full(self.diagonal, -1.0, *vectors),
            lambda *vectors: kernels.follow_full(self.diagonal, -1.0, *vectors),
            track, known, None, alphas, betas, first, steps,
        )  # fmt: skip


@dataclass(frozen=True)
class HalfOperator:
    """``shift − E Bᵀ F B`` over the outputs, self-adjoint in the inner product with weights E⁻¹; a diagonal shift."""

    pattern: Pattern
    factor: Vector = field(repr=False)
    inverse: Vector = field(repr=False)
    inner: Vector | None = field(repr=False)
    shift: Vector = field(repr=False)
    noise: float

    @classmethod
    def gram(cls, pattern: Pattern) -> HalfOperator:
        """−BᵀB."""
        ones = np.ones(pattern.n_right)
        noise = ROUNDING * float(pattern.left.max() * pattern.right.max())
        return cls(pattern, np.ones(pattern.n_left), ones, None, np.zeros(pattern.n_right), noise)

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
        return cls(pattern, np.ones(pattern.n_left), 1.0 / inner, inner, shift, noise)

    @property
    def size(self) -> int:
        """Number of outputs."""
        return self.pattern.n_right

    @property
    def cost(self) -> int:
        """See `Operator.cost`."""
        return self.pattern.n_edges

    def advance(self, track: Track, known: Vector, alphas: Vector, betas: Vector, first: int, steps: int) -> int:
        """See `Operator.advance`."""
        rows, columns = self.pattern.by_rows, self.pattern.by_columns
        inner = np.ones(self.size) if self.inner is None else self.inner
        parts = split_rows(self.pattern)
        if parts is None:
            return _turned(
                track, first,
                kernels.advance_half(
                    *rows, *columns, self.factor, self.inverse, inner, self.shift, -1.0, track.vector, track.work,
                    known, track.other, track.other_work, track.basis, alphas, betas, first, steps,
                ),
            )  # fmt: skip
        middles, totals = np.empty((2, self.pattern.n_left)), np.empty((2, self.size))

        def product(v: Vector, other: Vector) -> Any:
            _gather(parts[0], rows, v, other, None, middles)
            _gather(parts[1], columns, middles[0], middles[1], self.factor, totals)
            return totals

        return _advance(
            product,
            lambda *vectors: kernels.finish_half(self.shift, -1.0, self.inverse, inner, *vectors),
            lambda *vectors: kernels.follow_half(self.shift, -1.0, self.inverse, inner, *vectors),
            track, known, inner, alphas, betas, first, steps,
        )  # fmt: skip


def _turned(track: Track, first: int, reached: int) -> int:
    if (reached - first) % 2:
        track.turn()
    return int(reached)


def _gather(parts: Parts, matrix: Any, first: Vector, second: Vector, factor: Vector | None, out: Any) -> None:
    """The products with two vectors, each entry times its ``factor`` where there is one, shared among threads."""
    both = np.empty(2 * first.size)
    kernels.interleave(first, second, factor, both)
    run_parts([(kernels.gather_pair, *matrix, both, out[0], out[1], lo, hi) for lo, hi in parts])


def _advance(
    product: Callable[[Vector, Vector], Any],
    finish: Callable[..., Any],
    follow: Callable[..., float],
    track: Track,
    known: Vector,
    inner: Vector | None,
    alphas: Vector,
    betas: Vector,
    first: int,
    steps: int,
) -> int:
    """The loop of `kernels.advance_full` where each product is shared among threads."""
    for j in range(first, first + steps):
        scale = 1.0 / betas[j]
        carry = betas[j] / betas[j - 1] if j else 0.0
        vector, work, other, other_work = track.vector, track.work, track.other, track.other_work
        kernels.keep(track.basis, j, vector, other)
        totals = product(vector, other)
        a, p, q = finish(totals[0], vector, work, known, scale, carry)
        alphas[j] = a
        norm = kernels.update(work, vector, known, a * scale, p - a * q, inner, 0, work.size)
        if norm < kernels.CANCELLED * (a * a + (betas[j] ** 2 if j else 0.0)):
            norm = kernels.cleanse(work, vector, known, scale, inner)
        betas[j + 1] = math.sqrt(norm)
        share = follow(totals[1], other, other_work, known, scale, carry, a)
        kernels.remove(other_work, known, share)
        track.turn()
        if betas[j + 1] <= 1e-14 * (abs(a) + (betas[j] if j else 0.0)):
            return j + 1
    return first + steps


def product(matrix: tuple[Any, Any, Any], vector: Vector) -> Vector:
    """The product of a pattern, by rows or by columns, with a vector."""
    out = np.empty(matrix[0].size - 1)
    kernels.gather(*matrix, vector, out, 0, out.size)
    return out
