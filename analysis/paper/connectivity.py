"""The claims about connectivity: that it differs, that accuracy goes with it, and rather than with density; weights."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.correlation import correlate
from analysis.effects import Effect, effect
from analysis.paper.constructions import name
from analysis.paper.densities import percent
from analysis.paper.intervals import signed
from analysis.paper.judgement import HOLDS, IN_PART, NOT_HERE, UNTOLD, Judgement, not_run
from analysis.paper.results import PaperResults
from topograph.errors import InsufficientDataError

MEASURES = {"l1_algebraic_connectivity": "algebraic connectivity", "l1_normalized_gap": "normalized gap"}
"""The paper's two measures of connectivity, of the first layer."""
_FEW = 12


def connectivity_differs(results: PaperResults) -> Judgement:
    """Connectivity differs between constructions."""
    networks = results.networks()
    topologies = networks.drop_duplicates("topology_id")
    if topologies["construction"].nunique() < 2:
        return not_run("topologies of two constructions")
    words, different = [], []
    for share in (0.01, 0.1, 0.3):
        chosen = topologies[topologies["share"] == share]
        for column, label in MEASURES.items():
            means = chosen.groupby("construction")[column].mean().sort_values()
            if len(means) < 2:
                continue
            spread = chosen.groupby("construction")[column].std().max()
            different.append(means.iloc[-1] - means.iloc[0] > 3 * (0 if np.isnan(spread) else spread))
            words.append(
                f"{percent(share)}, {label}: {means.iloc[0]:.3g} ({name(means.index[0])}) to {means.iloc[-1]:.3g} "
                f"({name(means.index[-1])})"
            )
    verdict = HOLDS if all(different) else IN_PART if any(different) else NOT_HERE
    return Judgement.on([topologies], "; ".join(words), verdict)


def connectivity_correlates(results: PaperResults) -> Judgement:
    """Accuracy goes with connectivity, density not held fixed."""
    networks = results.networks()
    if networks["topology_id"].nunique() < _FEW:
        return not_run(f"{_FEW} topologies in the paper's setting")
    table = correlate(networks, "test_accuracy", list(MEASURES), methods=["spearman"], cells=["degrees"])
    words = [f"{MEASURES[row['metric']]}: ρ {_correlation(row)}" for _, row in table.iterrows()]
    clear = [row["low"] > 0 for _, row in table.iterrows()]
    verdict = HOLDS if all(clear) else IN_PART if any(clear) else UNTOLD
    return Judgement.on([networks], "; ".join(words), verdict)


def rather_than_density(results: PaperResults) -> Judgement:
    """It is connectivity rather than density."""
    return within_degrees(results, "paper")


def within_degrees(results: PaperResults, arm: str) -> Judgement:
    """Accuracy against connectivity among networks of equal degrees, beside density alone.

    Correlation and slope must both be told from 0 for a verdict.
    """
    networks = results.networks(arm)
    if networks["topology_id"].nunique() < _FEW:
        return not_run(f"{_FEW} topologies")
    table = correlate(networks, "test_accuracy", list(MEASURES), methods=["within_cell"], cells=["degrees"])
    density = correlate(networks, "test_accuracy", "l1_log_density", methods=["spearman"], cells=["degrees"]).iloc[0]
    words = [f"density alone: ρ {_correlation(density)}"]
    positive, negative = [], []
    for _, row in table.iterrows():
        found = _effect(networks, row["metric"])
        points = "" if found is None else f", {_points(found)}"
        words.append(f"{MEASURES[row['metric']]} with degrees held fixed: r {_correlation(row)}{points}")
        positive.append(row["low"] > 0 and (found is None or found.low > 0))
        negative.append(row["high"] < 0 and (found is None or found.high < 0))
    if all(positive):
        verdict = HOLDS
    elif any(positive):
        verdict = IN_PART
    else:
        verdict = NOT_HERE if any(negative) else UNTOLD
    return Judgement.on([networks], "; ".join(words), verdict)


def weights_grow(results: PaperResults) -> Judgement:
    """Weights grow with sparsity, and not with the construction."""
    networks, dense = results.networks(), results.dense()
    shares = results.shares()
    if len(shares) < 2:
        return not_run("the paper's setting at two densities")
    means = networks.pivot_table(index="share", columns="construction", values="l1_weight_std").sort_index()
    grows = bool((means.diff().iloc[1:] < 0).all(axis=None))
    spread = means.max(axis=1) / means.min(axis=1) - 1
    over_densities = means.mean(axis=1).iloc[0] / means.mean(axis=1).iloc[-1]
    words = [
        "standard deviation of the first layer's weights: "
        + ", ".join(f"{percent(share)} {means.loc[share].mean():.3f}" for share in shares if share in means.index)
        + (f", dense {dense['l1_weight_std'].mean():.3f}" if len(dense) else ""),
        f"constructions of equal degree differ by at most {spread.max():.0%} (at {percent(spread.idxmax())}), "
        f"densities by a factor of {over_densities:.1f}",
    ]
    independent = spread.max() < 0.1
    verdict = HOLDS if grows and independent else IN_PART if grows or independent else NOT_HERE
    return Judgement.on([networks, dense], "; ".join(words), verdict)


def _correlation(row: pd.Series) -> str:
    return f"{signed(row['estimate'])} ({signed(row['low'])} … {signed(row['high'])})"


def _effect(networks: pd.DataFrame, metric: str) -> Effect | None:
    """The same as a slope, where it can be told."""
    try:
        return effect(networks, metric, cells=["degrees"])
    except InsufficientDataError:
        return None


def _points(found: Effect) -> str:
    return (
        f"{signed(found.points)} points per standard deviation ({signed(found.low)} … {signed(found.high)}; "
        f"{found.detectable:.2f} could have been seen)"
    )
