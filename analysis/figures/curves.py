"""Means over degrees, one curve a construction."""

from __future__ import annotations

from typing import Any

import pandas as pd
import seaborn as sns

from analysis.figures.style import construction_order, label, legend_beside, markers, palette
from analysis.guards import check_columns


def accuracy_by_degree(
    frame: pd.DataFrame, ax: Any, *, outcome: str = "test_accuracy", degree: str = "l1_left_degree_mean"
) -> Any:
    """Mean accuracy against degree, one curve a construction, with the 95 % interval of the mean; dense as a line.

    Parameters
    ----------
    frame
        One row a run.
    ax
        The matplotlib axes to draw on.
    outcome, degree
        The columns.
    """
    return _curves(frame, ax, outcome, degree)


def metric_by_degree(
    frame: pd.DataFrame, ax: Any, *, metric: str = "l1_algebraic_connectivity", degree: str = "l1_left_degree_mean"
) -> Any:
    """Mean of a metric against degree, one curve a construction: each topology counts once.

    Parameters are as for `accuracy_by_degree`.
    """
    return _curves(frame.drop_duplicates("topology_id"), ax, metric, degree)


def _curves(frame: pd.DataFrame, ax: Any, value: str, degree: str) -> Any:
    check_columns(frame, [value, degree])
    dense = frame[frame["construction"] == "dense"]
    # an expected degree comes out slightly different in each graph: the nearest whole number is the one asked for
    sparse = frame[frame["construction"] != "dense"].assign(**{degree: lambda rows: rows[degree].round()})
    names = construction_order(sparse["construction"])
    sns.lineplot(
        sparse,
        x=degree,
        y=value,
        hue="construction",
        hue_order=names,
        style="construction",
        style_order=names,
        palette={name: colour for name, colour in palette(frame["construction"]).items() if name in names},
        markers={name: marker for name, marker in markers(frame["construction"]).items() if name in names},
        dashes=False,
        errorbar=("ci", 95),
        n_boot=200,
        seed=0,
        err_style="bars",
        ax=ax,
    )
    if len(dense):
        ax.axhline(dense[value].mean(), color="0.3", linestyle="--", linewidth=1.2, label="dense")
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("degree of the inputs (outputs of each, log scale)")
    ax.set_ylabel(label(value))
    legend_beside(ax)
    sns.despine(ax=ax)
    return ax
