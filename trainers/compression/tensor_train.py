"""Tensor-train layers: W as a chain of small cores over the factors of n and m."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainers.compression.compression import Compression, Floats


@dataclass(frozen=True)
class TensorTrain:
    """W[(i₁ … i_d), (j₁ … j_d)] = G₁[i₁, j₁] ⋯ G_d[i_d, j_d], matrices of r × r between vectors at both ends.

    An entry is a sum of r^(d − 1) products of d parameters.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    rank: int

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """One core per factor: r × n_k × m_k × r, with 1 in place of the outer r."""
        last = len(self.rows) - 1
        return tuple(
            (self.rank if k else 1, self.rows[k], self.columns[k], 1 if k == last else self.rank)
            for k in range(last + 1)
        )

    def initial(self, variance: float, generator: np.random.Generator) -> list[Floats]:
        """See `Form`."""
        depth = len(self.rows)
        deviation = (variance / self.rank ** (depth - 1)) ** (0.5 / depth)
        return [deviation * generator.standard_normal(shape) for shape in self.shapes]

    def dense(self, parameters: Sequence[Any]) -> Any:
        """See `Form`."""
        matrix = parameters[0][0]  # rows × columns × rank
        for core in parameters[1:]:
            n, m, rank = matrix.shape
            wider = (matrix.reshape(n * m, rank) @ core.reshape(rank, -1)).view(n, m, *core.shape[1:])
            matrix = wider.permute(0, 2, 1, 3, 4).reshape(n * core.shape[1], m * core.shape[2], core.shape[3])
        return matrix[:, :, 0]

    def product(self, x: Any, parameters: Sequence[Any]) -> Any:
        """See `Form`; one core after the other, or by the matrix where this takes fewer multiplications."""
        samples = x.shape[0]
        by_matrix = self.multiplications_of_matrix() + samples * math.prod(self.rows) * math.prod(self.columns)
        if by_matrix < samples * self.multiplications_of_sample():
            return x @ self.dense(parameters)
        state = x.reshape(samples, 1, 1, -1)  # samples × columns so far × rank × rows left
        for core, rows in zip(parameters, self.rows, strict=True):
            state = state.reshape(samples, state.shape[1], state.shape[2], rows, -1)
            state = _contract(state, core)
        return state.reshape(samples, -1)

    def multiplications_of_matrix(self) -> int:
        """Multiplications that it takes to write the matrix out."""
        return sum(
            math.prod(self.rows[: k + 1]) * math.prod(self.columns[: k + 1]) * shape[0] * shape[3]
            for k, shape in enumerate(self.shapes)
            if k
        )

    def multiplications_of_sample(self) -> int:
        """Multiplications that it takes to move one sample through the cores."""
        return sum(
            math.prod(self.columns[: k + 1]) * math.prod(self.rows[k:]) * shape[0] * shape[3]
            for k, shape in enumerate(self.shapes)
        )


def _contract(state: Any, core: Any) -> Any:
    """Sum over rank and one factor of the rows; the factor of the columns joins those so far."""
    samples, columns, rank, rows, rest = state.shape
    flat = state.permute(0, 1, 4, 2, 3).reshape(-1, rank * rows)
    out = flat @ core.reshape(rank * rows, -1)
    out = out.reshape(samples, columns, rest, core.shape[2], core.shape[3]).permute(0, 1, 3, 4, 2)
    return out.reshape(samples, columns * core.shape[2], core.shape[3], rest)


def factors(size: int, parts: int) -> tuple[int, ...]:
    """Factors of a size, as equal as its primes allow, ascending.

    Examples
    --------
    >>> factors(784, 3), factors(300, 3), factors(7, 2)
    ((7, 8, 14), (5, 6, 10), (1, 7))
    """
    result, divisor, primes = [1] * parts, 2, []
    while size > 1:
        while size % divisor == 0:
            primes.append(divisor)
            size //= divisor
        divisor += 1 if divisor * divisor <= size else max(size - divisor, 1)
    for prime in sorted(primes, reverse=True):
        result[result.index(min(result))] *= prime
    return tuple(sorted(result))


def _shapes(n: int, m: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Factors of both sides, large ones of one beside small ones of the other."""
    return [(factors(n, parts), factors(m, parts)[::-1]) for parts in (2, 3, 4)]


def _count(rows: tuple[int, ...], columns: tuple[int, ...], rank: int) -> int:
    return sum(math.prod(shape) for shape in TensorTrain(rows, columns, rank).shapes)


def _least(n: int, m: int) -> int:
    return min(_count(rows, columns, 1) for rows, columns in _shapes(n, m))


def _make(n: int, m: int, budget: int, generator: np.random.Generator) -> TensorTrain:
    best: tuple[int, TensorTrain] | None = None
    for rows, columns in _shapes(n, m):
        rank = 0
        while rank < min(n, m) and _count(rows, columns, rank + 1) <= budget:
            rank += 1
        if rank and (best is None or _count(rows, columns, rank) > best[0]):
            best = _count(rows, columns, rank), TensorTrain(rows, columns, rank)
    assert best is not None  # the budget is at least the fewest parameters of one of them
    return best[1]


TENSOR_TRAIN = Compression(
    "tensor_train",
    "A chain of cores over the factors of n and m, of equal rank: Σ r² n_k m_k parameters, less at both ends.",
    _least,
    _make,
    "Novikov et al. (2015), Tensorizing neural networks",
)
