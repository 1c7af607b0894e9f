"""`drift`: how a metric changes from the topology that a rewired network began with to the one it ended with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t as student

from topograph.errors import InsufficientDataError, UnknownNameError


def drift(frame: pd.DataFrame, metric: str, *, by: str = "rewiring", level: float = 0.95) -> pd.DataFrame:
    """The mean change of a metric while networks were trained, per rule, with its interval over topologies.

    The change of each run is the metric of its last topology minus that of its first. Runs that began with one topology
    count as one, by their mean: their changes are dependent.

    Parameters
    ----------
    frame
        From `analysis.load_frame`, of a study with rewired networks.
    metric
        Column of the first topology, such as ``"l1_normalized_gap"``; its last value is ``"final_l1_normalized_gap"``.
    by
        Column whose values are told apart, such as ``"rewiring"`` or ``"construction"``.
    level
        Confidence of the interval, in (0, 1).

    Returns
    -------
    pandas.DataFrame
        One row per value of ``by``: ``first`` and ``last`` (means), ``change``, ``low`` and ``high`` (Student's
        interval of the change over topologies; NaN for one topology), ``n_topologies``, ``n_runs``, and ``direction``:
        ``"up"``, ``"down"``, or ``"cannot be told"`` where the interval holds 0.

    Raises
    ------
    UnknownNameError
        When the frame lacks a column.
    InsufficientDataError
        When no run has both values.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "topology_id": ["a", "a", "b", "c"], "rewiring": "set",
    ...     "l1_gap": [0.2, 0.2, 0.3, 0.4], "final_l1_gap": [0.3, 0.4, 0.4, 0.6],
    ... })
    >>> row = drift(table, "l1_gap").loc["set"]
    >>> round(float(row["change"]), 3), int(row["n_topologies"]), int(row["n_runs"])
    (0.15, 3, 4)
    """
    last = f"final_{metric}"
    for column in (metric, last, by, "topology_id"):
        if column not in frame.columns:
            raise UnknownNameError.among("column", column, map(str, frame.columns))
    runs = frame[[by, "topology_id", metric, last]].dropna(subset=[metric, last])
    if runs.empty:
        raise InsufficientDataError(f"no run has both {metric} and {last}: only rewired networks have a last topology")
    rows = {}
    for value, group in runs.groupby(by, sort=True):
        means = group.groupby("topology_id")[[metric, last]].mean()
        changes = (means[last] - means[metric]).to_numpy(float)
        count, mean = len(changes), float(changes.mean())
        half = (
            float(student.ppf((1 + level) / 2, count - 1) * changes.std(ddof=1) / np.sqrt(count))
            if count > 1
            else np.nan
        )
        told = "up" if mean - half > 0 else "down" if mean + half < 0 else "cannot be told"
        rows[value] = {
            "first": float(means[metric].mean()), "last": float(means[last].mean()), "change": mean,
            "low": mean - half, "high": mean + half, "n_topologies": count, "n_runs": len(group), "direction": told,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)
