"""Which columns a report is about: metrics, controls, and which of these the cells do not hold fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.cells import cell_codes
from analysis.columns import Columns
from analysis.frame.names import KEYS, metric_columns, name_words, other_metric_columns, split_name
from analysis.guards import is_constant
from analysis.naming import listed
from topograph.metrics import describe_metrics

_LOOSE = 0.01  # share of a control's variation within cells from which cells do not hold it fixed


def default_metrics(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> list[str]:
    """Metric columns that say something besides size and density, vary, and are defined for most runs that have any.

    Compressed networks have none.

    Of ours, all that measure connectivity or structure; of a table's own, all numbers with no other role.
    """
    groups = describe_metrics()["group"]
    wanted = {name for name, group in groups.items() if group not in ("sizes", "degrees")}
    wanted |= {"left_degree_std", "right_degree_std"}
    candidates = [column for column in metric_columns(frame) if split_name(column)[1] in wanted]
    roles = {columns.outcome, *columns.controls, *(columns.cells or ())}
    candidates += [column for column in other_metric_columns(frame) if column not in roles]
    measured = int(frame[candidates].notna().any(axis=1).sum())
    chosen: list[str] = []
    outcomes, taken = _Directions(), _Directions()
    outcomes.add(frame[columns.outcome])
    for column in candidates:
        values = frame[column]
        known = values.dropna().astype(float)
        if len(known) < measured / 2 or is_constant(known):
            continue
        if outcomes.has(values):
            notes.append(f"{column} is {columns.outcome} in another unit, and is not taken for a metric.")
        # where a study has connected graphs only, several metrics are the same column; others are one number in two
        # units, as a ratio and 1 minus it
        elif not taken.has(values):
            taken.add(values)
            chosen.append(column)
    return chosen


def with_controls(frame: pd.DataFrame, columns: Columns, *, squared: bool) -> tuple[pd.DataFrame, Columns]:
    """The log densities that vary, each with its square: accuracy bends with log density, a line would not hold it."""
    if not squared:
        return frame, columns
    squares = {f"{c}_squared": (frame[c] - frame[c].mean()) ** 2 for c in columns.controls if frame[c].nunique() > 2}
    attributes = frame.attrs
    frame = frame.assign(**squares)
    frame.attrs = attributes
    return frame, replace(columns, controls=(*columns.controls, *squares))


def loose_controls(frame: pd.DataFrame, columns: Columns) -> tuple[str, ...]:
    """The controls that vary within cells: cells that are named by a nominal density do not hold these fixed."""
    if columns.cells is None or not columns.controls:
        return ()
    rows = frame.dropna(subset=[*columns.controls, columns.outcome])
    codes = cell_codes(rows, columns.cells)
    several = pd.Series(codes).map(pd.Series(codes).value_counts()).to_numpy() > 1
    rows, codes = rows[several], codes[several]
    loose = []
    for column in columns.controls:
        values = rows[column].astype(float)
        rest = values - values.groupby(codes).transform("mean")
        if len(rows) and float(np.square(rest).sum()) > _LOOSE * float(np.square(values - values.mean()).sum()):
            loose.append(column)
    return tuple(loose)


def no_controls(frame: pd.DataFrame, given: Sequence[str] | None) -> str:
    """Why no column holds density fixed."""
    if given is not None:
        return "no column was to be held fixed"
    for column in other_numbers(frame):
        words = set(name_words(column))
        named = {"density", "sparsity"} & words and "log" not in words
        if named and not frame[column].dropna().between(0, 1).all():
            return (
                f"{column} is not taken for a density, since it has values outside [0, 1]: divide percentages by 100, "
                "or name it with control=[...]"
            )
    known = [c for c in frame.columns if split_name(c)[1] in ("density", "log_density")]
    if known:
        return f"density does not vary ({listed(known[:3])})"
    return "the table has no column of densities that is known as one; name one with control=[...]"


def other_numbers(frame: pd.DataFrame) -> list[str]:
    """The columns of numbers that are none of the keys."""
    return [str(c) for c in frame.columns if c not in KEYS and pd.api.types.is_numeric_dtype(frame[c])]


class _Directions:
    """Columns as unit vectors, by the rows in which they are defined: linear functions of each other are one."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[npt.NDArray[np.float64]]] = {}

    def add(self, column: pd.Series) -> None:
        """Remember a column."""
        rows, direction = _direction(column)
        self._known.setdefault(rows, []).append(direction)

    def has(self, column: pd.Series) -> bool:
        """Whether a column is a linear function of one that was added, and both vary."""
        rows, direction = _direction(column)
        known = self._known.get(rows, [])
        return bool(len(known) and (np.abs(np.stack(known) @ direction) > 1 - 1e-10).any())


def _direction(column: pd.Series) -> tuple[bytes, npt.NDArray[np.float64]]:
    """The rows in which a column is defined, and its deviations from the mean there, with length 1 (0 for none)."""
    values = column.to_numpy(dtype=float, na_value=np.nan)
    rows = ~np.isnan(values)
    values = values[rows]
    rest = values - values.mean() if len(values) else values
    rest = rest / max(float(np.abs(rest).max(initial=0.0)), 1e-300)
    return rows.tobytes(), rest / max(float(np.linalg.norm(rest)), 1e-300)
