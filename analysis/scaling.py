"""`Standardised`: a regression's design in units of its own, so that no result depends on the units of a column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
_DEPENDENT = 1e-9  # singular values below this share of the largest are rounding
_NEARLY = 1e-4  # below this share, normal equations would lose half of the digits


@dataclass(frozen=True, eq=False)
class Standardised:
    """A design whose columns are centred and scaled, an orthogonal basis of them, and the way back.

    Parameters
    ----------
    columns
        Shape ``(n, p)``: the design, each varying column with mean 0 and variance 1 where it has an intercept; each
        with mean square 1 where not. A column that does not vary beside the intercept is 0.
    basis
        Shape ``(p, r)``, of the rank r of the columns: ``columns @ basis`` is what models are fitted on. The identity
        where that is safe, else it makes orthogonal columns of variance 1.
    back
        Shape ``(p, p)``: coefficients of the columns → coefficients of the design.
    known
        Shape ``(p,)``: whether a coefficient is determined; False where a column is a combination of others.
    level
        Shape ``(p,)``: coefficients that make the design 1 in every row; None where it cannot.
    """

    columns: Matrix
    basis: Matrix
    back: Matrix
    known: npt.NDArray[np.bool_]
    level: Vector | None

    @classmethod
    def of(cls, design: Matrix) -> Standardised:
        """Standardise a design of shape ``(n, p)``.

        Examples
        --------
        >>> x = np.array([1.0, 2.0, 4.0])
        >>> small, large = (Standardised.of(np.column_stack([np.ones(3), v])) for v in (x, 1e9 * x + 1e12))
        >>> np.allclose(small.columns, large.columns)
        True
        >>> Standardised.of(np.column_stack([np.ones(3), x, 2 * x])).known.tolist()
        [True, False, False]
        """
        n, p = design.shape
        constant = np.array([_is_level(column) for column in design.T], dtype=bool)
        whole = [j for j in range(p) if constant[j] and design[0, j] != 0]
        columns, back = np.array(design, dtype=float), np.eye(p)
        for j in range(p):
            if whole and j == whole[0]:
                columns[:, j] = 1.0
                back[j, j] = 1 / design[0, j]
                continue
            middle = float(design[:, j].mean()) if whole else 0.0
            deviations = design[:, j] - middle
            scale = float(np.sqrt(np.square(deviations / (np.abs(deviations).max() or 1.0)).mean()))
            scale *= float(np.abs(deviations).max())
            if constant[j] and whole:
                columns[:, j], scale = 0.0, max(abs(middle), 1e-300)
            elif scale == 0:
                columns[:, j], scale = 0.0, 1.0
            else:
                columns[:, j] = deviations / scale
            back[j, j] = 1 / scale
            if whole:
                back[whole[0], j] = -middle / scale / design[0, whole[0]]
        _, values, directions = np.linalg.svd(columns, full_matrices=False)
        if n < p:
            _, values, directions = np.linalg.svd(np.vstack([columns, np.zeros((p - n, p))]), full_matrices=False)
        solid = values > _DEPENDENT * values[0]
        null = directions[~solid].T
        spread = np.abs(back) @ np.abs(null)
        known = ~(np.abs(back @ null) > 1e-7 * np.maximum(spread, np.abs(np.diag(back))[:, None])).any(axis=1)
        if solid.all() and values[-1] > _NEARLY * values[0]:
            basis = np.eye(p)
        else:
            basis = directions[solid].T / values[solid] * np.sqrt(n)
        return cls(columns, basis, back, known, _level(design, columns @ basis, back @ basis, whole))

    @property
    def regressors(self) -> Matrix:
        """Shape ``(n, r)``: the columns that models are fitted on; together they span the design."""
        return np.asarray(self.columns @ self.basis)

    def coefficients(self, values: Vector) -> Vector:
        """From coefficients of the regressors to those of the design; NaN where they are not determined."""
        return np.where(self.known, self.back @ (self.basis @ values), np.nan)

    def covariance(self, values: Matrix) -> Matrix:
        """From the covariance of the regressors' coefficients to that of the design's."""
        turn = self.back @ self.basis
        both = self.known[:, None] & self.known[None, :]
        return np.where(both, turn @ values @ turn.T, np.nan)

    def shifts(self, outcome: Vector, codes: npt.NDArray[np.int64]) -> Matrix:
        """Least-squares coefficients of the regressors without each cluster, less those on all rows.

        With an orthonormal basis Q of the regressors and residuals e, leaving out the rows g moves the coefficients by
        −(I − Q_g' Q_g)⁻¹ Q_g' e_g. A direction that only the rows g know stays where it is.

        Parameters
        ----------
        outcome
            Shape ``(n,)``.
        codes
            Shape ``(n,)``: number of the cluster of each row, from 0.

        Returns
        -------
        numpy.ndarray
            Shape ``(clusters, r)``.

        Examples
        --------
        >>> design = Standardised.of(np.column_stack([np.ones(3), [0.0, 1.0, 2.0]]))
        >>> shifts = design.shifts(np.array([0.0, 1.0, 5.0]), np.arange(3))
        >>> (shifts @ (design.back @ design.basis).T)[:, 1].round(6) + 0
        array([ 1.5,  0. , -1.5])
        """
        regressors = self.regressors
        basis, triangle = np.linalg.qr(regressors)
        rest = outcome - basis @ (basis.T @ outcome)
        order = np.argsort(codes, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(codes))[:-1])
        grams = np.array([basis[part].T @ basis[part] for part in parts])
        own = np.array([basis[part].T @ rest[part] for part in parts])
        values, vectors = np.linalg.eigh(np.eye(basis.shape[1]) - grams)
        solid = values > _DEPENDENT
        inverse = np.where(solid, 1 / np.where(solid, values, 1.0), 0.0)
        rows = -np.einsum("gij,gj->gi", vectors, inverse * np.einsum("gij,gi->gj", vectors, own))
        return np.asarray(np.linalg.solve(triangle, rows.T).T)


def _level(design: Matrix, regressors: Matrix, turn: Matrix, whole: list[int]) -> Vector | None:
    if whole:
        return np.asarray(np.eye(design.shape[1])[whole[0]] / design[0, whole[0]])
    ones = np.ones(len(design))
    weights = np.linalg.lstsq(regressors, ones, rcond=None)[0]
    return np.asarray(turn @ weights) if np.abs(regressors @ weights - ones).max() < 1e-9 else None


def _is_level(values: Vector) -> bool:
    return bool(np.ptp(values) <= 1e-9 * max(1e-300, float(np.abs(values).max())))
