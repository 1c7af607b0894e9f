"""Columns that follow from others: the logit of the accuracy, the logarithm of each density."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.frame.names import split_name


def with_derived(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with ``test_accuracy_logit`` and a ``<layer>_log_density`` per density, where they are missing."""
    added = {}
    if frame["total"].notna().any():
        added["test_accuracy_logit"] = np.log((frame["correct"] + 0.5) / (frame["total"] - frame["correct"] + 0.5))
    for column in frame.columns:
        layer, rest = split_name(column)
        if layer and rest == "density":
            values = frame[column].astype(float)
            added[f"{layer}_log_density"] = np.log(values.where(values > 0))
    new = {name: values for name, values in added.items() if name not in frame.columns}
    return frame.assign(**new)
