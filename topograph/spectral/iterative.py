"""`IterativeSolver`: Krylov methods on the sparse matrix, for graphs too large to write down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse import linalg

from topograph.graph import BipartiteGraph
from topograph.spectral.dense import DenseSolver
from topograph.spectral.estimate import Estimate
from topograph.spectral.solver import ComponentValues

Vector = npt.NDArray[np.float64]
_SMALLEST = 20  # below this a Krylov space is the whole space


@dataclass(frozen=True)
class IterativeSolver:
    """Implicitly restarted Lanczos (ARPACK) with the known null vector or top singular pair deflated.

    The smallest Laplacian eigenvalue that is left is sought on the matrix itself first, and where that does not
    converge (λ2 ≪ λmax: bands, long cycles) by shift and invert. Every value is accepted only with a residual below
    ``tolerance`` times the value.
    """

    tolerance: float

    def solve(self, graph: BipartiteGraph) -> ComponentValues:
        """See `Solver.solve`."""
        if min(graph.shape) == 1 or graph.n_nodes < _SMALLEST:
            return _star(graph) if min(graph.shape) == 1 else DenseSolver().solve(graph)
        b = graph.biadjacency.astype(np.float64)
        left, right = graph.left_degrees.astype(np.float64), graph.right_degrees.astype(np.float64)
        laplacian = sp.csr_array(sp.block_array([[sp.diags_array(left), -b], [-b.T, sp.diags_array(right)]]))
        scale = sp.diags_array(left**-0.5) @ b @ sp.diags_array(right**-0.5)
        top = np.sqrt(np.concatenate([left, right]) / (2 * graph.n_edges))
        normalized = self._singular(sp.csr_array(scale), known=top)
        return ComponentValues(
            connectivity=self._connectivity(laplacian),
            laplacian_top=self._largest(laplacian),
            sigmas=self._singular_pair(b),
            normalized_sigma2=normalized,
        )

    def _connectivity(self, laplacian: sp.csr_array) -> Estimate:
        n = laplacian.shape[0]
        ones = np.full(n, n**-0.5)
        lift = 2.0 * float(laplacian.diagonal().max())  # at least λmax: lifts the null vector above everything

        def deflated(x: Vector) -> Vector:
            return np.asarray(laplacian @ x + lift * ones * (ones @ x))

        operator = linalg.LinearOperator((n, n), matvec=deflated, dtype=np.float64)
        found = self._eigsh(operator, k=1, which="SA", maxiter=100, ncv=40)
        if found is None:
            shift = -1e-3 * float(laplacian.diagonal().min())
            found = self._eigsh(laplacian, k=2, sigma=shift, which="LM", maxiter=100, ncv=40)
        if found is None:
            return self._failure("algebraic connectivity")
        _values, vectors = found
        x = vectors[:, -1] - ones * (ones @ vectors[:, -1])
        x /= np.linalg.norm(x)
        return self._accept(float(x @ (laplacian @ x)), laplacian @ x, x)

    def _largest(self, laplacian: sp.csr_array) -> tuple[Estimate, ...]:
        found = self._eigsh(laplacian, k=2, which="LA", maxiter=300, ncv=40)
        if found is None:
            return (self._failure("largest Laplacian eigenvalue"),) * 2
        values, vectors = found
        return tuple(self._accept(values[i], laplacian @ vectors[:, i], vectors[:, i]) for i in (1, 0))

    def _singular_pair(self, b: sp.csr_array) -> tuple[Estimate, ...]:
        # B is connected, so σ1 is simple; with its pair lifted away, what is left on top is σ2
        adjacency = _augmented(b)
        found = self._eigsh(adjacency, k=1, which="LA", maxiter=300, ncv=40)
        if found is None:
            return (self._failure("largest singular value"),) * 2
        values, vectors = found
        first = self._accept(values[0], adjacency @ vectors[:, 0], vectors[:, 0])
        return first, self._singular(b, known=vectors[:, 0], sigma1=float(values[0]))

    def _singular(self, b: sp.csr_array, known: Vector, sigma1: float = 1.0) -> Estimate:
        """The largest singular value besides the known top pair, found as an eigenvalue of [[0, B], [Bᵀ, 0]]."""
        adjacency = _augmented(b)
        if b.nnz == b.shape[0] * b.shape[1]:
            return Estimate.exact(0.0, "closed_form")  # complete: rank one

        def deflated(x: Vector) -> Vector:
            return np.asarray(adjacency @ x - sigma1 * known * (known @ x))

        operator = linalg.LinearOperator(adjacency.shape, matvec=deflated, dtype=np.float64)
        found = self._eigsh(operator, k=1, which="LA", maxiter=300, ncv=40)
        if found is None:
            return self._failure("second singular value")
        values, vectors = found
        x = vectors[:, 0]
        return self._accept(float(values[0]), deflated(x), x)

    def _eigsh(self, matrix: Any, **options: Any) -> tuple[Vector, Vector] | None:
        n = matrix.shape[0]
        options["ncv"] = min(options["ncv"], n - 1)
        start = np.random.default_rng(0).standard_normal(n)
        try:
            values, vectors = linalg.eigsh(matrix, v0=start, tol=self.tolerance * 1e-3, **options)
        except (linalg.ArpackNoConvergence, linalg.ArpackError, RuntimeError):
            return None
        order = np.argsort(values)
        return values[order], vectors[:, order]

    def _accept(self, value: float, image: Vector, x: Vector) -> Estimate:
        residual = float(np.linalg.norm(image - value * x))
        if residual > self.tolerance * abs(value):
            return Estimate.failed(
                f"residual {residual:.2g} of the value {value:.6g} is above the tolerance {self.tolerance:g}; "
                "loosen tolerance=, or use method='dense'",
                "iterative",
            )
        return Estimate(float(value), residual, "iterative")

    def _failure(self, what: str) -> Estimate:
        return Estimate.failed(f"{what} did not converge; loosen tolerance=, or use method='dense'", "iterative")


def _augmented(b: sp.csr_array) -> sp.csr_array:
    return sp.csr_array(sp.block_array([[None, b], [b.T, None]]))


def _star(graph: BipartiteGraph) -> ComponentValues:
    """K(1, d): Laplacian eigenvalues 0, 1 (d − 1 times) and d + 1; one singular value, √d."""
    d = graph.n_edges
    spectrum = [d + 1.0] + [1.0] * (d - 1)
    return ComponentValues(
        connectivity=Estimate.exact(spectrum[-1], "closed_form"),
        laplacian_top=tuple(Estimate.exact(v, "closed_form") for v in spectrum[:2]),
        sigmas=(Estimate.exact(d**0.5, "closed_form"),),
        normalized_sigma2=Estimate.exact(0.0, "closed_form"),
    )
