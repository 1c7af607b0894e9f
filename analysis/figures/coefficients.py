"""Estimates with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns

from analysis.figures.style import given_or_new, label
from analysis.regression import Fit

_METHOD_WORDS = {
    "pearson": "raw",
    "spearman": "raw, ranks",
    "partial": "density held fixed by regression",
    "within_cell": "density held fixed within cells",
}


def correlation_forest(
    table: pd.DataFrame, ax: Any = None, *, methods: tuple[str, ...] = ("pearson", "partial", "within_cell")
) -> Any:
    """Correlations with their intervals, one line a metric, the methods side by side.

    Parameters
    ----------
    table
        From `analysis.correlate`.
    ax
        The matplotlib axes to draw on; new ones by default.
    methods
        Which to show.
    """
    ax = given_or_new(ax)
    known = table.dropna(subset=["estimate"])
    names = list(dict.fromkeys(known["metric"]))
    colours = sns.color_palette("colorblind")
    shapes = ("o", "s", "^", "D")
    methods = tuple(method for method in methods if method in set(known["method"]))
    for number, method in enumerate(methods):
        rows = known[known["method"] == method].set_index("metric").reindex(names)
        places = np.arange(len(names)) + (number - (len(methods) - 1) / 2) * 0.24
        reach = np.vstack([rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]]).clip(min=0)
        ax.errorbar(
            rows["estimate"],
            places,
            xerr=np.nan_to_num(reach),
            fmt=shapes[number % len(shapes)],
            color=colours[number],
            capsize=2,
            markersize=5,
            linewidth=1.2,
            label=_METHOD_WORDS.get(method, method),
        )
    ax.axvline(0, color="0.6", linewidth=1)
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(-1.02, 1.02)
    ax.set_xlabel("correlation with test accuracy (95 % interval)")
    ax.figure.legend(frameon=False, loc="outside upper center", ncols=len(methods))
    sns.despine(ax=ax)
    return ax


def coefficient_forest(fit: Fit, ax: Any = None, *, unit: str = "accuracy") -> Any:
    """Coefficients times the standard deviation of their column, with intervals; the intercept left out.

    Parameters
    ----------
    fit
        From `analysis.fit`.
    ax
        The matplotlib axes to draw on; new ones by default.
    unit
        What the coefficients are measured in: ``"accuracy"`` for a linear model, ``"log odds"`` for a binomial one.
    """
    ax = given_or_new(ax)
    rows = fit.coefficients.drop(index="Intercept", errors="ignore")
    scale = (rows["per_sd"] / rows["estimate"].where(rows["estimate"] != 0)).fillna(0)
    places = np.arange(len(rows))
    reach = np.vstack([rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]]) * scale.to_numpy()
    ax.errorbar(
        rows["per_sd"],
        places,
        xerr=np.nan_to_num(np.abs(reach)),
        fmt="o",
        color=sns.color_palette("colorblind")[0],
        capsize=3,
        markersize=5,
        linewidth=1.3,
    )
    ax.axvline(0, color="0.6", linewidth=1)
    ax.set_yticks(places, [_term(name) for name in rows.index])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(f"{unit} per standard deviation of the term (95 % interval)")
    sns.despine(ax=ax)
    return ax


def _term(name: str) -> str:
    if name.startswith("C(") and "[T." in name:
        return name[name.index("[T.") + 3 : -1].replace("_", " ")
    return label(name)
