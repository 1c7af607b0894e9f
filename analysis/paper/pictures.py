"""The paper's six figures on the published results, and one of ours: what is left of the drop in each arm."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import topograph as tg
from analysis import figures
from analysis.figures.style import legend_beside, markers, palette
from analysis.paper.reasons import drops
from analysis.paper.results import DEEP, MAIN, OTHER_WIDTHS, SIX, PaperResults

ALL = (*SIX, "dense")
Drawing = Callable[[PaperResults], Figure | None]


def constructions(results: PaperResults) -> Figure:
    """Figure 1: the six constructions, small."""
    figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained")
    for ax, construction in zip(axes.flat, SIX, strict=True):
        figures.mask_image(tg.construct(construction, 60, 40, degree=8, seed=0), ax)
        ax.set_title(construction.replace("_", " "), fontsize=10)
    return figure


def accuracy_over_density(results: PaperResults) -> Figure | None:
    """Figure 2: accuracy over the density of the first layer, and over the degrees of both layers."""
    networks = results.networks(constructions=ALL)
    if networks.empty:
        return None
    widths = [results.networks(architecture=one, second=None) for one in (MAIN, *OTHER_WIDTHS.values())]
    thinned = [both for both in widths if both["second"].nunique() > 2 and both["first"].nunique() > 1]
    figure = plt.figure(figsize=(12, 8) if thinned else (8, 4), layout="constrained")
    above, *below = figure.subfigures(1 + bool(thinned), 1, squeeze=False)[:, 0]
    lines = above.subplots()
    _lines(networks, lines, legend=True)
    lines.set_title("the paper's setting, all outputs connected", fontsize=10)
    for row in below:
        for both, ax in zip(thinned, row.subplots(1, len(thinned), squeeze=False)[0], strict=True):
            figures.accuracy_over_degrees(both, ax)
            ax.set_title(both["architecture"].iloc[0], fontsize=10)
    return figure


def accuracy_by_construction(results: PaperResults) -> Figure | None:
    """Figure 3: accuracy by construction, at low degrees and at all."""
    networks = results.networks(constructions=ALL)
    if networks.empty:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(12, 3.6), layout="constrained", sharey=True)
    figures.accuracy_by_construction(networks, axes[0], highest_degree=9)
    figures.accuracy_by_construction(networks, axes[1])
    return figure


def dropout_and_depth(results: PaperResults) -> Figure | None:
    """Figure 4: accuracy with dropout, and of a deeper network."""
    panels = [
        (results.networks("dropout", constructions=ALL), f"{MAIN}, dropout"),
        (results.networks("faster", architecture=DEEP, constructions=ALL), f"{DEEP}, rate 0.1"),
        (results.networks(architecture=DEEP, constructions=ALL), f"{DEEP}, rate 0.01"),
    ]
    panels = [(networks, title) for networks, title in panels if len(networks)]
    if not panels:
        return None
    figure, axes = plt.subplots(1, len(panels), figsize=(5.5 * len(panels), 4), layout="constrained", squeeze=False)
    for ax, (networks, title) in zip(axes[0], panels, strict=True):
        _lines(networks, ax, legend=ax is axes[0, -1])
        ax.set_title(title, fontsize=10)
    return figure


def connectivity(results: PaperResults) -> Figure | None:
    """Figure 5: connectivity by construction, and accuracy against it."""
    networks = results.networks()
    if networks["l1_normalized_gap"].nunique() < 2:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(13, 4), layout="constrained")
    figures.metric_by_degree(networks, axes[0], metric="l1_normalized_gap")
    axes[0].get_legend().remove()
    figures.accuracy_against_metric(networks, axes[1], metric="l1_normalized_gap")
    return figure


def weights(results: PaperResults) -> Figure | None:
    """Figure 6: the standard deviation and the largest of the trained weights."""
    networks = results.networks(constructions=ALL)
    if networks.empty:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(13, 4), layout="constrained")
    for ax, metric in zip(axes, ("l1_weight_std", "l1_weight_max"), strict=True):
        figures.metric_by_degree(networks, ax, metric=metric)
    axes[0].get_legend().remove()
    return figure


def arms(results: PaperResults) -> Figure | None:
    """What is left of the distance to the dense network in each arm."""
    table = drops(results)
    table = table[table["estimate"].notna()]
    if table["arm"].nunique() < 2:
        return None
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for marker, (arm, rows) in zip("osD^", table.groupby("arm", sort=False), strict=False):
        rows = rows.sort_values("share")
        below, above = (rows["estimate"] - rows["low"]).fillna(0), (rows["high"] - rows["estimate"]).fillna(0)
        ax.errorbar(100 * rows["share"], rows["estimate"], yerr=[below, above], marker=marker, capsize=3, label=arm)
    ax.axhline(0, color="0.6", linewidth=0.8)
    _densities_below(ax)
    ax.set_ylabel("accuracy minus that of the dense network, in points")
    ax.legend(title="arm", frameon=False)
    return figure


DRAWINGS: dict[str, Drawing] = {
    "figure-1": constructions,
    "figure-2": accuracy_over_density,
    "figure-3": accuracy_by_construction,
    "figure-4": dropout_and_depth,
    "figure-5": connectivity,
    "figure-6": weights,
    "figure-7": arms,
}
"""Name → what draws it."""
CAPTIONS = {
    "figure-1": "the six constructions, 60 inputs and 40 outputs, degree 8",
    "figure-2": "accuracy over the density of the first layer, and, once trained, over the degrees of both layers",
    "figure-3": "accuracy by construction, up to 3 % of the first layer and at all densities",
    "figure-4": "accuracy with dropout, and of a deeper network",
    "figure-5": "connectivity of the first layer by construction and degree, and accuracy against it",
    "figure-6": "standard deviation and maximum of the trained weights of the first layer",
    "figure-7": "distance from the dense network in each arm (the paper has no such figure)",
}
"""Name → what it shows."""


def drawn(results: PaperResults) -> dict[str, Figure]:
    """Every figure whose networks have been trained; they are closed, and can still be saved."""
    found = {name: drawing(results) for name, drawing in DRAWINGS.items()}
    plt.close("all")
    return {name: figure for name, figure in found.items() if figure is not None}


def _lines(networks: pd.DataFrame, ax: Axes, *, legend: bool) -> None:
    """Mean accuracy of each construction over the density of the first layer; the dense network as a line across."""
    colours, signs = palette(networks["construction"]), markers(networks["construction"])
    for construction in (name for name in ALL if name in set(networks["construction"])):
        rows = networks[networks["construction"] == construction]
        if construction == "dense":
            ax.axhline(rows["accuracy"].mean(), color=colours[construction], linestyle="--", label=construction)
            continue
        means = rows.groupby("share")["accuracy"].mean()
        ax.plot(100 * means.index, means, color=colours[construction], marker=signs[construction], label=construction)
    _densities_below(ax)
    ax.set_ylabel("test accuracy in %")
    if legend:
        legend_beside(ax)


def _densities_below(ax: Axes) -> None:
    ax.set_xscale("log")
    shown = ax.get_xlim()
    ax.set_xticks([1, 2, 3, 5, 10, 20, 30, 50, 75, 100])
    ax.set_xlim(shown)
    ax.minorticks_off()
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("density of the first layer in %")
