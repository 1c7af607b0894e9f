"""`CellSlopes`: the slope of an outcome on a metric within cells, and its error from leaving clusters out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from analysis.cells import cell_families
from analysis.coefficients import Codes, Deviations, unit_deviations

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]


class CellSlopes:
    """The slope of y on x within cells, with controls, on all rows and with each cluster left out.

    Slopes are changes of y per standard deviation of what cells and controls leave of x. Leaving a cluster out moves
    the means of its cells and the controls' coefficients, so sums of products are kept for each cluster and cell; of
    columns in units of their own and as good as uncorrelated, so that they lose no digits.

    Parameters
    ----------
    x, y
        Shape ``(n,)``: metric and outcome.
    controls
        Shape ``(n, q)``.
    codes, clusters
        Shape ``(n,)``: number of the cell, and of the cluster, of each row, from 0.

    Attributes
    ----------
    whole, error
        The slope on all rows, and its jackknife standard error.
    freedom
        Degrees of freedom of the Student's t behind its interval.
    sd
        Standard deviation of what cells and controls leave of x.
    left_out, undetermined, shares
        For each cluster: the slope without it, whether there is none, and its share of the variation of x.
    """

    def __init__(self, x: Vector, y: Vector, controls: Matrix, codes: Codes, clusters: Codes) -> None:
        columns = Deviations(y, x, controls, codes)
        self.rank = columns.rank
        clusters = np.unique(clusters, return_inverse=True)[1].ravel()
        count = int(clusters.max()) + 1
        w = np.column_stack([columns.controls, columns.x, unit_deviations(y, codes)])
        n, size = w.shape
        upper = np.triu_indices(size)
        parts = np.column_stack([np.ones(n), w, w[:, upper[0]] * w[:, upper[1]]])
        pairs, place = np.unique(np.stack([clusters, codes]), axis=1, return_inverse=True)
        place = place.ravel()
        by_pair = sp.csr_array((np.ones(n), (place, np.arange(n)))) @ parts
        by_cell = sp.csr_array((np.ones(len(place)), (codes, np.arange(n)))) @ parts
        whole = _within(by_cell, size, upper)
        change = _within(by_cell[pairs[1]] - by_pair, size, upper) - whole[pairs[1]]
        moved = np.zeros((count, size, size))
        np.add.at(moved, pairs[0], change)
        total = whole.sum(axis=0)
        (self.whole,), _ = _partial_slopes(total[None], self.rank)
        self.left_out, left = _partial_slopes(total + moved, self.rank)
        self.undetermined = left < 1e-9 * n
        self.shares = 1 - left / n
        spread = np.square(self.left_out - self.whole).sum()
        self.error = float(np.sqrt((count - 1) / count * spread))
        scale = _size(y, codes)
        self.whole, self.error = float(self.whole * scale), self.error * scale
        self.sd = _size(x, codes) * columns.left_of_x
        self.freedom = max(1, count - 1 - cell_families(codes, clusters) - self.rank)


def _size(values: Vector, codes: Codes) -> float:
    """Root mean square of the deviations from the means of the cells."""
    rest = values - values.mean()
    rest = rest - (np.bincount(codes, weights=rest) / np.bincount(codes))[codes]
    largest = float(np.abs(rest).max())
    return largest * float(np.sqrt(np.square(rest / largest).mean())) if largest > 0 else 0.0


def _within(parts: Matrix, size: int, upper: tuple[Codes, Codes]) -> Matrix:
    """Sums of products of deviations from the mean, of rows that hold a count, sums, and sums of products."""
    counts, sums = np.maximum(parts[:, 0], 1.0), parts[:, 1 : size + 1]
    products = np.empty((len(parts), size, size))
    products[:, upper[0], upper[1]] = parts[:, size + 1 :]
    products[:, upper[1], upper[0]] = parts[:, size + 1 :]
    return np.asarray(products - sums[:, :, None] * sums[:, None, :] / counts[:, None, None])


def _partial_slopes(products: Matrix, q: int) -> tuple[Vector, Vector]:
    """Slopes of the last column on the one before, with the first q as controls; and the variation they rest on."""
    rest = products[:, q:, q:]
    if q:
        cross = products[:, :q, q:]
        inverse = np.linalg.pinv(products[:, :q, :q], rcond=1e-10, hermitian=True)
        rest = rest - np.swapaxes(cross, 1, 2) @ inverse @ cross
    left = np.maximum(rest[:, 0, 0], 0.0)
    return np.where(left > 0, rest[:, 0, 1] / np.where(left > 0, left, 1.0), 0.0), left
