"""Anybody's table as a frame."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from analysis.frame.attributes import Shared
from analysis.frame.derived import with_derived
from analysis.frame.names import KEYS, SUMMARIES, TEXT_KEYS, metric_columns, split_name
from analysis.frame.reading import as_numbers, as_text
from topograph.errors import InvalidParameterError, UnknownNameError, available_names
from topograph.metrics import describe_metrics

_SHARES = ("test_accuracy", "train_accuracy")
_UNKNOWN = ("construction", "dataset", "trainer", "architecture")
_NOT_GIVEN = ("train_accuracy", "correct", "total", "seconds")


def from_table(table: pd.DataFrame, columns: Mapping[str, str], outcome: str = "test_accuracy") -> pd.DataFrame:
    """Somebody else's table under our names, with the missing keys filled in.

    Degrees that are not given stay missing: without them no cells follow from the table.
    """
    frame = _renamed(table, columns)
    if outcome not in frame.columns:
        raise UnknownNameError(
            f"the table has no column {outcome}; name it with columns={{'theirs': {outcome!r}}}"
            + (", or another column with outcome=" if outcome == "test_accuracy" else "")
            + f". Available: {available_names(outcome, map(str, table.columns))}"
        )
    measured = {outcome, *metric_columns(frame)}
    read = {column: _read(frame[column], is_measured=column in measured) for column in frame.columns}
    numbers = [outcome, *(column for column in frame.columns if _must_be_number(column))]
    read |= {
        column: _as_floats(read[column])
        for column in numbers
        if column == outcome or not pd.api.types.is_numeric_dtype(read[column])
    }
    frame = without_infinities(frame.assign(**read))
    _check_shares(frame)
    rows = [f"row {i}" for i in range(len(frame))]
    filled: dict[str, object] = dict.fromkeys(("run_id", "topology_id"), rows)
    filled |= dict.fromkeys(_UNKNOWN, "unknown")
    filled |= {"degrees": None, "variant": "plain", "topology_seed": 0, "seed": 0, "test_accuracy": np.nan}
    filled |= dict.fromkeys(_NOT_GIVEN, np.nan)
    for column, value in filled.items():
        if column not in frame.columns:
            frame[column] = pd.Series(value, index=frame.index, dtype=object if value is None else None)
        elif column in _UNKNOWN:
            frame[column] = frame[column].where(frame[column].notna(), "unknown")
    attributes = frame.attrs
    frame = frame[[*KEYS, *(column for column in frame.columns if column not in KEYS)]].copy()
    said = {name: Shared(value) if isinstance(value, dict) else value for name, value in attributes.items()}
    frame.attrs = said | {"outcome": outcome}
    return with_derived(frame)


def without_infinities(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with NaN in place of infinite values, and the reason in its attributes."""
    reasons = dict(frame.attrs.get("reasons", {}))
    numbers = {}
    for column in frame.columns:
        if not pd.api.types.is_float_dtype(frame[column]):
            continue
        infinite = np.isinf(frame[column].to_numpy(dtype=float, na_value=np.nan))
        if infinite.any():
            numbers[column] = frame[column].where(~infinite)
            reasons[str(column)] = [*reasons.get(str(column), []), f"infinite in {int(infinite.sum())} rows"]
    attributes = dict(frame.attrs) | ({"reasons": Shared(reasons)} if reasons else {})
    frame = frame.assign(**numbers)
    frame.attrs = attributes
    return frame


def _read(values: pd.Series, *, is_measured: bool) -> pd.Series:
    """A column as text, as numbers, or as it is; what is measured is a number, even where it was made a category."""
    if values.name in TEXT_KEYS:
        return as_text(values)
    if is_measured and isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    return as_numbers(values)


def _renamed(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    levels = [name for name in table.index.names if name is not None and name not in table.columns]
    if levels and len(set(levels)) == len(levels):  # the keys of a table that was grouped
        table = table.reset_index(level=levels)
    if not isinstance(columns, Mapping) or not all(isinstance(target, str) for target in columns.values()):
        raise InvalidParameterError(
            f"columns must map the table's names to ours, as {{'acc': 'test_accuracy'}} does, but got {columns!r}"
        )
    for column, target in columns.items():
        if column not in table.columns:
            raise UnknownNameError.among("column", column, map(str, table.columns))
        _check_target(column, target)
    frame = table.rename(columns=dict(columns)).rename(columns=str).reset_index(drop=True)
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        where = "columns= gives" if doubled[0] in columns.values() else "the table has"
        raise InvalidParameterError(f"{where} the name {doubled[0]!r} twice")
    return frame.copy()


def _check_target(column: str, target: str) -> None:
    """Refuse a new name that is nearly one of ours: it would not be known as what it is meant to be."""
    layer, rest = split_name(target)
    known = [*describe_metrics().index, "log_density"] if layer else KEYS
    if rest in known or target == column:
        return
    close = get_close_matches(rest, known, n=1, cutoff=0.85)
    if close:
        meant = f"{layer}_{close[0]}" if layer else close[0]
        raise UnknownNameError(
            f"columns= calls {column!r} {target!r}, which is not one of the names of a frame; did you mean {meant!r}?"
        )


def _must_be_number(column: str) -> bool:
    """Whether a column is reckoned with as soon as a table is read."""
    return column in (*_SHARES, *_NOT_GIVEN) or split_name(column)[1] == "density" != column


def _as_floats(values: pd.Series) -> pd.Series:
    numbers = pd.Series([_number(value) for value in values], index=values.index, dtype=float)
    words = values[numbers.isna() & values.notna()]
    if len(words):
        raise InvalidParameterError(
            f"{values.name} must hold numbers such as 0.93, but {len(words)} of {len(values)} rows do not, first "
            f"{words.iloc[0]!r}"
        )
    return numbers


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _check_shares(frame: pd.DataFrame) -> None:
    for column in frame.columns:
        layer, rest = split_name(column)
        if column not in _SHARES and not (layer and layer not in SUMMARIES and rest == "density"):
            continue
        values = frame[column]
        if values.max() > 1 or values.min() < 0:
            percentages = int((values > 1).sum())
            mixed = percentages and bool(values.between(0, 1, inclusive="neither").any()) and values.min() >= 0
            advice = f"divide percentages by 100{f' ({percentages} of {len(values)} are above 1)' if mixed else ''}"
            raise InvalidParameterError(
                f"{column} must be a share in [0, 1], but runs from {values.min():g} to {values.max():g}; {advice}"
            )
