"""`mean_of_cells`: a correlation in each cell, and the mean over cells with its error from leaving clusters out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy import stats

from analysis.cells import cell_families
from topograph.errors import InsufficientDataError

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
_BLOCK = 4_000_000  # numbers held at a time


@dataclass(frozen=True)
class CellEstimate:
    """The correlation in one cell, the position of a row of it, and its numbers of rows and clusters."""

    row: int
    estimate: float
    n: int
    n_clusters: int


@dataclass(frozen=True)
class CellMean:
    """The correlations of the cells that have one; ``summary`` holds their mean, its interval and its p-value."""

    cells: tuple[CellEstimate, ...]
    summary: dict[str, float]


def mean_of_cells(
    values: Matrix,
    codes: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    method: str,
    *,
    least: int = 4,
    confidence: float = 0.95,
) -> CellMean:
    """The correlation of the first two columns in each cell, the others held fixed, and the mean over cells.

    Parameters
    ----------
    values
        Shape ``(n, 2 + controls)``: outcome, metric and controls.
    codes, clusters
        Shape ``(n,)``: number of the cell, and of the cluster, of each row.
    method
        ``"spearman"`` or ``"pearson"``.
    least
        Fewest clusters, beyond the number of controls, in a cell that counts.
    confidence
        Coverage of the interval.

    Raises
    ------
    InsufficientDataError
        When no cell has a correlation.

    Examples
    --------
    >>> values = np.array([[0, 0], [1, 1], [2, 3], [3, 2.0]])
    >>> mean_of_cells(values, np.zeros(4, dtype=int), np.arange(4), "spearman").cells[0].estimate
    0.8
    """
    cells: list[CellEstimate] = []
    without: dict[int, float] = {}  # cluster → the change of the cells' correlations when it is left out
    members: list[int] = []
    least += values.shape[1] - 2
    for code in np.unique(codes):
        places = np.flatnonzero(codes == code)
        part, names = values[places], np.unique(clusters[places])
        if len(names) < least:
            continue
        estimate = _correlation(part, method)
        if np.isnan(estimate):
            continue
        members.append(int(code))
        cells.append(CellEstimate(int(places[0]), estimate, len(part), len(names)))
        for cluster, again in zip(names, _without_each(part, clusters[places], method), strict=True):
            without[cluster] = without.get(cluster, 0.0) + (0.0 if np.isnan(again) else again - estimate)
    if not cells:
        raise InsufficientDataError(
            f"no cell has a correlation: at least {least} clusters in a cell and some variation are needed"
        )
    used = np.isin(codes, members)
    estimates = np.array([cell.estimate for cell in cells])
    shifts = np.array(list(without.values())) / len(cells)
    count = len(shifts)
    mean = float(estimates.mean())
    error = float(np.sqrt((count - 1) / count * np.square(shifts).sum()))
    families = cell_families(np.unique(codes[used], return_inverse=True)[1].ravel(), clusters[used])
    freedom = max(1, count - 1 - families)
    reach = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    summary = {
        "mean": mean,
        "low": max(-1.0, mean - reach),
        "high": min(1.0, mean + reach),
        "p_value": float(2 * stats.t.sf(abs(mean) / error, freedom)) if error > 0 else float(mean == 0),
        "mean_absolute": float(np.abs(estimates).mean()),
        "n_cells": len(cells),
        "n": int(used.sum()),
        "n_clusters": count,
    }
    return CellMean(tuple(cells), summary)


def _correlation(values: Matrix, method: str) -> float:
    """The correlation of the first two columns, with the others held fixed; NaN where one of them does not vary."""
    if method == "spearman":
        values = stats.rankdata(values, axis=0)
    rest = values - values.mean(axis=0)
    sizes = np.abs(rest).max(axis=0)
    if (sizes[:2] <= 1e-9 * np.abs(values[:, :2]).max(axis=0)).any():
        return float("nan")
    pair, _ = _freed(rest)
    lengths = np.linalg.norm(pair, axis=0)
    if (lengths < 1e-6).any():
        return float("nan")
    return float(np.clip(pair[:, 0] @ pair[:, 1] / lengths.prod(), -1, 1))


def _freed(rest: Matrix) -> tuple[Matrix, Matrix]:
    """The first two columns, of length 1 before what the others explain is taken out; a basis of the others."""
    sizes = np.abs(rest).max(axis=0)
    rest = rest / np.where(sizes > 0, sizes, 1.0)
    rest /= np.where(sizes > 0, np.linalg.norm(rest, axis=0), 1.0)
    pair, controls = rest[:, :2], rest[:, 2:]
    if not controls.shape[1]:
        return pair, controls
    left, weights, _ = np.linalg.svd(controls, full_matrices=False)
    basis = left[:, weights > 1e-9 * max(weights[0], 1e-300)]
    return pair - basis @ (basis.T @ pair), basis


def _without_each(values: Matrix, clusters: npt.NDArray[np.int64], method: str) -> Vector:
    """As `_correlation`, with each cluster left out in turn."""
    place = np.unique(clusters, return_inverse=True)[1].ravel()
    count = int(place.max()) + 1
    if method == "pearson":  # columns without origin, unit and collinearity, so that sums of products lose no digits
        values = np.column_stack(_freed(values - values.mean(axis=0)))
    found = []
    for some in np.array_split(np.arange(count), max(1, count * values.size // _BLOCK)):
        kept = (place != some[:, None]).astype(float)
        columns = np.broadcast_to(values, (len(some), *values.shape))
        if method == "spearman":
            columns = np.stack([_ranks_of_kept(column, kept) for column in values.T], axis=2)
        means = np.einsum("gn,gnk->gk", kept, columns) / kept.sum(axis=1, keepdims=True)
        rest = (columns - means[:, None]) * kept[:, :, None]
        moments = np.swapaxes(rest, 1, 2) @ rest
        before = np.diagonal(moments, axis1=1, axis2=2)[:, :2]
        left = moments[:, :2, :2]
        if values.shape[1] > 2:
            cross = moments[:, 2:, :2]
            left = left - np.swapaxes(cross, 1, 2) @ np.linalg.pinv(moments[:, 2:, 2:], 1e-10, hermitian=True) @ cross
        after = np.diagonal(left, axis1=1, axis2=2)
        solid = ((before > 1e-18) & (after > 1e-12 * before)).all(axis=1)
        product = np.where(solid, after.prod(axis=1), 1.0)
        found.append(np.where(solid, np.clip(left[:, 0, 1] / np.sqrt(product), -1, 1), np.nan))
    return np.concatenate(found)


def _ranks_of_kept(column: Vector, kept: Matrix) -> Matrix:
    """The ranks of the values that each row of ``kept`` keeps, ties sharing their middle rank."""
    distinct, place = np.unique(column, return_inverse=True)
    counts = kept @ sp.csr_array((np.ones(len(column)), (np.arange(len(column)), place)), (len(column), len(distinct)))
    return np.asarray((np.cumsum(counts, axis=1) - counts / 2)[:, place])
