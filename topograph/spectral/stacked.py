r"""`solve_stack`: graphs of one shape with a small side, solved together by matrices of the size of that side.

Let B have m columns, no more than rows, :math:`D_R` the degrees of the columns, and :math:`N_d = B_d^T B_d` count for
each pair of columns the rows of degree d that they share. σ1 and σ2 are roots of eigenvalues of :math:`\sum_d N_d`, and
the normalised gap comes from :math:`D_R^{-1/2} \left(\sum_d N_d / d\right) D_R^{-1/2}`. With the rows eliminated from
L − μ there remains

.. math:: S(\mu) = D_R - \mu - \sum_d \frac{N_d}{d - \mu},

and by Sylvester's law of inertia (Haynsworth 1968) L has as many eigenvalues below a μ that is smaller than all degrees
of rows as S(μ) has negative ones, and as many above a μ that is larger than them as S(μ) has positive ones. The
second smallest eigenvalue of L is at most the smallest degree (Fiedler 1973), and for masks that are much longer than
wide the two largest are above the largest degree of a row. So each of them is the μ at which a certain eigenvalue θ of
S(μ) is 0.

**The interval.** S'(μ) ≤ −I, so that θ falls at least as fast as μ grows: the root is within \|θ(μ)\| of any μ, plus
what rounding can have done to θ, however that μ was come by. Graphs for which the iteration does not end at rounding,
or leaves the range in which this holds, are left to the solvers for one graph.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from topograph.spectral.estimates import Estimates
from topograph.spectral.pattern import Vector
from topograph.stack import Counts, GraphStack

_EPS = float(np.finfo(float).eps)
_LEAST_SQUARE = 1e-9  # squares of singular values below this share of the largest lose too many digits
_STEPS = 3  # of Rayleigh's iteration, which triples the digits each time
_ROUNDS = 14  # until λ2 has settled, to a share of its distance from the nearest degree
_SETTLED = 1e-2
_NUDGE = 1.3e-13  # of the diagonal, so that no matrix is exactly singular at an eigenvalue

LAPLACIAN = {"connectivity": 1, "laplacian_max": -1, "laplacian_second_max": -2}
"""Which eigenvalue of S(μ) has its root there."""


def solve_stack(stack: GraphStack, needed: Collection[str]) -> tuple[npt.NDArray[np.bool_], dict[str, Estimates]]:
    """The ``needed`` values of graphs that are one incomplete component and isolated nodes; which of them are solved.

    The values of the others mean nothing.

    Parameters
    ----------
    stack
        Graphs with a small side.
    needed
        Quantities of connected graphs; see `topograph.spectral.solvers.protocol`.
    """
    problem = _Eliminated.of(stack)
    solved = np.ones(len(stack), dtype=bool)
    values: dict[str, Estimates] = {}

    def add(name: str, value: Vector, residual: Vector) -> None:
        if name in needed:
            values[name] = Estimates.within(value, residual, "dense")

    if {"sigma1", "sigma2"} & set(needed):
        squares = np.linalg.eigvalsh(stack.overlaps)
        first, second = np.sqrt(squares[:, -1]), np.sqrt(np.maximum(squares[:, -2], 0.0))
        solved &= squares[:, -2] > _LEAST_SQUARE * squares[:, -1]
        bound = problem.rounding * squares[:, -1]  # an error of δ in σ² is one of at most δ / σ in σ
        add("sigma1", first, bound / first)
        add("sigma2", second, bound / second)
    if "normalized_gap" in needed:
        square = np.linalg.eigvalsh(problem.normalized)[:, -2]
        solved &= square > _LEAST_SQUARE
        sigma = np.sqrt(np.maximum(square, 0.0))
        add("normalized_gap", 1.0 - sigma, problem.rounding / sigma + _EPS)
    names = [name for name in LAPLACIAN if name in needed]
    if names:
        roots, bounds, certain = problem.roots(names)
        solved &= certain.all(axis=1)
        for place, name in enumerate(names):
            add(name, roots[:, place], bounds[:, place])
    return solved, values


@dataclass(frozen=True, eq=False)
class _Eliminated:
    """What is left of the matrices of a stack when the rows are eliminated.

    Arrays have the axes graph, eigenvalue sought, degree, column, in this order, where they have them.
    """

    columns: Vector
    """Degrees of the columns."""
    degrees: Vector
    """Degrees that rows have, ascending, without 0."""
    shared: Vector
    """N_d for each of them, shape ``(graphs, degrees, columns²)``."""

    @classmethod
    def of(cls, stack: GraphStack) -> _Eliminated:
        rows, columns = stack.sides
        return cls(columns.astype(np.float64), *_shared_rows(stack.masks, rows))

    def take(self, places: Counts) -> _Eliminated:
        """Of the graphs at these places."""
        return _Eliminated(self.columns[places], self.degrees, self.shared[places])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.columns.shape[1])

    @cached_property
    def alive(self) -> npt.NDArray[np.bool_]:
        """Whether the column has an edge."""
        return np.asarray(self.columns > 0)

    @cached_property
    def exist(self) -> npt.NDArray[np.bool_]:
        """Whether the graph has rows of this degree."""
        return np.asarray(self.shared.any(axis=2))

    @property
    def rounding(self) -> float:
        """What forming a matrix and LAPACK's eigenvalues may be off, relative to its norm."""
        return float(4 * self.width**0.5 + self.degrees.size + 4) * _EPS

    @property
    def normalized(self) -> Vector:
        """The squares of the normalised B."""
        scales = np.divide(1.0, np.sqrt(self.columns), out=np.zeros_like(self.columns), where=self.alive)
        squares = (self.shared.transpose(0, 2, 1) @ (1.0 / self.degrees)).reshape(-1, self.width, self.width)
        return np.asarray(squares * scales[:, :, None] * scales[:, None, :])

    @cached_property
    def limits(self) -> tuple[Vector, Vector]:
        """The smallest and the largest degree of the rows that have an edge."""
        lowest = self.degrees[np.argmax(self.exist, axis=1)]
        return lowest, self.degrees[::-1][np.argmax(self.exist[:, ::-1], axis=1)]

    def roots(self, names: Sequence[str]) -> tuple[Vector, Vector, npt.NDArray[np.bool_]]:
        """Eigenvalues of L by graph and name, how far they may be off, and whether that is little and certain."""
        order = np.array([LAPLACIAN[name] for name in names])
        mu, vectors = self._start(order)
        images, _ = self._images(vectors)
        for _ in range(_STEPS):
            mu, vectors, images = self._improved(mu, vectors, images, order)
            mu = self._inside(mu, order)
        poles = self._poles(mu)
        every = np.linalg.eigvalsh(self._matrices(mu, poles, order))
        theta = np.take_along_axis(every, np.where(order > 0, order, self.width + order)[None, :, None], axis=2)
        sums = self.shared.reshape(*self.shared.shape[:2], self.width, self.width).sum(axis=3)
        norms = (np.abs(poles) @ sums + self.columns[:, None] + mu[:, :, None]).max(axis=2)
        noise = self.rounding * norms
        off = np.abs(theta[:, :, 0])
        bounds = off + noise
        low, high = self._range(order)
        return mu, bounds, (off <= 4 * noise) & (mu - bounds > low) & (mu + bounds < high)

    def _range(self, order: Counts) -> tuple[Vector, Vector]:
        """Between which μ an eigenvalue of S has its root at one of L."""
        lowest, highest = (limit[:, None] for limit in self.limits)
        return np.where(order > 0, 0.0, highest), np.where(order > 0, lowest, np.inf)

    def _inside(self, mu: Vector, order: Counts) -> Vector:
        """The same μ, and another one where it has left its range, from where to go on."""
        low, high = self._range(order)
        return np.where((mu > low) & (mu < high), mu, np.where(order > 0, 0.9 * high, 2.0 * low + 1.0))

    def _poles(self, mu: Vector) -> Vector:
        """1 / (d − μ) for the degrees d that a graph has."""
        return np.divide(1.0, self.degrees - mu[:, :, None], out=np.zeros((*mu.shape, self.degrees.size)),
                         where=self.exist[:, None])  # fmt: skip

    def _matrices(self, mu: Vector, poles: Vector, order: Counts) -> Vector:
        """S(μ); columns without an edge get eigenvalues out of the way."""
        matrices = -(poles @ self.shared).reshape(*mu.shape, self.width, self.width)
        away = np.where(order > 0, 1.0, -1.0) * (self.columns.max(axis=1, keepdims=True) + np.abs(mu))
        diagonal = np.where(self.alive[:, None], self.columns[:, None] - mu[:, :, None], away[:, :, None])
        np.einsum("gtii->gti", matrices)[...] += diagonal
        return matrices

    def _start(self, order: Counts) -> tuple[Vector, Vector]:
        """Guesses of the eigenvalues sought, with their vectors of columns."""
        guesses = [self._guess_low()] if (order > 0).any() else []
        if (order < 0).any():
            guesses.append(self._guess_high(order[order < 0]))
        return np.concatenate([mu for mu, _ in guesses], axis=1), np.concatenate([v for _, v in guesses], axis=1)

    def _guess_high(self, order: Counts) -> tuple[Vector, Vector]:
        """By the eigenvectors of S at a bound of the largest eigenvalue: so far from the poles they hardly turn."""
        mu = (self.limits[1] + self.columns.max(axis=1))[:, None]
        _, every = np.linalg.eigh(self._matrices(mu, self._poles(mu), order[:1]))
        vectors = every[:, 0].transpose(0, 2, 1)[:, order]
        mu = mu.repeat(order.size, axis=1)
        value, slope = self._form(mu, vectors, self._images(vectors)[1], self._poles(mu))
        return self._inside(mu + value / slope, order), vectors

    def _guess_low(self) -> tuple[Vector, Vector]:
        """By rounds that come nearer from anywhere, until each graph has settled."""
        lowest = self.limits[0][:, None]
        mu, vectors = 0.75 * lowest, np.empty((len(lowest), 1, self.width))
        rest = np.arange(len(lowest))
        for _ in range(_ROUNDS):
            part = self if rest.size == len(lowest) else self.take(rest)
            before = mu[rest]
            mu[rest], vectors[rest] = part._nearer(before)
            rest = rest[(np.abs(mu[rest] - before) > _SETTLED * (lowest[rest] - mu[rest])).any(axis=1)]
            if not rest.size:
                break
        return mu, vectors

    def _nearer(self, mu: Vector) -> tuple[Vector, Vector]:
        """Towards λ2, by the lowest eigenvectors of S among those which belong to vectors of L that sum to 0."""
        order, diagonal = np.ones(1, dtype=np.int64), np.arange(self.width) * (self.width + 1)
        poles = self._poles(mu)
        matrices = self._matrices(mu, poles, order)[:, 0]
        sums = self.alive + (poles @ self.shared[:, :, diagonal])[:, 0]  # of the vector of L, for each column
        weight = 100 * np.abs(matrices).sum(axis=2).max(axis=1) / (sums**2).sum(axis=1)
        _, every = np.linalg.eigh(matrices + (weight[:, None] * sums)[:, :, None] * sums[:, None, :])
        vectors = every[:, None, :, 0]
        return self._inside(self._before_pole(mu, vectors, self.limits[0][:, None]), order), vectors

    def _before_pole(self, mu: Vector, vectors: Vector, lowest: Vector) -> Vector:
        """Where the quadratic form of S is 0: the nearest pole stays as it is, the other terms are made linear.

        From beyond λ2 this may lead far back, where the vector means nothing: then Rayleigh's quotient is taken.
        """
        forms, poles = self._images(vectors)[1], self._poles(mu)
        share = np.take_along_axis(forms, np.argmax(self.exist, axis=1)[:, None, None], axis=2)[:, :, 0]
        gap = lowest - mu
        value, fall = self._form(mu, vectors, forms, poles)
        ahead, slope = value + share / gap, np.maximum(fall - share / gap**2, 1.0)
        root = np.sqrt((ahead - slope * gap) ** 2 + 4 * slope * share)
        step, quotient = 2 * value * gap / (ahead + slope * gap + root), value / fall
        return mu + np.where((value < 0) & (gap - step > 2 * (gap - quotient)), quotient, step)

    def _images(self, vectors: Vector) -> tuple[Vector, Vector]:
        """N_d times the vectors, and their quadratic forms."""
        count, sought, width = vectors.shape
        blocks = self.shared.reshape(count, -1, width)
        images = (blocks @ vectors.transpose(0, 2, 1)).reshape(count, -1, width, sought).transpose(0, 3, 1, 2)
        return images, (images @ vectors[..., None])[..., 0]

    def _form(self, mu: Vector, vectors: Vector, forms: Vector, poles: Vector) -> tuple[Vector, Vector]:
        """The quadratic form of S(μ), and how fast it falls; μ and their ratio make Rayleigh's quotient of L."""
        squares = vectors * vectors
        norms = squares.sum(axis=2)
        values = (squares @ self.columns[:, :, None])[..., 0] - mu * norms - (poles * forms).sum(axis=2)
        return values, norms + (poles**2 * forms).sum(axis=2)

    def _improved(self, mu: Vector, vectors: Vector, images: Vector, order: Counts) -> tuple[Vector, Vector, Vector]:
        """A step of Rayleigh's iteration on L, from vectors and N_d times them."""
        poles = self._poles(mu)
        matrices = self._matrices(mu, poles, order)
        np.einsum("gtii->gti", matrices)[...] += _NUDGE * mu[:, :, None]
        right = vectors + (poles[:, :, None] ** 2 @ images)[:, :, 0]
        try:
            vectors = np.asarray(np.linalg.solve(matrices, right[..., None])[..., 0], dtype=np.float64)
        except np.linalg.LinAlgError:  # what is reached so far is judged all the same
            return mu, vectors, images
        vectors /= np.abs(vectors).max(axis=2, keepdims=True)
        images, forms = self._images(vectors)
        values, slopes = self._form(mu, vectors, forms, poles)
        return mu + values / slopes, vectors, images


def _shared_rows(masks: Vector, rows: Counts) -> tuple[Vector, Vector]:
    """The positive degrees of rows, and for each the pairs of columns' shared rows: ``(graphs, degrees, columns²)``.

    Floats hold 53 bits: one product counts for several degrees, each in bits of its own.
    """
    count, _, width = masks.shape
    numbers = rows + np.arange(count)[:, None] * (width + 1)
    most = np.bincount(numbers.ravel(), minlength=count * (width + 1)).reshape(count, -1).max(axis=0)
    degrees = np.flatnonzero(most[1:]) + 1
    bits = [int(most[degree]).bit_length() for degree in degrees]
    shared = np.empty((count, degrees.size, width * width))
    done = 0
    while done < degrees.size:
        units, firsts = np.zeros(width + 1), [0]
        while done + len(firsts) <= degrees.size and firsts[-1] + bits[done + len(firsts) - 1] < 53:
            units[degrees[done + len(firsts) - 1]] = 2.0 ** firsts[-1]
            firsts.append(firsts[-1] + bits[done + len(firsts) - 1])
        packed = ((masks * units[rows][:, :, None]).transpose(0, 2, 1) @ masks).astype(np.int64).reshape(count, -1)
        for first in firsts[:-1]:
            shared[:, done] = (packed >> first) & (2 ** bits[done] - 1)
            done += 1
    return degrees.astype(np.float64), shared
