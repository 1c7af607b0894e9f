"""Means over degrees or settings, one curve per construction."""

from __future__ import annotations

from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from analysis.cells import cell_columns
from analysis.figures.registry import figure
from analysis.figures.style import construction_order, escaped, label, legend_beside, markers, palette
from analysis.frame import layer_degrees
from topograph.errors import InsufficientDataError, UnknownNameError

__all__ = ["accuracy_by_degree", "accuracy_by_setting", "metric_by_degree"]


@figure("outcome")
def accuracy_by_degree(frame: pd.DataFrame, ax: Axes, *, outcome: str = "test_accuracy", layer: int = 1) -> None:
    """Mean accuracy against the degree of a layer, one curve per construction, with its 95 % interval; dense as a line.

    Parameters
    ----------
    layer
        Layer whose degree is drawn to the right, from 1; the mean runs over the degrees of the others.
    """
    _curves(frame, ax, outcome, layer)


@figure("metric")
def metric_by_degree(frame: pd.DataFrame, ax: Axes, *, metric: str = "algebraic_connectivity", layer: int = 1) -> None:
    """Mean of a metric against the degree of a layer, one curve per construction; each topology counts once.

    Parameters
    ----------
    layer
        Layer whose degree is drawn to the right, from 1.
    """
    _curves(frame.drop_duplicates("topology_id"), ax, metric, layer)


@figure("outcome")
def accuracy_by_setting(
    frame: pd.DataFrame, ax: Axes, *, setting: str = "dropout_hidden", outcome: str = "test_accuracy"
) -> None:
    """Mean accuracy for each value of a training setting, or of the architecture (the paper's figure 4).

    Like is compared with like: only networks enter whose construction, degrees and other settings were trained with
    every value of the setting. Of architectures of different depth, the degrees of the first and the last layer are
    compared.

    Parameters
    ----------
    setting
        Column drawn to the right, such as ``"dropout_hidden"`` or ``"architecture"``.
    """
    if setting not in frame.columns:
        raise UnknownNameError.among("column", setting, map(str, frame.columns))
    degrees = frame["degrees"].str.split("-")
    ends = degrees.str[0] + "-" + degrees.str[-1] if setting == "architecture" else frame["degrees"]
    others = [frame[column] for column in cell_columns(frame) if column not in (setting, "degrees")]
    tried = frame.groupby([frame["construction"], ends, *others], dropna=False)[setting].transform("nunique")
    rows = frame[tried == frame[setting].nunique()]
    if rows.empty:
        raise InsufficientDataError(f"no construction and degrees were trained with every {setting}")
    order = sorted(rows[setting].unique(), key=_by_size)
    _points(
        rows.assign(**{setting: rows[setting].map(escaped)}), ax, setting, outcome, [escaped(value) for value in order]
    )
    ax.set_xlabel(label(setting))
    ax.set_ylabel(label(outcome))
    legend_beside(ax)
    sns.despine(ax=ax)


def _by_size(value: object) -> tuple[Any, ...]:
    """Numbers by value; architectures by the number of layers, then by width."""
    if isinstance(value, str):
        sizes = value.split("-")
        return (len(sizes), *(int(size) for size in sizes)) if all(s.isdigit() for s in sizes) else (0, value)
    return (value,)


def _curves(frame: pd.DataFrame, ax: Axes, value: str, layer: int) -> None:
    frame = frame.assign(degree=layer_degrees(frame, layer))
    dense = frame[frame["construction"] == "dense"]
    sparse = frame[(frame["construction"] != "dense") & frame["degree"].notna()]
    if dense.empty and sparse.empty:
        raise InsufficientDataError(f"no run has a degree of layer {layer}: degrees look like 30-10, one per layer")
    if len(sparse):
        # degrees as categories: evenly spaced, so that the constructions' intervals can stand side by side
        _points(sparse, ax, "degree", value, None)
    if len(dense):
        ax.axhline(dense[value].mean(), color="0.3", linestyle="--", linewidth=1.2, label="dense")
    ax.set_xlabel(f"degree of the inputs of layer {layer} (outputs of each)")
    ax.set_ylabel(label(value))
    legend_beside(ax)
    sns.despine(ax=ax)


def _points(rows: pd.DataFrame, ax: Axes, x: str, y: str, order: list[str] | None) -> None:
    names = construction_order(rows["construction"])
    colours, shapes = palette(names), markers(names)
    sns.pointplot(
        rows,
        x=x,
        y=y,
        order=order,
        hue="construction",
        hue_order=names,
        palette=[colours[name] for name in names],
        markers=[shapes[name] for name in names],
        errorbar=("ci", 95),
        n_boot=200,
        seed=0,
        dodge=0.5 if len(names) > 1 else False,
        formatter=None if order is not None else "{:g}".format,
        markersize=5,
        linewidth=1.2,
        err_kws={"linewidth": 1.2},
        ax=ax,
    )
