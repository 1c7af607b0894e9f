"""Estimates with their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from analysis.figures.registry import figure
from analysis.figures.style import escaped, label
from analysis.regression import Fit

__all__ = ["coefficient_forest", "correlation_forest"]

METHOD_WORDS = {
    "pearson": "raw",
    "spearman": "raw, ranks",
    "partial": "density held fixed by regression",
    "within_cell": "density held fixed within cells",
    "within_cell_partial": "density held fixed within cells and by regression",
}
_MARK, _LETTER = 0.6, 0.08  # inches of an entry of the legend


@figure()
def correlation_forest(
    table: pd.DataFrame, ax: Axes, *, methods: tuple[str, ...] = ("pearson", "partial", "within_cell")
) -> None:
    """Correlations with their intervals, one line per metric, the methods side by side.

    Parameters
    ----------
    table
        Correlations from `analysis.correlate`.
    methods
        Methods to show.
    """
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
            label=METHOD_WORDS.get(method, method),
        )
    ax.axvline(0, color="0.6", linewidth=1)
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(-1.02, 1.02)
    ax.set_xlabel(f"correlation with {label(str(table.attrs.get('outcome', 'test_accuracy')))} (95 % interval)")
    words = [METHOD_WORDS.get(method, method) for method in methods]
    fits = sum(_MARK + _LETTER * len(entry) for entry in words) <= ax.figure.get_figwidth()  # type: ignore[union-attr]
    ax.figure.legend(frameon=False, loc="outside upper center", ncols=len(methods) if fits else 1)
    sns.despine(ax=ax)


@figure()
def coefficient_forest(fit: Fit, ax: Axes, *, unit: str = "accuracy") -> None:
    """Coefficients times the standard deviation of their column, with intervals; the intercept left out.

    Parameters
    ----------
    fit
        Regression from `analysis.fit`.
    unit
        Unit of the coefficients: ``"accuracy"`` for a linear model, ``"log odds"`` for a binomial one.
    """
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


def _term(name: str) -> str:
    if name.startswith("C(") and "[T." in name:
        return escaped(name[name.index("[T.") + 3 : -1].replace("_", " "))
    return label(name)
