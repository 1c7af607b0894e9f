"""Guards for statistics: refuse in words what the data cannot answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError


def check_columns(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Refuse columns that the frame lacks, or that hold no numbers."""
    for column in columns:
        if column not in frame.columns:
            raise UnknownNameError.among("column", column, map(str, frame.columns))
        if not pd.api.types.is_numeric_dtype(frame[column]) or pd.api.types.is_complex_dtype(frame[column]):
            known = frame[column].dropna()
            example = f" such as {known.tolist()[0]!r}" if len(known) else ""
            raise InvalidParameterError(
                f"column {column!r} must hold numbers, but holds {frame[column].dtype}{example}; pandas.to_numeric or "
                "astype(float) makes numbers of what is one"
            )


def finite_values(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """A copy of the frame in which infinite values of the columns are missing ones.

    Examples
    --------
    >>> finite_values(pd.DataFrame({"gap": [1.0, -np.inf]}), ["gap"])["gap"].isna().tolist()
    [False, True]
    """
    numbers = {}
    for column in dict.fromkeys(columns):
        values = frame[column]
        if pd.api.types.is_float_dtype(values) and np.isinf(values.to_numpy(dtype=float, na_value=np.nan)).any():
            numbers[column] = values.where(~np.isinf(values.to_numpy(dtype=float, na_value=np.nan)))
    attributes = frame.attrs
    frame = frame.assign(**numbers)
    frame.attrs = attributes
    return frame


def complete_rows(
    frame: pd.DataFrame, columns: Sequence[str], groups: str, least: int = 4, also: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of the frame without a missing or infinite value in the columns, nor in those of ``also``.

    Raises
    ------
    InsufficientDataError
        When fewer than ``least`` rows or fewer than three groups are left, or a column does not vary.
    """
    frame = finite_values(frame, [*columns, *also])
    rows = frame.dropna(subset=list(dict.fromkeys([*columns, *also, groups])))
    if len(rows) < least or rows[groups].nunique() < 3:
        missing = frame[list(dict.fromkeys([*columns, *also]))].isna().sum()
        lacking = ", ".join(f"{name} lacks {count}" for name, count in missing.items() if count)
        raise InsufficientDataError(
            f"{len(rows)} complete rows in {rows[groups].nunique()} values of {groups}: at least {least} rows and 3 "
            f"are needed{f' ({lacking} of {len(frame)} values)' if lacking else ''}"
        )
    for column in columns:
        if is_constant(rows[column]):
            raise InsufficientDataError(
                f"{column} has the same value in all {len(rows)} rows: nothing can vary with it"
            )
    return rows


def is_constant(values: pd.Series) -> bool:
    """Whether the values differ by no more than rounding, or there are none."""
    numbers = values.to_numpy(dtype=float)
    return not numbers.size or bool(np.ptp(numbers) <= 1e-9 * max(1e-300, np.abs(numbers).max()))
