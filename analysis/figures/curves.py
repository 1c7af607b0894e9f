"""Means over degrees, one curve a construction."""

from __future__ import annotations

from typing import Any

import pandas as pd
import seaborn as sns

from analysis.figures.style import construction_order, label, legend_beside, markers, palette
from analysis.guards import check_columns


def accuracy_by_degree(frame: pd.DataFrame, ax: Any, *, outcome: str = "test_accuracy", layer: int = 1) -> Any:
    """Mean accuracy against the degree of a layer, one curve a construction, with its 95 % interval; dense as a line.

    Parameters
    ----------
    frame
        One row a run.
    ax
        The matplotlib axes to draw on.
    outcome
        The column drawn upwards.
    layer
        The layer pair whose degree is drawn to the right, from 1; the mean runs over the degrees of the others.
    """
    return _curves(frame, ax, outcome, layer)


def metric_by_degree(frame: pd.DataFrame, ax: Any, *, metric: str = "l1_algebraic_connectivity", layer: int = 1) -> Any:
    """Mean of a metric against the degree of a layer, one curve a construction: each topology counts once.

    Parameters are as for `accuracy_by_degree`.
    """
    return _curves(frame.drop_duplicates("topology_id"), ax, metric, layer)


def _curves(frame: pd.DataFrame, ax: Any, value: str, layer: int) -> Any:
    check_columns(frame, [value])
    dense = frame[frame["construction"] == "dense"]
    sparse = frame[frame["construction"] != "dense"]
    sparse = sparse.assign(degree=sparse["degrees"].str.split("-").str[layer - 1].astype(float))
    names = construction_order(sparse["construction"])
    colours, shapes = palette(frame["construction"]), markers(frame["construction"])
    if len(sparse):
        # degrees as categories: evenly spaced, so that the constructions' intervals can stand side by side
        sns.pointplot(
            sparse,
            x="degree",
            y=value,
            hue="construction",
            hue_order=names,
            palette=[colours[name] for name in names],
            markers=[shapes[name] for name in names],
            errorbar=("ci", 95),
            n_boot=200,
            seed=0,
            dodge=0.5,
            formatter="{:g}".format,
            markersize=5,
            linewidth=1.2,
            err_kws={"linewidth": 1.2},
            ax=ax,
        )
    if len(dense):
        ax.axhline(dense[value].mean(), color="0.3", linestyle="--", linewidth=1.2, label="dense")
    ax.set_xlabel(f"degree of the inputs of layer {layer} (outputs of each)")
    ax.set_ylabel(label(value))
    legend_beside(ax)
    sns.despine(ax=ax)
    return ax
