"""`DenseSolver`: LAPACK on the smallest matrix that has the whole spectrum."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from topograph.spectral.component import Component
from topograph.spectral.estimate import Estimate
from topograph.spectral.pattern import Vector
from topograph.spectral.solvers.protocol import Values, no_second_eigenvalue

_EPS = float(np.finfo(float).eps)
LARGEST_REDUCED = 0.8
"""Order of the reduced Laplacian, relative to that of L, from which the reduction is not worth its time."""


class DenseSolver:
    r"""All eigenvalues of the Laplacian, of B and of the normalised B, by LAPACK, after an exact reduction.

    Let m be the smaller side. The inputs of one degree d enter L only through :math:`R_d` with
    :math:`R_d^T R_d = B_d^T B_d` (a QR factor of their rows), so that

    .. math:: \mathrm{spec}(L) = \mathrm{spec}
        \begin{pmatrix} d I & & -R_d \\ & \ddots & \vdots \\ -R_d^T & \cdots & D_R \end{pmatrix}
        \cup \{ d \text{ with multiplicity } n_d - m \}.

    The intervals are LAPACK's backward error, a modest multiple of ε times the norm of the matrix, which by Weyl's
    inequality bounds the error of every eigenvalue, close and multiple ones included.
    """

    name = "dense"

    def solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """See `Solver.solve`; a value whose error bound is above the tolerance is passed to the inverse solver."""
        values: dict[str, Estimate] = {}
        graph, matrix = component.graph, component.matrix
        n, m = matrix.shape
        left, right = component.degrees if graph.n_left >= graph.n_right else component.degrees[::-1]
        if {"connectivity", "laplacian_max", "laplacian_second_max"} & set(wanted):
            eigenvalues = _laplacian_eigenvalues(matrix, left, right)
            bound = backward_error(n + m, eigenvalues[-1])
            values["connectivity"] = dense_estimate(eigenvalues[1], bound)
            values["laplacian_max"] = dense_estimate(eigenvalues[-1], bound)
            values["laplacian_second_max"] = (
                dense_estimate(eigenvalues[-2], bound) if n + m > 2 else no_second_eigenvalue()
            )
        if {"sigma1", "sigma2"} & set(wanted):
            sigmas = np.linalg.svd(matrix, compute_uv=False)
            values["sigma1"] = dense_estimate(sigmas[0], backward_error(n, sigmas[0]))
            values["sigma2"] = (
                dense_estimate(sigmas[1], backward_error(n, sigmas[0])) if m > 1 else Estimate.exact(0, "dense")
            )
        if "normalized_gap" in wanted:
            values["normalized_gap"] = _normalized_gap(matrix, left, right)
        return {name: values[name] for name in wanted}


def reduced_size(left_degrees: npt.NDArray[np.int64], n_right: int) -> int:
    """Order of the reduced Laplacian for ``n_right`` outputs, no more than the inputs."""
    return int(n_right + np.minimum(np.unique(left_degrees, return_counts=True)[1], n_right).sum())


def _laplacian_eigenvalues(matrix: Vector, left: Vector, right: Vector) -> Vector:
    """All eigenvalues of L in ascending order; of those that are repeated by the reduction, enough copies."""
    n, m = matrix.shape
    degrees, counts = np.unique(left, return_counts=True)
    size = int(m + np.minimum(counts, m).sum())
    if size > LARGEST_REDUCED * (n + m):
        return symmetric_eigenvalues(_laplacian(matrix, left, right))
    factors: list[Vector] = [
        np.asarray(np.linalg.qr(matrix[left == degree], mode="r")) if count > m else matrix[left == degree]
        for degree, count in zip(degrees, counts, strict=True)
    ]
    diagonal = np.repeat(degrees, [factor.shape[0] for factor in factors])
    eigenvalues = symmetric_eigenvalues(_laplacian(np.concatenate(factors), diagonal, right))
    return np.sort(np.concatenate([eigenvalues, np.repeat(degrees, np.minimum(np.maximum(counts - m, 0), 2))]))


def symmetric_eigenvalues(matrix: Vector) -> Vector:
    """Of a symmetric matrix, or of a stack of them, in ascending order."""
    return np.asarray(np.linalg.eigvalsh(matrix), dtype=np.float64)


def _laplacian(matrix: Vector, left: Vector, right: Vector) -> Vector:
    n = left.size
    laplacian = np.diag(np.concatenate([left, right]))
    laplacian[:n, n:] = -matrix
    laplacian[n:, :n] = -matrix.T
    return laplacian


def _normalized_gap(matrix: Vector, left: Vector, right: Vector) -> Estimate:
    if matrix.shape[1] == 1:
        return Estimate.exact(1.0, "dense")
    scaled = matrix / np.sqrt(left)[:, None] / np.sqrt(right)
    return dense_estimate(1.0 - np.linalg.svd(scaled, compute_uv=False)[1], backward_error(matrix.shape[0], 1.0))


def backward_error(order: int, norm: float) -> float:
    """How far LAPACK's eigenvalues and singular values may be off: a modest multiple of ε times the norm."""
    return 4 * _EPS * math.sqrt(order) * float(norm)


def dense_estimate(value: float, bound: float) -> Estimate:
    """A value of LAPACK with its bound."""
    return Estimate(float(value), bound, "dense")
