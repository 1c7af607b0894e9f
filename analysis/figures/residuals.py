"""The residuals of a fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from scipy import stats

from analysis.figures.registry import figure
from analysis.figures.style import MOST_SHAPES, label
from analysis.regression import Fit

__all__ = ["residual_quantiles", "residuals_against_fitted"]


@figure()
def residuals_against_fitted(fit: Fit, ax: Axes) -> None:
    """Seen minus fitted, against fitted: a bend means a term is missing, a funnel that the spread is not equal.

    The line joins the medians of tenths of the runs.

    Parameters
    ----------
    fit
        Regression from `analysis.fit`.
    """
    fitted, rest = _residuals(fit)
    first, second = sns.color_palette("colorblind")[:2]
    ax.plot(fitted, rest, "o", color=first, markersize=3.5, alpha=0.5, rasterized=len(rest) > MOST_SHAPES)
    tenths = pd.qcut(fitted, 10, labels=False, duplicates="drop")
    medians = pd.DataFrame({"fitted": fitted, "rest": rest}).groupby(tenths).median()
    ax.plot(medians["fitted"], medians["rest"], color=second, linewidth=1.8)
    ax.axhline(0, color="0.5", linewidth=1)
    ax.set_xlabel(f"fitted {_outcome(fit)}")
    ax.set_ylabel("seen − fitted")
    sns.despine(ax=ax)


@figure()
def residual_quantiles(fit: Fit, ax: Axes) -> None:
    """Standardised residuals against the quantiles of the normal distribution: on the line when they are normal.

    Parameters
    ----------
    fit
        Regression from `analysis.fit`.
    """
    _, rest = _residuals(fit)
    values = np.sort((rest - rest.mean()) / rest.std(ddof=1))
    expected = stats.norm.ppf((np.arange(values.size) + 0.5) / values.size)
    first = sns.color_palette("colorblind")[0]
    ax.plot(expected, values, "o", color=first, markersize=3.5, alpha=0.6, rasterized=len(values) > MOST_SHAPES)
    ends = np.array([expected[0], expected[-1]])
    ax.plot(ends, ends, color="0.4", linewidth=1)
    ax.set_xlabel("quantile of the normal distribution")
    ax.set_ylabel("residual, in standard deviations")
    sns.despine(ax=ax)


def _residuals(fit: Fit) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return fit.fitted_values, fit.problem.outcome - fit.fitted_values


def _outcome(fit: Fit) -> str:
    return "accuracy" if fit.model == "binomial" else label(fit.formula.split("~")[0].strip())
