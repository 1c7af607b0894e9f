"""`DenseSolver`: LAPACK on the whole matrix, for graphs small enough to write down."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from topograph.graph import BipartiteGraph
from topograph.spectral.estimate import Estimate
from topograph.spectral.solver import ComponentValues


class DenseSolver:
    """All eigenvalues of the Laplacian and all singular values of B and of its normalised form, by LAPACK.

    The residual of each is LAPACK's backward error bound, N · ε · ‖matrix‖.
    """

    def solve(self, graph: BipartiteGraph) -> ComponentValues:
        """See `Solver.solve`."""
        mask = graph.to_mask(np.float64)
        left, right = graph.left_degrees.astype(np.float64), graph.right_degrees.astype(np.float64)
        laplacian = scipy.linalg.block_diag(np.diag(left), np.diag(right))
        laplacian[: graph.n_left, graph.n_left :] = -mask
        laplacian[graph.n_left :, : graph.n_left] = -mask.T
        eigenvalues = np.linalg.eigvalsh(laplacian)
        sigmas = np.linalg.svd(mask, compute_uv=False)
        normalized = np.linalg.svd(mask / np.sqrt(np.outer(left, right)), compute_uv=False)

        def estimate(value: float, norm: float) -> Estimate:
            return Estimate(float(value), graph.n_nodes * np.finfo(float).eps * float(norm), "dense")

        return ComponentValues(
            connectivity=estimate(eigenvalues[1], eigenvalues[-1]),
            laplacian_top=tuple(estimate(v, eigenvalues[-1]) for v in eigenvalues[:0:-1][:2]),
            sigmas=tuple(estimate(v, sigmas[0]) for v in sigmas[:2]),
            normalized_sigma2=estimate(normalized[1], 1.0) if normalized.size > 1 else Estimate.exact(0, "closed_form"),
        )
