"""`WarmSpectrum`: the scores of a graph that changes by a few edges at a time, each from the vectors of the last."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.design.quantities import Modes, Quantity

Vector = npt.NDArray[np.float64]

_DENSE = 96  # up to this order, above that of the Krylov space, LAPACK works on the whole matrix
_MODES = 6  # vectors carried from graph to graph; expanders crowd many eigenvalues near the edge
_STRANGERS = 2  # random vectors that join the block for each graph
_DEPTH = 6  # products per round: the block Krylov space has _MODES · (_DEPTH + 1) dimensions
_ROUNDS = 60


class WarmSpectrum:
    """Block Krylov with Rayleigh–Ritz, started from the eigenvectors of the graph before.

    The graphs share sizes and degrees: only the columns of the edges change. After a swap of a few edges the old
    vectors are nearly right, and one or two short rounds restore them; nothing is solved afresh.

    Parameters
    ----------
    quantity
        What is sought, on the graphs with given sizes and degrees.
    tolerance
        Largest error of the lowest score, relative to the sum of its size and the width of the modes, estimated as
        the squared residual over that width.
    """

    def __init__(self, quantity: Quantity, tolerance: float = 1e-3) -> None:
        self.quantity = quantity
        self.tolerance = tolerance
        self.generator = np.random.default_rng(0)
        self.vectors: Vector = self._clean(self.generator.standard_normal((quantity.order, _MODES + 1 + _STRANGERS)))

    def modes(self, columns: npt.NDArray[np.int64]) -> Modes:
        """The lowest scores of the graph whose edges, in row order, lead to ``columns``."""
        self.quantity.move(columns)
        return self.quantity.modes(*(self._dense() if self.quantity.order <= _DENSE else self._krylov()))

    def _clean(self, x: Vector) -> Vector:
        """Orthonormal columns, free of the known vector."""
        known = self.quantity.known
        if known is not None:
            x = x - np.outer(known, known @ x)
        return np.linalg.qr(x)[0]

    def _dense(self) -> tuple[Vector, Vector]:
        order, known = self.quantity.order, self.quantity.known
        whole = self.quantity.operator(np.eye(order))
        if known is not None:  # moved above the whole spectrum
            whole += (1.0 + 2.0 * float(np.abs(whole).sum(axis=1).max())) * np.outer(known, known)
        values, vectors = np.linalg.eigh(whole)
        count = max(1, min(_MODES + 1, order - (known is not None)))
        return values[:count], vectors[:, :count]

    def _krylov(self) -> tuple[Vector, Vector]:
        order = self.quantity.order
        wanted = 0 if self.quantity.known is not None else 1
        # a swap can bring down a mode that the block knows nothing of; random vectors would find it in a step or two
        stranger = self.generator.standard_normal((order, _STRANGERS))
        self.vectors = self._clean(np.concatenate([self.vectors[:, :-_STRANGERS], stranger], axis=1))
        for _ in range(_ROUNDS):
            basis, images = [self.vectors], []
            for _ in range(_DEPTH):
                images.append(self.quantity.operator(basis[-1]))
                q = np.concatenate(basis, axis=1)
                fresh = images[-1]
                for _ in range(2):  # normalised in between: what is left of a converged vector is rounding
                    fresh = self._clean(fresh - q @ (q.T @ fresh))
                basis.append(fresh)
            images.append(self.quantity.operator(basis[-1]))
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
