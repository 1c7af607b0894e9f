"""`cell_slopes`: the slope of an outcome on a metric in each cell, from sums over its runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.cells import cell_codes
from analysis.frame.names import column_words


def cell_slopes(
    frame: pd.DataFrame,
    metric: str,
    outcome: str,
    cells: Sequence[str],
    held: Sequence[str],
    scale: float = 1.0,
    groups: str = "topology_id",
) -> pd.DataFrame:
    r"""The least-squares slope in each cell, per standard deviation of the metric within cells.

    .. math:: b_c = \frac{\sum_{i \in c} (x_i - \bar x_c)(y_i - \bar y_c)}{\sum_{i \in c} (x_i - \bar x_c)^2}
        \sqrt{\tfrac1n \textstyle\sum_i (x_i - \bar x_{c(i)})^2}

    Cells in which the metric does not vary have no slope and are left out.

    Parameters
    ----------
    frame
        One row per run.
    metric, outcome
        The columns.
    cells
        Columns that together name a cell.
    held
        Those of them that are said: the ones that vary.
    scale
        What slopes are multiplied by: 100 for points of a share.
    groups
        Column that names the topologies.

    Returns
    -------
    pandas.DataFrame
        One row per cell: ``cell`` (its values in words), ``slope``, ``topologies``; most topologies first.

    Examples
    --------
    >>> frame = pd.DataFrame({"size": [1, 1, 2, 2], "gap": [0.0, 2, 0, 2], "y": [0.0, 1, 5, 5]})
    >>> frame["topology_id"] = range(4)
    >>> cell_slopes(frame, "gap", "y", ["size"], ["size"]).values.tolist()
    [['size 1', 0.5, 2], ['size 2', 0.0, 2]]
    """
    rows = frame.dropna(subset=[metric, outcome])
    codes = cell_codes(rows, cells)
    if not len(rows):
        return pd.DataFrame({"cell": [], "slope": [], "topologies": []})
    counts = np.bincount(codes)
    x, y = (rows[name].to_numpy(dtype=float) for name in (metric, outcome))
    x, y = (v - v.mean() for v in (x, y))
    x, y = (v - (np.bincount(codes, weights=v) / counts)[codes] for v in (x, y))
    squares = np.bincount(codes, weights=x * x)
    first = np.unique(codes, return_index=True)[1]
    topologies = pd.Series(rows[groups].to_numpy()).groupby(codes).nunique().to_numpy()
    varies = squares > 1e-18 * max(float(np.square(rows[metric]).max()), 1e-300) * counts
    slopes = np.divide(np.bincount(codes, weights=x * y), squares, out=np.zeros(len(squares)), where=varies)
    sd = float(np.sqrt(squares.sum() / len(rows)))
    names = [
        ", ".join(f"{column_words(name)} {rows[name].iloc[place]}" for name in held) or "all networks"
        for place in first
    ]
    table = pd.DataFrame({"cell": names, "slope": slopes * sd * scale, "topologies": topologies})[varies]
    return table.sort_values("topologies", ascending=False, kind="stable").reset_index(drop=True)
