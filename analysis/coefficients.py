"""Correlation coefficients for each row of weights, so that leaving clusters out is one product of matrices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from analysis.leaving_out import Matrix, Vector, groups_of

_ROUNDING = 1e-12  # variances below this, of columns standardised to 1, are rounding
_BLOCK = 4_000_000
_DENSE = 200_000  # entries up to which the indicators of cells are multiplied as a dense matrix

Codes = npt.NDArray[np.int64]


class Deviations:
    """An outcome and a metric as deviations from the means of their cells, with controls taken out beforehand.

    Correlations for any weights follow from these columns. They are in units of their own and as good as uncorrelated,
    so that no digits are lost, whatever the units, the origins and the collinearity of the columns they come from.

    Parameters
    ----------
    y, x
        Shape ``(n,)``: outcome and metric.
    controls
        Shape ``(n, q)``.
    codes
        Shape ``(n,)``: number of the cell of each row, from 0; zeros for one cell.

    Attributes
    ----------
    left_of_x
        Standard deviation of what the controls leave of the metric, as a share of that within cells.
    """

    def __init__(self, y: Vector, x: Vector, controls: Matrix, codes: Codes) -> None:
        self.codes = codes
        varying = [unit_deviations(column, codes) for column in controls.T]
        basis = np.zeros((len(y), 0))
        if varying:
            left, values, _ = np.linalg.svd(np.column_stack(varying), full_matrices=False)
            solid = values > 1e-9 * max(values[0], 1e-300)
            basis = left[:, solid] * np.sqrt(len(y))
        self.controls = basis
        (self.y, _), (self.x, self.left_of_x) = (self._rest(unit_deviations(values, codes)) for values in (y, x))

    @property
    def rank(self) -> int:
        """The number of controls that vary and are no combinations of others."""
        return int(self.controls.shape[1])

    def _rest(self, values: Vector) -> tuple[Vector, float]:
        """What the controls leave of a column, with mean square 1, and its size before; 0 for rounding only."""
        rest = values
        for _ in range(2):  # the second pass takes out what rounding left in the first
            rest = rest - self.controls @ (self.controls.T @ rest) / len(values)
        size = float(np.sqrt(np.square(rest).mean()))
        return (rest / size, size) if size > 1e-6 else (np.zeros_like(rest), 0.0)

    def _sums_by_cell(self, weights: Matrix, columns: Matrix) -> Matrix:
        """Shape ``(k, sets, cells)``: the weighted sum of each of the k columns in each cell."""
        n, size = columns.shape
        cells = int(self.codes.max()) + 1
        rows = np.arange(n)
        if n * size * cells <= _DENSE:
            spread = np.zeros((n, size, cells))
            spread[rows, :, self.codes] = columns
            sums = weights @ spread.reshape(n, size * cells)
        else:
            places = self.codes[:, None] + cells * np.arange(size)
            matrix = sp.csr_array((columns.ravel(), (np.repeat(rows, size), places.ravel())), (n, size * cells))
            sums = (matrix.T @ weights.T).T
        return np.moveaxis(sums.reshape(len(weights), size, cells), 1, 0)

    def correlation(self, weights: Matrix) -> Vector:
        """Pearson's correlation of what cells and controls leave, for each row of weights.

        Parameters
        ----------
        weights
            Shape ``(sets, n)``.
        """
        columns, products = self._columns()
        sums = self._sums_by_cell(weights, np.column_stack([np.ones(len(columns)), columns]))
        return self._of_sums(sums, weights @ products, weights.sum(axis=1))

    def without(self, clusters: Codes) -> Vector:
        """The correlation without each group of clusters in turn, from its sums: those of all rows less the group's.

        Parameters
        ----------
        clusters
            Shape ``(n,)``: number of the cluster of each row.
        """
        groups = groups_of(clusters)
        columns, products = self._columns()
        columns = np.column_stack([np.ones(len(columns)), columns])
        cells, count = int(self.codes.max()) + 1, int(groups.max()) + 1
        left = len(groups) - np.bincount(groups, minlength=count).astype(float)
        order = np.argsort(groups, kind="stable")
        starts = np.searchsorted(groups[order], np.arange(count + 1))
        total = np.stack([np.bincount(self.codes, weights=column, minlength=cells) for column in columns.T])
        step = max(1, _BLOCK // (cells * columns.shape[1]))
        found = []
        for first in range(0, count, step):
            last = min(first + step, count)
            rows = order[starts[first] : starts[last]]
            places, size = (groups[rows] - first) * cells + self.codes[rows], (last - first) * cells
            sums = np.stack([np.bincount(places, weights=column[rows], minlength=size) for column in columns.T])
            parts = np.add.reduceat(products[rows], starts[first:last] - starts[first], axis=0)
            rest = np.asarray(total[:, None] - sums.reshape(-1, last - first, cells), dtype=np.float64)
            found.append(self._of_sums(rest, products.sum(axis=0) - parts, left[first:last]))
        return np.concatenate(found)

    def _columns(self) -> tuple[Matrix, Matrix]:
        """Controls, outcome and metric, shape ``(n, k)``; and the product of each pair of them."""
        columns = np.column_stack([self.controls, self.y, self.x])
        first, second = np.triu_indices(columns.shape[1])
        return columns, columns[:, first] * columns[:, second]

    def _of_sums(self, sums: Matrix, products: Matrix, total: Vector) -> Vector:
        """Correlations from the counts and sums in each cell, the sums of products and the numbers of rows."""
        counts, rest_of_sums = np.maximum(sums[0], 1e-300), sums[1:]
        size = len(rest_of_sums)
        moments = np.empty((len(total), size, size))
        for place, (i, j) in enumerate(zip(*np.triu_indices(size), strict=True)):
            between = (rest_of_sums[i] * rest_of_sums[j] / counts).sum(axis=1)
            moments[:, i, j] = (products[:, place] - between) / total
            moments[:, j, i] = moments[:, i, j]
        q = self.rank
        cross = moments[:, :q, q:]
        rest = moments[:, q:, q:]
        if q:
            inverse = np.linalg.pinv(moments[:, :q, :q], rcond=1e-10, hermitian=True)
            rest = rest - np.swapaxes(cross, 1, 2) @ inverse @ cross
        return _ratio(rest[:, 0, 1], rest[:, 0, 0], rest[:, 1, 1])


def unit_deviations(values: Vector, codes: Codes) -> Vector:
    """Deviations from the means of the cells, with mean square 1; all 0 where they are nothing but rounding.

    Examples
    --------
    >>> unit_deviations(np.array([1e6, 1e6 + 2, 5.0, 7.0]), np.array([0, 0, 1, 1])).tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    counts = np.bincount(codes)
    middle = values.mean()
    rest = values - middle
    rest = rest - (np.bincount(codes, weights=rest) / counts)[codes]
    largest = float(np.abs(rest).max())
    if largest <= 1e-9 * float(np.abs(values).max()):
        return np.zeros(len(values))
    rest = rest / largest
    return np.asarray(rest / np.sqrt(np.square(rest).mean()))


def spearman(y: Vector, x: Vector, weights: Matrix) -> Vector:
    """Pearson's correlation of the ranks, for each row of weights; ties share their middle rank."""
    total = weights.sum(axis=1, keepdims=True)
    ranks = []
    for values in (y, x):
        distinct, place = np.unique(values, return_inverse=True)
        counts = weights @ sp.csr_array(
            (np.ones(len(values)), (np.arange(len(values)), place)), (len(values), len(distinct))
        )
        middle = np.cumsum(counts, axis=1) - counts / 2
        ranks.append((middle / total)[:, place] - 0.5)
    parts = [(weights * a * b).sum(axis=1) for a, b in ((ranks[0], ranks[1]), (ranks[0],) * 2, (ranks[1],) * 2)]
    return _ratio(*(part / total[:, 0] for part in parts))


def spearman_without(y: Vector, x: Vector, clusters: Codes) -> Vector:
    r"""Spearman's correlation without each group of clusters in turn: `spearman` at those weights, computed faster.

    With m rows left and ties of t rows, centred middle ranks have the sum of squares (m³ − Σ t³)/12.

    Parameters
    ----------
    y, x
        Shape ``(n,)``.
    clusters
        Shape ``(n,)``: number of the cluster of each row.

    Examples
    --------
    >>> spearman_without(np.array([1.0, 2, 3, 0]), np.array([1.0, 2, 3, 9]), np.arange(4)).round(1).tolist()
    [-0.5, -0.5, -0.5, 1.0]
    """
    groups = groups_of(clusters)
    order = np.argsort(x, kind="stable")  # the ranks of x are then in their order, mostly
    groups, count, n = groups[order], int(groups.max()) + 1, len(y)
    left = n - np.bincount(groups, minlength=count).astype(float)
    places, squares = [], []
    for values in (x[order], y[order]):
        distinct, place, ties = np.unique(values, return_inverse=True, return_counts=True)
        places.append(place)
        changed, gone = np.unique(groups * len(distinct) + place, return_counts=True)
        ties = ties.astype(float)
        before = ties[changed % len(distinct)]
        fewer = np.bincount(changed // len(distinct), weights=before**3 - (before - gone) ** 3, minlength=count)
        squares.append((left**3 - ((ties**3).sum() - fewer)) / 12)
    by_group = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[by_group], np.arange(count + 1))
    products, step = np.empty(count), max(1, _BLOCK // n)
    for first in range(0, count, step):
        last = min(first + step, count)
        rows = by_group[starts[first] : starts[last]]
        numbers, ranks = groups[rows] - first, []
        for place in places:
            size = int(place.max()) + 1
            gone = np.bincount(numbers * size + place[rows], minlength=(last - first) * size).reshape(-1, size)
            counts = np.bincount(place, minlength=size) - gone
            middle = np.cumsum(counts, axis=1) - (counts + left[first:last, None]) / 2
            ranks.append(middle if size == n and place is places[0] else middle[:, place])
        own = np.bincount(numbers, weights=ranks[0][numbers, rows] * ranks[1][numbers, rows], minlength=last - first)
        products[first:last] = np.einsum("gi,gi->g", *ranks) - own
    parts = (products, *squares)
    return _ratio(*(part / left**3 for part in parts))


def kendall(y: Vector, x: Vector, weights: Matrix) -> Vector:
    """Kendall's τ-b for each row of weights; copies of a row are tied pairs."""
    sums = np.zeros((3, len(weights)))
    for columns in np.array_split(np.arange(len(y)), max(1, len(y) ** 2 // _BLOCK)):
        orders = [np.sign(values[:, None] - values[columns]) for values in (y, x)]
        for place, (first, second) in enumerate(((0, 1), (0, 0), (1, 1))):
            sums[place] += ((weights @ (orders[first] * orders[second])) * weights[:, columns]).sum(axis=1)
    pairs = weights.sum(axis=1) ** 2
    return _ratio(sums[0] / pairs, sums[1] / pairs, sums[2] / pairs)


def ranks_within(values: pd.Series, codes: Codes) -> Vector:
    """Ranks within each cell; ties share their middle rank."""
    return np.asarray(values.groupby(codes).rank(), dtype=float)


def _ratio(covariance: Vector, first: Vector, second: Vector) -> Vector:
    """The correlation; NaN where either variance is nothing but rounding."""
    solid = (first > _ROUNDING) & (second > _ROUNDING)
    product = np.where(solid, first * second, 1.0)
    return np.where(solid, np.clip(covariance / np.sqrt(product), -1, 1), np.nan)
