"""`correlate_per_cell`: a correlation in each cell, and the mean over cells with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.cell_means import mean_of_cells
from analysis.cells import check_cells
from analysis.frame.names import column_phrase
from analysis.guards import check_columns, complete_rows
from analysis.naming import listed_columns
from analysis.within import compared
from topograph.checks import check_choice, check_real
from topograph.errors import InsufficientDataError, UnknownNameError


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
            f"{self.method} with {column_phrase(self.outcome)} in each cell of equal {listed_columns(self.cells)}"
            + (f", {listed_columns(self.control)} held fixed" if self.control else ""),
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
    >>> import numpy as np
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
    rows: list[dict[str, Any]] = []
    means: dict[str, dict[str, float]] = {}
    reasons: dict[str, str] = {}
    notes: dict[str, None] = {}
    for name in names:
        held = [column for column in dict.fromkeys(controls) if column != name]
        try:
            found = compared(complete_rows(frame, [outcome, name], groups, also=held), cells, outcome, groups)
            values = found.data[[outcome, name, *held]].to_numpy(dtype=float)
            mean = mean_of_cells(values, found.codes, found.clusters, method, least=least, confidence=confidence)
        except InsufficientDataError as error:
            reasons[name] = str(error)
            continue
        notes |= dict.fromkeys(found.notes)
        rows += [
            {"metric": name, **{column: found.data[column].iloc[cell.row] for column in cells}}
            | {"estimate": cell.estimate, "n": cell.n, "n_clusters": cell.n_clusters}
            for cell in mean.cells
        ]
        means[name] = mean.summary
    if not rows:
        raise InsufficientDataError("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
    return CellCorrelations(
        table=pd.DataFrame(rows),
        means=pd.DataFrame.from_dict(means, orient="index").rename_axis("metric"),
        outcome=outcome,
        method=method,
        control=tuple(controls),
        cells=tuple(cells),
        reasons=reasons,
        notes=tuple(notes),
    )
