"""`correlate_per_cell`: a correlation in each cell, and the mean over cells with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from analysis.cells import cell_families, check_cells
from analysis.guards import check_columns, complete_rows
from analysis.within import Compared, compared
from topograph.checks import check_choice, check_real
from topograph.errors import InsufficientDataError, UnknownNameError

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
_BLOCK = 4_000_000  # numbers held at a time


@dataclass(frozen=True, eq=False)
class CellCorrelations:
    """Correlations cell by cell.

    Parameters
    ----------
    table
        One row per metric and cell: ``metric``, the columns that name the cell, ``estimate``, ``n``, ``n_clusters``.
    means
        One row per metric: ``mean`` over cells with its interval ``low`` … ``high`` and ``p_value``, ``mean_absolute``
        (of the magnitudes, which chance alone keeps above 0), ``n_cells``, ``n``, ``n_clusters``.
    outcome, method, control, cells
        As asked for.
    reasons
        Metric → why it has no mean.
    notes
        Remarks on what was left out.
    """

    table: pd.DataFrame
    means: pd.DataFrame
    outcome: str
    method: str
    control: tuple[str, ...]
    cells: tuple[str, ...]
    reasons: dict[str, str]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [
            f"{self.method} with {self.outcome} in each cell of equal {', '.join(self.cells)}"
            + (f", {', '.join(self.control)} held fixed" if self.control else ""),
            self.means.to_string(float_format="{:.4g}".format),
            *(f"{metric}: {reason}" for metric, reason in self.reasons.items()),
            *self.notes,
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(self.means.to_html(float_format="{:.4g}".format))


def correlate_per_cell(
    frame: pd.DataFrame,
    outcome: str,
    metrics: str | Iterable[str],
    *,
    control: str | Sequence[str] = (),
    cells: Sequence[str] | None = None,
    method: str = "spearman",
    groups: str = "topology_id",
    confidence: float = 0.95,
    least: int = 4,
) -> CellCorrelations:
    r"""Correlate an outcome with metrics in each cell, and take the mean over cells.

    Each cell counts alike, whatever its size and its spread. The error of the mean is the jackknife's over whole
    clusters, with those cells as given; intervals use Student's t on G − 1 − F degrees of freedom, of G clusters and F
    families of cells (those with a cluster in common being one).

    Parameters
    ----------
    frame
        One row per run.
    outcome
        The dependent variable.
    metrics
        Columns to correlate it with.
    control
        Columns held fixed in each cell: both sides are freed of what these explain linearly (of the ranks, for
        ``"spearman"``).
    cells
        Columns that together name a cell: by default data set, trainer, architecture, degrees and the training
        settings that vary.
    method
        ``"spearman"`` or ``"pearson"``.
    groups
        Column that names the clusters.
    confidence
        Coverage of the intervals, in (0, 1).
    least
        Fewest clusters, beyond the number of controls, in a cell that counts.

    Raises
    ------
    UnknownNameError, InvalidParameterError
        For columns or methods that do not exist.
    InsufficientDataError
        When no cell is known, or none has enough clusters.

    References
    ----------
    Efron & Stein (1981), The jackknife estimate of variance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"size": np.repeat([1, 2, 3], 20), "gap": rng.normal(size=60), "topology_id": range(60)})
    >>> frame["y"] = frame["size"] + frame["gap"] + rng.normal(size=60)
    >>> found = correlate_per_cell(frame, "y", "gap", cells=["size"])
    >>> len(found.table), bool(found.means.loc["gap", "low"] > 0)
    (3, True)
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    controls = [control] if isinstance(control, str) else list(control)
    check_columns(frame, [outcome, *names, *controls])
    check_choice("method", method, ("spearman", "pearson"))
    check_real("confidence", confidence, low=0, high=1, include_low=False, include_high=False)
    cells = check_cells(frame, cells)
    if groups not in frame.columns:
        raise UnknownNameError.among("column", groups, map(str, frame.columns))
    rows, means, reasons = [], {}, {}
    notes: dict[str, None] = {}
    for name in names:
        held = [column for column in dict.fromkeys(controls) if column != name]
        try:
            found = compared(complete_rows(frame, [outcome, name], groups, also=held), cells, outcome, groups)
            table, summary = _per_cell(found, outcome, name, held, cells, method, least, confidence)
        except InsufficientDataError as error:
            reasons[name] = str(error)
            continue
        notes |= dict.fromkeys(found.notes)
        rows.append(table)
        means[name] = summary
    if not rows:
        raise InsufficientDataError("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
    return CellCorrelations(
        table=pd.concat(rows, ignore_index=True),
        means=pd.DataFrame.from_dict(means, orient="index").rename_axis("metric"),
        outcome=outcome,
        method=method,
        control=tuple(controls),
        cells=tuple(cells),
        reasons=reasons,
        notes=tuple(notes),
    )


def _per_cell(
    found: Compared,
    outcome: str,
    name: str,
    held: Sequence[str],
    cells: Sequence[str],
    method: str,
    least: int,
    confidence: float,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The correlations of one metric, and their mean."""
    rows: list[dict[str, Any]] = []
    without: dict[int, float] = {}  # cluster → the change of a cell's correlation when it is left out
    members: list[int] = []
    values = found.data[[outcome, name, *held]].to_numpy(dtype=float)
    for code in np.unique(found.codes):
        places = np.flatnonzero(found.codes == code)
        part, clusters = values[places], found.clusters[places]
        if len(np.unique(clusters)) < least + len(held):
            continue
        estimate = _correlation(part, method)
        if np.isnan(estimate):
            continue
        members.append(int(code))
        keys = {cell: found.data[cell].iloc[places[0]] for cell in cells}
        rows.append({"metric": name, **keys, "estimate": estimate, "n": len(part), "n_clusters": len(set(clusters))})
        for cluster, again in zip(np.unique(clusters), _without_each(part, clusters, method), strict=True):
            without[cluster] = without.get(cluster, 0.0) + (0.0 if np.isnan(again) else again - estimate)
    if not rows:
        raise InsufficientDataError(
            f"no cell has a correlation of {name}: at least {least + len(held)} clusters in a cell and some variation "
            "are needed"
        )
    table = pd.DataFrame(rows)
    used = np.isin(found.codes, members)
    shifts = np.array(list(without.values())) / len(table)
    count = len(shifts)
    mean = float(table["estimate"].mean())
    error = float(np.sqrt((count - 1) / count * np.square(shifts).sum()))
    families = cell_families(np.unique(found.codes[used], return_inverse=True)[1].ravel(), found.clusters[used])
    freedom = max(1, count - 1 - families)
    reach = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    return table, {
        "mean": mean,
        "low": max(-1.0, mean - reach),
        "high": min(1.0, mean + reach),
        "p_value": float(2 * stats.t.sf(abs(mean) / error, freedom)) if error > 0 else float(mean == 0),
        "mean_absolute": float(table["estimate"].abs().mean()),
        "n_cells": len(table),
        "n": int(used.sum()),
        "n_clusters": count,
    }


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
