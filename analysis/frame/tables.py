"""Anybody's table as a frame."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.frame.derived import with_derived
from analysis.frame.names import KEYS
from topograph.errors import InvalidParameterError, UnknownNameError


def from_table(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Somebody else's table under our names, with what is missing filled in."""
    for column in columns:
        if column not in table.columns:
            raise UnknownNameError.among("column", column, map(str, table.columns))
    frame = table.rename(columns=dict(columns)).reset_index(drop=True)
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        raise InvalidParameterError(f"columns= gives the name {doubled[0]!r} twice")
    if "test_accuracy" not in frame.columns:
        raise UnknownNameError(
            f"the table has no column test_accuracy; name it with columns={{'theirs': 'test_accuracy'}}. Available: "
            f"{', '.join(map(str, table.columns))}"
        )
    accuracy = pd.to_numeric(frame["test_accuracy"], errors="coerce")
    words = frame["test_accuracy"][accuracy.isna() & frame["test_accuracy"].notna()]
    if len(words):
        raise InvalidParameterError(
            f"test_accuracy must hold numbers, but {len(words)} rows do not, first {words.iloc[0]!r}"
        )
    if accuracy.max() > 1 or accuracy.min() < 0:
        raise InvalidParameterError(
            f"test_accuracy must be a share in [0, 1], but runs from {accuracy.min():g} to {accuracy.max():g}; "
            "divide percentages by 100"
        )
    frame["test_accuracy"] = accuracy
    numbers = [f"row {i}" for i in range(len(frame))]
    filled: dict[str, object] = dict.fromkeys(("run_id", "topology_id", "degrees"), numbers)
    filled |= dict.fromkeys(("construction", "dataset", "trainer", "architecture"), "unknown")
    filled |= {"variant": "plain"}
    filled |= dict.fromkeys(("topology_seed", "seed"), 0)
    filled |= dict.fromkeys(("train_accuracy", "correct", "total", "seconds"), np.nan)
    for column, value in filled.items():
        if column not in frame.columns:
            frame[column] = value
    return with_derived(frame[[*KEYS, *(column for column in frame.columns if column not in KEYS)]])
