"""Rotating masks, recognised from the mask in one pass and solved through the Fourier transform."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph, Indices
from topograph.spectral.estimate import Estimate
from topograph.spectral.pattern import Pattern, Vector
from topograph.spectral.solvers.protocol import Values

_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Rotation:
    """``n_left = turns · n_right`` inputs, each connected to the ``offsets`` shifted by its own number.

    Parameters
    ----------
    n_right
        Number of outputs m; shifts are modulo m.
    turns
        n / m, a whole number q.
    offsets
        The outputs of input 0, ascending; k of them.
    """

    n_right: int
    turns: int
    offsets: npt.NDArray[np.int64]

    @property
    def n_components(self) -> int:
        """Gcd of m and all differences of offsets."""
        return int(np.gcd.reduce(np.concatenate([[self.n_right], np.diff(self.offsets)])))


def recognise_rotation(graph: BipartiteGraph) -> Rotation | None:
    """The mask (or its transpose) as a rotation, or None; mostly decided by the first two rows."""
    n, m = graph.shape
    if n % m == 0:
        found = _recognise(graph)
        if found is not None:
            return found
    if m % n == 0 and m != n and graph.n_edges % m == 0:
        degree = graph.n_edges // m
        # the transpose has to be right-regular, and the first two inputs already show most that are not
        if degree and (graph.right_degrees == degree).all():
            return _recognise(graph.transpose())
    return None


def _recognise(graph: BipartiteGraph) -> Rotation | None:
    n, m = graph.shape
    degree = int(graph.indptr[1])
    if degree == 0 or graph.n_edges != n * degree or m == 1:
        return None
    if n > 1 and not _follows(graph.indices[None, :degree], graph.indices[None, degree : 2 * degree], m):
        return None
    if (graph.left_degrees != degree).any():
        return None
    rows = graph.indices.reshape(n, degree)
    block = max(1, 250_000 // degree)  # rows at a time, so that they stay in the cache
    for first in range(0, n - 1, block):
        last = min(first + block, n - 1)
        if not _follows(rows[first:last], rows[first + 1 : last + 1], m):
            return None
    return Rotation(m, n // m, rows[0].astype(np.int64))


def _follows(rows: Indices, following: Indices, m: int) -> bool:
    """Whether each of ``following`` is the row before it shifted by one, modulo m."""
    if rows.shape != following.shape:
        return False
    other = np.flatnonzero(((following - rows) != 1).any(axis=1))  # all but these are the row before them plus 1
    if not other.size:
        return True
    before, after = rows[other], following[other]
    return bool(
        (before[:, -1] == m - 1).all() and (after[:, 0] == 0).all() and (after[:, 1:] == before[:, :-1] + 1).all()
    )


def likely_gap(pattern: Pattern) -> float | None:
    """About λ2, below the degree, where the first inputs, and so perhaps all, are a rotation; None where they are not.

    By the formula of `rotation_values`, which holds for a whole number of turns q, at q = n / m. Only a place to begin.
    """
    n, m = pattern.n_left, pattern.n_right
    k = int(pattern.indptr[1])
    if pattern.is_weighted or n < 4 or not (np.diff(pattern.indptr[:5]) == k).all():
        return None
    rows = pattern.indices[: 4 * k].reshape(4, k).astype(np.int64)
    if not _follows(rows[:-1], rows[1:], m):
        return None
    base = np.zeros(m)
    base[rows[0]] = 1.0
    power = float(np.max(np.abs(np.fft.rfft(base)[1:]) ** 2))
    q = n / m
    top = (1 + q) * k
    gap = 2 * q * (k * k - power) / (top + math.sqrt(((q - 1) * k) ** 2 + 4 * q * power))
    return gap if 0 < gap < k else None


def rotation_values(rotation: Rotation) -> Values:
    r"""Every quantity of the whole graph, by the discrete Fourier transform of the base row.

    With :math:`\hat c_t` the transform, :math:`\delta_t = k^2 - |\hat c_t|^2`, and t ranging over the frequencies where
    :math:`\delta_t \ne 0` (all but the multiples of m over the number of components):

    .. math::
        \lambda_t^\pm = \tfrac12 \Big[(1+q) k \pm \sqrt{(q-1)^2 k^2 + 4 q |\hat c_t|^2}\Big], \qquad
        \sigma_t = \sqrt q\, |\hat c_t|, \qquad
        \delta_t = 4 \sum_{\{d, d'\}} \sin^2 \frac{\pi t (d - d')}{m}.

    The sum of squares has no cancellation, so a gap of 10⁻⁸ is as accurate as one of 1. The intervals allow for the
    rounding of these formulas.
    """
    q = rotation.turns
    k = rotation.offsets.size
    parts = rotation.n_components
    found = _strongest_frequency(rotation)

    def rounded(value: float) -> Estimate:
        return Estimate(value, 16 * _EPS * abs(value), "closed_form")

    def exact(value: float) -> Estimate:
        return Estimate.exact(value, "closed_form")

    top = (1 + q) * k
    adjacency = rounded(math.sqrt(q) * k)
    if found is None:  # each component is a single turn of one output: a star, or a single edge
        gap = second = second_sigma = normalized = None
    else:
        delta, c = found
        root = math.hypot((q - 1) * k, 2 * math.sqrt(q) * c)
        gap, second = rounded(2 * q * delta / (top + root)), rounded((top + root) / 2)
        # where c is small it comes from the transform, whose error is relative to k
        second_sigma = Estimate(math.sqrt(q) * c, 16 * _EPS * math.sqrt(q) * k, "closed_form")
        normalized = rounded(delta / (k * k) / (1 + c / k))
        adjacency = rounded(math.sqrt(q) * delta / (k + c))
    star_second = 2.0 if q == 1 else 1.0
    connected_gap = gap or exact(star_second)
    if second is None:
        second = (
            exact(1.0)
            if q > 1
            else Estimate.undefined("the Laplacian of a single edge has only one non-zero eigenvalue")
        )
    sigma1 = rounded(math.sqrt(q) * k)
    if parts > 1:
        second, second_sigma, adjacency = exact(top), sigma1, exact(0.0)
    return {
        "connectivity": connected_gap,
        "laplacian_max": exact(top),
        "laplacian_second_max": second,
        "sigma1": sigma1,
        "sigma2": second_sigma or exact(0.0),
        "normalized_gap": normalized or exact(1.0),
        "adjacency_gap": adjacency,
    }


def _strongest_frequency(rotation: Rotation) -> tuple[float, float] | None:
    """The smallest non-zero δ_t, and the modulus of ĉ_t; None when every frequency has δ_t = 0."""
    m, offsets = rotation.n_right, rotation.offsets
    k = offsets.size
    base = np.zeros(m)
    base[offsets] = 1.0
    power = np.abs(np.fft.rfft(base)) ** 2
    silent = m // rotation.n_components  # multiples of it have δ = 0
    t = np.arange(power.size)
    heard = t % silent != 0
    if not heard.any():
        return None
    best = power[heard].max()
    # the transform decides all but ties, the exact sum among those
    candidates = t[heard & (power >= best - 1e-11 * k * k)]
    if candidates.size > 256:
        candidates = candidates[np.argsort(-power[candidates], kind="stable")[:256]]
    differences, counts = _differences(base, power, m)
    deltas = np.zeros(candidates.size)
    for block in np.array_split(np.arange(differences.size), max(1, differences.size * candidates.size // 2_000_000)):
        turned = (differences[block, None] * candidates) % m
        deltas += counts[block] @ np.sin(np.pi / m * turned) ** 2
    place = int(np.argmin(deltas))
    delta, power_there = 4 * float(deltas[place]), float(power[candidates[place]])
    return delta, math.sqrt(power_there if power_there < k * k / 2 else k * k - delta)


def _differences(base: Vector, power: Vector, m: int) -> tuple[npt.NDArray[np.int64], Vector]:
    """The differences d' − d of unordered pairs of offsets, from 1 to m / 2, and how often each occurs."""
    counts = np.rint(np.fft.irfft(power, m))  # the cyclic autocorrelation: whole numbers
    half = np.arange(1, m // 2 + 1)
    number = counts[half]
    if m % 2 == 0:
        number[-1] /= 2
    return half[number > 0], number[number > 0]
