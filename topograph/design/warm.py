"""`WarmSpectrum`: the scores of a graph that changes by a few edges at a time, each from the vectors of the last."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.design.quantities import Modes, Quantity
from topograph.graph import BipartiteGraph
from topograph.metrics.ramanujan import ramanujan_bound

Vector = npt.NDArray[np.float64]

_DENSE = 96  # up to this order, above that of the Krylov space, LAPACK works on the whole matrix
_MODES = 6  # vectors carried from graph to graph; expanders crowd many eigenvalues near the edge
_STRANGERS = 2  # random vectors that join the block for each graph
_DEPTH = 6  # products a round: the block Krylov space has _MODES · (_DEPTH + 1) dimensions
_ROUNDS = 60


class WarmSpectrum:
    """Block Krylov with Rayleigh–Ritz, started from the eigenvectors of the graph before.

    The graphs share sizes and degrees: only the columns of the edges change. After a swap of a few edges the old
    vectors are nearly right, and one or two short rounds restore them; nothing is solved afresh.

    Parameters
    ----------
    graph
        Fixes sizes, degrees, and the order of the edges by row.
    quantity
        What is sought.
    tolerance
        Largest error of the lowest score, relative to the sum of its size and the width of the modes, estimated as
        the squared residual over that width.
    """

    def __init__(self, graph: BipartiteGraph, quantity: Quantity, tolerance: float = 1e-3) -> None:
        self.quantity = quantity
        self.tolerance = tolerance
        self.n, self.m = graph.shape
        self.left = graph.left_degrees.astype(np.float64)
        self.right = graph.right_degrees.astype(np.float64)
        self.bound = ramanujan_bound(graph).value
        with np.errstate(divide="ignore"):
            self.left_scale = np.where(self.left > 0, self.left**-0.5, 0.0)
            self.right_scale = np.where(self.right > 0, self.right**-0.5, 0.0)
        self.matrix = graph.biadjacency.astype(np.float64)
        self.laplacian = quantity.name == "algebraic_connectivity"
        self.order = self.n + self.m if self.laplacian else min(self.n, self.m)
        self.rounds = 0
        if self.laplacian:
            self.known: Vector | None = np.full(self.order, self.order**-0.5)
        elif quantity.name == "normalized_gap":
            degrees = self.right if self.m <= self.n else self.left
            self.known = np.sqrt(degrees / degrees.sum())
        else:
            self.known = None
        self.generator = np.random.default_rng(0)
        self.vectors: Vector = self._clean(self.generator.standard_normal((self.order, _MODES + 1 + _STRANGERS)))

    def modes(self, columns: npt.NDArray[np.int64]) -> Modes:
        """The lowest scores of the graph whose edges, in row order, lead to ``columns``."""
        self.matrix.indices = columns.astype(np.int32)
        return self._assemble(*(self._dense() if self.order <= _DENSE else self._krylov()))

    # ------------------------------------------------------------------ the operator: what is sought is its lowest end

    def _apply(self, x: Vector) -> Vector:
        b = self.matrix
        if self.laplacian:
            top, bottom = x[: self.n], x[self.n :]
            return np.concatenate([self.left[:, None] * top - b @ bottom, self.right[:, None] * bottom - b.T @ top])
        if self.quantity.name == "normalized_gap":
            inner, outer = self.left_scale[:, None], self.right_scale[:, None]
            if self.m <= self.n:
                return np.asarray(-outer * (b.T @ (inner**2 * (b @ (outer * x)))))
            return np.asarray(-inner * (b @ (outer**2 * (b.T @ (inner * x)))))
        return np.asarray(-(b.T @ (b @ x)) if self.m <= self.n else -(b @ (b.T @ x)))

    def _clean(self, x: Vector) -> Vector:
        """Orthonormal columns, free of the known vector."""
        if self.known is not None:
            x = x - np.outer(self.known, self.known @ x)
        return np.linalg.qr(x)[0]

    def _dense(self) -> tuple[Vector, Vector]:
        whole = self._apply(np.eye(self.order))
        if self.known is not None:
            whole += 4 * float(self.left.max() + self.right.max()) * np.outer(self.known, self.known)
        values, vectors = np.linalg.eigh(whole)
        count = max(1, min(_MODES + 1, self.order - (self.known is not None)))
        return values[:count], vectors[:, :count]

    def _krylov(self) -> tuple[Vector, Vector]:
        wanted = 0 if self.known is not None else 1
        # a swap can bring down a mode that the block knows nothing of; random vectors would find it in a step or two
        stranger = self.generator.standard_normal((self.order, _STRANGERS))
        self.vectors = self._clean(np.concatenate([self.vectors[:, :-_STRANGERS], stranger], axis=1))
        for _ in range(_ROUNDS):
            self.rounds += 1
            basis, images = [self.vectors], []
            for _ in range(_DEPTH):
                images.append(self._apply(basis[-1]))
                q = np.concatenate(basis, axis=1)
                fresh = images[-1]
                for _ in range(2):  # normalised in between: what is left of a converged vector is rounding
                    fresh = self._clean(fresh - q @ (q.T @ fresh))
                basis.append(fresh)
            images.append(self._apply(basis[-1]))
            q, image = np.concatenate(basis, axis=1), np.concatenate(images, axis=1)
            small = q.T @ image
            values, turn = np.linalg.eigh((small + small.T) / 2)
            count = self.vectors.shape[1]
            self.vectors = q @ turn[:, :count]
            residual = float(np.linalg.norm(image @ turn[:, wanted] - values[wanted] * self.vectors[:, wanted]))
            width = float(values[count - 1] - values[wanted])
            if residual**2 <= self.tolerance * max(width, residual) * (abs(float(values[wanted])) + width):
                break
        return values[: _MODES + wanted], self.vectors[:, : _MODES + wanted]

    def _assemble(self, values: Vector, vectors: Vector) -> Modes:
        if self.laplacian:
            return Modes(values, vectors[: self.n], vectors[self.n :], 2.0)
        sigma = np.sqrt(np.maximum(-values, 0.0))
        if self.known is None:  # the first is σ1, which no swap may aim at
            sigma, vectors = sigma[1:], vectors[:, 1:]
        safe = np.where(sigma > 0, sigma, 1.0)
        if self.quantity.name == "normalized_gap":
            if self.m <= self.n:
                right = self.right_scale[:, None] * vectors
                left = self.left_scale[:, None] ** 2 * (self.matrix @ right) / safe
            else:
                left = self.left_scale[:, None] * vectors
                right = self.right_scale[:, None] ** 2 * (self.matrix.T @ left) / safe
            return Modes(1.0 - sigma, left, right, 1.0)
        if self.m <= self.n:
            left, right = (self.matrix @ vectors) / safe, vectors
        else:
            left, right = vectors, (self.matrix.T @ vectors) / safe
        return Modes(-sigma / self.bound, left, right, 1.0 / self.bound)
