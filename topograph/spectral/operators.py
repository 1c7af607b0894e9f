"""The symmetric operators whose smallest eigenvalue is sought, as Lanczos steps over a `Pattern`.

============================  ==========================================  =======================================
operator                      matrix                                      smallest eigenvalue, known vector deflated
============================  ==========================================  =======================================
`FullOperator`, sign −1       L = [[D_L, −B], [−Bᵀ, D_R]]                 λ2 (the null vector is constant)
`FullOperator`, sign +1       −[[D_L, B], [Bᵀ, D_R]], similar to −L       −λ_{max−1} (the Perron vector)
`HalfOperator.gram`           −BᵀB                                        −σ2² (the Perron vector)
`HalfOperator.normalized`     I − D_R⁻¹ Bᵀ D_L⁻¹ B, in the inner          1 − σ2² of the normalised B (constant)
                              product of D_R
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

from topograph.spectral import kernels
from topograph.spectral.pattern import Pattern, Vector
from topograph.spectral.threads import run_parts, split_rows

ROUNDING = 8 * float(np.finfo(float).eps)
"""Allowance for the rounding of a product, relative to the norm of the matrix."""


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

    def advance(
        self, vector: Vector, work: Vector, known: Vector, alphas: Vector, betas: Vector, first: int, steps: int
    ) -> int:
        """Steps ``first … first + steps − 1``; see `kernels.advance_full`."""
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

    def advance(
        self, vector: Vector, work: Vector, known: Vector, alphas: Vector, betas: Vector, first: int, steps: int
    ) -> int:
        """See `Operator.advance`."""
        rows, columns = self.pattern.by_rows, self.pattern.by_columns
        parts = split_rows(self.pattern)
        if parts is None:
            return int(
                kernels.advance_full(
                    *rows, *columns, self.diagonal, -1.0, vector, work, known, alphas, betas, first, steps
                )
            )
        n = self.pattern.n_left
        total = np.empty(self.size)

        def step(v: Vector, w: Vector, scale: float, carry: float) -> Any:
            calls = [(kernels.gather, *rows, v[n:], total, lo, hi) for lo, hi in parts[0]]
            calls += [(kernels.gather, *columns, v[:n], total[n:], lo, hi) for lo, hi in parts[1]]
            run_parts(calls)
            return kernels.finish_full(self.diagonal, -1.0, total, v, w, known, scale, carry)

        return _advance(step, vector, work, known, None, alphas, betas, first, steps)


@dataclass(frozen=True)
class HalfOperator:
    """``shift − E Bᵀ F B`` over the outputs, self-adjoint in the inner product with weights E⁻¹."""

    pattern: Pattern
    factor: Vector = field(repr=False)
    inverse: Vector = field(repr=False)
    inner: Vector | None = field(repr=False)
    shift: float
    noise: float

    @classmethod
    def gram(cls, pattern: Pattern) -> HalfOperator:
        """−BᵀB."""
        ones = np.ones(pattern.n_right)
        noise = ROUNDING * float(pattern.left.max() * pattern.right.max())
        return cls(pattern, np.ones(pattern.n_left), ones, None, 0.0, noise)

    @classmethod
    def normalized(cls, pattern: Pattern) -> HalfOperator:
        """I − D_R⁻¹ Bᵀ D_L⁻¹ B."""
        return cls(pattern, 1.0 / pattern.left, 1.0 / pattern.right, pattern.right, 1.0, ROUNDING)

    @property
    def size(self) -> int:
        """Number of outputs."""
        return self.pattern.n_right

    @property
    def cost(self) -> int:
        """See `Operator.cost`."""
        return self.pattern.n_edges

    def advance(
        self, vector: Vector, work: Vector, known: Vector, alphas: Vector, betas: Vector, first: int, steps: int
    ) -> int:
        """See `Operator.advance`."""
        rows, columns = self.pattern.by_rows, self.pattern.by_columns
        middle = np.empty(self.pattern.n_left)
        inner = np.ones(self.size) if self.inner is None else self.inner
        parts = split_rows(self.pattern)
        if parts is None:
            return int(
                kernels.advance_half(
                    *rows, *columns, self.factor, self.inverse, inner, self.shift, -1.0,
                    vector, work, middle, known, alphas, betas, first, steps,
                )
            )  # fmt: skip

        total = np.empty(self.size)

        def step(v: Vector, w: Vector, scale: float, carry: float) -> Any:
            run_parts([(kernels.scaled_gather, *rows, self.factor, v, middle, lo, hi) for lo, hi in parts[0]])
            run_parts([(kernels.gather, *columns, middle, total, lo, hi) for lo, hi in parts[1]])
            return kernels.finish_half(self.shift, -1.0, self.inverse, inner, total, v, w, known, scale, carry)

        return _advance(step, vector, work, known, inner, alphas, betas, first, steps)


def _advance(
    step: Callable[[Vector, Vector, float, float], Any],
    vector: Vector,
    work: Vector,
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
        a, p, q = step(vector, work, scale, carry)
        alphas[j] = a
        norm = kernels.update(work, vector, known, a * scale, p - a * q, inner, 0, work.size)
        if norm < kernels.CANCELLED * (a * a + (betas[j] ** 2 if j else 0.0)):
            norm = kernels.cleanse(work, vector, known, scale, inner)
        betas[j + 1] = math.sqrt(norm)
        vector, work = work, vector
        if betas[j + 1] <= 1e-14 * (abs(a) + (betas[j] if j else 0.0)):
            return j + 1
    return first + steps
