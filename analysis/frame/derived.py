"""Columns that follow from others: the logit of the accuracy, the logarithm of each density."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.frame.names import SUMMARIES, global_density, is_percentage, split_name


def with_derived(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with ``test_accuracy_logit`` and a ``<layer>_log_density`` per density, where they are missing.

    A table that knows no density of a layer or network, but a density or sparsity in a column of another name, gets
    ``log_density`` from it; ``frame.attrs["density_from"]`` names the column.
    """
    added = {}
    attributes = dict(frame.attrs)
    if frame["total"].notna().any():
        correct, total = (frame[name].astype(float) for name in ("correct", "total"))
        possible = (total > 0) & (correct >= 0) & (correct <= total)
        added["test_accuracy_logit"] = np.log(((correct + 0.5) / (total - correct + 0.5)).where(possible))
    for column in frame.columns:
        layer, rest = split_name(column)
        if layer and layer not in SUMMARIES and rest == "density":
            added[f"{layer}_log_density"] = _log(frame[column])
    known = any(split_name(column)[1] == "log_density" for column in [*frame.columns, *added])
    source = None if known else global_density(frame)
    if source is not None:
        column, is_sparsity = source
        shares = frame[column] / 100 if is_percentage(frame[column]) else frame[column]
        added["log_density"] = _log(1 - shares if is_sparsity else shares)
        attributes["density_from"] = column
    new = {name: values for name, values in added.items() if name not in frame.columns}
    frame = frame.assign(**new)
    frame.attrs = attributes
    return frame


def _log(values: pd.Series) -> pd.Series:
    numbers = values.astype(float)
    return pd.Series(np.log(numbers.where(numbers > 0)))
