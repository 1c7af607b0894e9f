"""Accuracy over the design: by construction, over both degrees, over epochs; and how metrics go together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import MatplotlibDeprecationWarning
from matplotlib.axes import Axes
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from analysis.figures.registry import figure
from analysis.figures.style import MOST_SHAPES, construction_order, escaped, label, legend_beside, palette
from analysis.frame import layer_degrees
from analysis.guards import is_constant
from analysis.prediction import Prediction
from topograph.errors import InsufficientDataError, UnknownNameError

__all__ = [
    "accuracy_by_construction",
    "accuracy_over_degrees",
    "learning_curves",
    "metric_heatmap",
    "predicted_against_seen",
]

_FEW = 12  # metrics whose names have room


@figure("outcome")
def accuracy_by_construction(
    frame: pd.DataFrame, ax: Axes, *, outcome: str = "test_accuracy", highest_degree: float | None = None
) -> None:
    """The accuracies of each construction as boxes over single runs (the paper's figure 3).

    Parameters
    ----------
    highest_degree
        Highest degree shown: only networks whose first layer has at most this degree; dense ones stay, to compare with.
    """
    if highest_degree is not None:
        frame = frame[(layer_degrees(frame, 1) <= highest_degree) | (frame["construction"] == "dense")]
    if frame.empty:
        raise InsufficientDataError(f"no run has a first degree of at most {highest_degree}")
    names = construction_order(frame["construction"])
    colours = palette(frame["construction"])
    shared: dict[str, Any] = {"data": frame, "x": outcome, "y": "construction", "order": names, "ax": ax}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MatplotlibDeprecationWarning)  # seaborn 0.13 passes an argument renamed since
        sns.boxplot(
            **shared, hue="construction", hue_order=names, palette=colours, showfliers=False, width=0.6, legend=False
        )
    # points beside each other at random, the same in every report
    heights = frame["construction"].map({name: place for place, name in enumerate(names)}).to_numpy(dtype=float)
    heights += np.random.default_rng(0).uniform(-0.25, 0.25, size=len(frame))
    ax.plot(frame[outcome], heights, "o", color="0.2", markersize=2, alpha=0.5, markeredgewidth=0,
            rasterized=len(frame) > MOST_SHAPES)  # fmt: skip
    ax.set_xlabel(label(outcome) + ("" if highest_degree is None else f" (first degree up to {highest_degree:g})"))
    ax.set_ylabel("")
    sns.despine(ax=ax)


@figure("outcome")
def accuracy_over_degrees(
    frame: pd.DataFrame, ax: Axes, *, outcome: str = "test_accuracy", construction: str | None = None
) -> None:
    """Mean accuracy over the degrees of the first two layers, as a map (the paper's figure 2).

    Parameters
    ----------
    outcome
        The column shown by colour and number.
    construction
        Only networks of this construction; all by default. Dense ones have no degree, and are left out.
    """
    sparse = frame[frame["construction"] != "dense"]
    if construction is not None:
        if construction not in set(sparse["construction"]):
            raise UnknownNameError.among("construction in this study", construction, set(sparse["construction"]))
        sparse = sparse[sparse["construction"] == construction]
    first, second = layer_degrees(sparse, 1), layer_degrees(sparse, 2)
    table = sparse[outcome].groupby([second, first]).mean().unstack().sort_index(ascending=False)
    if table.empty:
        raise InsufficientDataError("a map over two degrees needs networks with at least two layers")
    sns.heatmap(
        table, cmap="cividis", annot=True, fmt=".3f", annot_kws={"size": 8}, cbar_kws={"label": label(outcome)}, ax=ax
    )
    ax.set_xticklabels([f"{value:g}" for value in table.columns])
    ax.set_yticklabels([f"{value:g}" for value in table.index], rotation=0)
    ax.set_xlabel("degree of the inputs of layer 1")
    ax.set_ylabel("degree of the inputs of layer 2")


@figure("value")
def learning_curves(curves: pd.DataFrame, ax: Axes, *, value: str = "test_accuracy") -> None:
    """The mean of each construction after each epoch.

    Parameters
    ----------
    curves
        Histories from `analysis.frame.load_learning_curves`.
    value
        ``"test_accuracy"``, ``"train_accuracy"`` or ``"loss"``.
    """
    names = construction_order(curves["construction"])
    sns.lineplot(
        curves, x="epoch", y=value, hue="construction", hue_order=names, palette=palette(names), style="construction",
        style_order=names, errorbar=None, ax=ax,
    )  # fmt: skip
    ax.set_ylabel(label(value))
    legend_beside(ax)
    sns.despine(ax=ax)


@figure("metrics")
def metric_heatmap(frame: pd.DataFrame, ax: Axes, *, metrics: Sequence[str]) -> None:
    """Spearman correlations between metrics, those that go together side by side.

    Parameters
    ----------
    frame
        One row per run; each topology counts once.
    metrics
        Columns of the metrics; those that do not vary are left out.
    """
    values = frame.drop_duplicates("topology_id")[list(metrics)]
    values = values.loc[:, [not is_constant(values[name].dropna()) for name in values.columns]]
    if values.shape[1] < 2:
        raise InsufficientDataError("fewer than two metrics vary: there is nothing to compare")
    matrix = values.corr("spearman").fillna(0)
    distance = squareform(np.clip(1 - matrix.abs().to_numpy(), 0, None), checks=False)
    order = leaves_list(linkage(distance, "average", optimal_ordering=True))
    matrix = matrix.iloc[order, order]
    names = [label(name) for name in matrix.columns]
    sns.heatmap(
        matrix, cmap="vlag", vmin=-1, vmax=1, square=True, xticklabels=names, yticklabels=names,
        cbar_kws={"label": "Spearman correlation", "shrink": 0.6}, ax=ax,
    )  # fmt: skip
    ax.tick_params(labelsize=7 if len(names) > _FEW else 9)


@figure()
def predicted_against_seen(prediction: Prediction, ax: Axes, *, which: str) -> None:
    """Predictions of held-out runs against what was seen; on the diagonal, both are equal.

    Parameters
    ----------
    prediction
        Prediction from `analysis.predict_unseen`.
    which
        Column of ``prediction.predictions``, such as ``"construction/ridge/density"``.
    """
    table = prediction.predictions
    if which not in table.columns:
        raise UnknownNameError.among("prediction", which, [c for c in table.columns if "/" in c])
    seen, predicted = table[prediction.outcome], table[which]
    ax.plot(seen, predicted, "o", color=sns.color_palette("colorblind")[0], markersize=3.5, alpha=0.5,
            rasterized=len(table) > MOST_SHAPES)  # fmt: skip
    ends = [min(seen.min(), predicted.min()), max(seen.max(), predicted.max())]
    ax.plot(ends, ends, color="0.4", linewidth=1)
    column, learner, features = which.split("/", 2)
    ax.set_xlabel(f"{label(prediction.outcome)} seen")
    ax.set_ylabel(f"predicted by {learner} from {escaped(features)}")
    ax.set_title(f"each {escaped(column)} predicted from the others", fontsize=10)
    sns.despine(ax=ax)
