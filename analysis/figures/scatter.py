"""Accuracy against a metric, raw and with other columns held fixed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from analysis.cells import cell_codes, check_cells
from analysis.figures.registry import figure
from analysis.figures.style import MOST_SHAPES, construction_order, label, legend_beside, markers, palette
from analysis.scaling import Standardised

__all__ = ["accuracy_against_metric", "partial_regression", "within_cell_scatter"]


@figure("metric", "outcome")
def accuracy_against_metric(
    frame: pd.DataFrame, ax: Axes, *, metric: str = "algebraic_connectivity", outcome: str = "test_accuracy"
) -> None:
    """One point per run, its construction by colour and marker."""
    _points(frame, ax, metric, outcome)
    ax.set_xlabel(label(metric))
    ax.set_ylabel(label(outcome))


@figure("outcome", "metric", "control")
def partial_regression(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    metric: str = "algebraic_connectivity",
    control: Sequence[str] = ("log_density",),
    outcome: str = "test_accuracy",
) -> None:
    """What is left of accuracy against what is left of the metric, once the controls have explained what they can.

    The line is the least-squares one: its slope is the metric's coefficient in the regression with the controls.

    Parameters
    ----------
    control
        Columns held fixed.
    """
    columns = [outcome, metric, *control]
    rows = frame.dropna(subset=columns)
    held = rows[list(control)].to_numpy(dtype=float)
    design = Standardised.of(np.column_stack([np.ones(len(rows)), held])).regressors
    left = {}
    for name in (metric, outcome):
        values = rows[name].to_numpy(dtype=float)
        values = values - values.mean()
        weights, *_ = np.linalg.lstsq(design, values, rcond=None)
        left[name] = values - design @ weights
    rest = rows.assign(**left)
    _points(rest, ax, metric, outcome)
    _line(ax, left[metric], left[outcome])
    words = textwrap.fill("; ".join(label(name).replace(" ", "\N{NO-BREAK SPACE}") for name in control), 60)
    ax.set_xlabel(f"{label(metric)}: what is left after\n{words}")
    ax.set_ylabel(f"{label(outcome)}: what is left")


@figure("metric", "outcome")
def within_cell_scatter(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    metric: str = "algebraic_connectivity",
    outcome: str = "test_accuracy",
    cells: Sequence[str] | None = None,
) -> None:
    """Deviations from the cell's mean: networks of equal degrees are compared with each other only.

    The slope of the line is that of `analysis.effect`.

    Parameters
    ----------
    cells
        Columns that together name a cell.
    """
    rows = frame.dropna(subset=[metric, outcome])
    codes = cell_codes(rows, check_cells(frame, cells))
    rest = rows.assign(**{name: rows[name] - rows.groupby(codes)[name].transform("mean") for name in (metric, outcome)})
    _points(rest, ax, metric, outcome)
    _line(ax, rest[metric].to_numpy(dtype=float), rest[outcome].to_numpy(dtype=float))
    ax.set_xlabel(f"{label(metric)}: deviation from the mean of its cell")
    ax.set_ylabel(f"{label(outcome)}: deviation")


def _line(ax: Axes, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> None:
    """The least-squares line through the origin, where there is one."""
    spread = x @ x
    if spread > 0:
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, ends * (x @ y) / spread, color="0.2", linewidth=1.5)


def _points(frame: pd.DataFrame, ax: Axes, x: str, y: str) -> None:
    names = construction_order(frame["construction"])
    sns.scatterplot(
        frame,
        x=x,
        y=y,
        hue="construction",
        hue_order=names,
        style="construction",
        style_order=names,
        palette=palette(names),
        markers=markers(names),
        s=28,
        alpha=0.75,
        linewidth=0.3,
        rasterized=len(frame) > MOST_SHAPES,
        ax=ax,
    )
    legend_beside(ax)
    sns.despine(ax=ax)
