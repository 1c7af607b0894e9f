"""The claims about density: how far a layer can be thinned out, beside dropout, and in a deeper network."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from analysis.paper.intervals import MARGIN, Interval, difference, mean_interval, signed
from analysis.paper.judgement import HOLDS, IN_PART, NOT_HERE, UNTOLD, Judgement, not_run
from analysis.paper.results import DEEP, MAIN, OTHER_WIDTHS, SIX, PaperResults

_SHOWN = (0.75, 0.5, 0.3, 0.1, 0.05, 0.01)
_SHOWN_DEGREES = (1, 2, 5, 8)  # of the second layer


def gap_to_dense(
    results: PaperResults, arm: str, share: float, architecture: str = MAIN
) -> tuple[Interval, list[pd.DataFrame]]:
    """How far the six constructions are from the dense network at a density of the first layer.

    The mean over constructions of their mean accuracies, minus that of the dense networks; the constructions are taken
    as a sample of what could be built at this density.

    Returns
    -------
    Interval, list of DataFrame
        The difference in points, and the networks that it rests on.
    """
    sparse, dense = results.networks(arm, architecture=architecture, share=share), results.dense(arm, architecture)
    means = sparse.groupby("construction")["accuracy"].mean()
    return difference(means, dense["accuracy"]), [sparse, dense]


def first_layer(results: PaperResults) -> Judgement:
    """No drop until well below 10 % of the first layer's edges."""
    shares = results.shares()
    dense = results.dense()
    if not shares or len(dense) < 2:
        return not_run("the paper's setting and its dense counterpart")
    gaps = {share: gap_to_dense(results, "paper", share) for share in shares}
    high = [gap for share, (gap, _) in gaps.items() if share >= 0.1]
    words = [f"{percent(share)}: {gap}" for share, (gap, _) in gaps.items() if share in _SHOWN]
    measured = f"dense {dense['accuracy'].mean():.2f} %; against it at {'; '.join(words)}"
    return Judgement.on([frame for _, frames in gaps.values() for frame in frames], measured, no_drop(high))


def second_layer(results: PaperResults) -> Judgement:
    """No drop until the second layer is very sparse, at each density of the first."""
    drops = _second_layer_drops(results, MAIN).groupby(["share", "second"]).filter(lambda rows: len(rows) > 1)
    if drops.empty:
        return not_run("networks with fewer edges in the second layer")
    words, verdicts = [], []
    for share, cells in drops.groupby("share"):
        gaps = {degree: mean_interval(rows["drop"]) for degree, rows in cells.groupby("second")}
        shown = [f"{degree:g} of 10 outputs {gap}" for degree, gap in gaps.items() if degree in _SHOWN_DEGREES]
        words.append(f"first layer at {percent(share)}: {', '.join(shown)}")
        verdicts.append(no_drop([gap for degree, gap in gaps.items() if degree >= 2]))
    measured = f"against all 10 outputs of each hidden neuron, {'; '.join(words)}"
    verdict = verdicts[0] if len(set(verdicts)) == 1 else IN_PART if HOLDS in verdicts else NOT_HERE
    return Judgement.on(_runs(results, drops["runs"]), measured, verdict)


def second_layer_by_width(results: PaperResults) -> Judgement:
    """A sparse second layer costs 100 hidden neurons as much as 300, construction by construction."""
    wide, narrow = (_second_layer_drops(results, architecture) for architecture in (MAIN, OTHER_WIDTHS[100]))
    both = wide.merge(narrow, on=["share", "second", "construction"], suffixes=("", "_narrow"))
    both = both.groupby(["share", "second"]).filter(lambda rows: len(rows) > 1)
    if both.empty:
        return not_run("networks with 100 and 300 hidden neurons and fewer edges in the second layer")
    words, differences = [], []
    for share, cells in both.groupby("share"):
        shown = []
        for degree, rows in cells.groupby("second"):
            differences.append(mean_interval(rows["drop_narrow"] - rows["drop"]))
            here, there = signed(rows["drop_narrow"].mean()), signed(rows["drop"].mean())
            if degree in _SHOWN_DEGREES:
                shown.append(f"{degree:g} of 10 outputs {here} against {there}, that is {differences[-1]} more")
        words.append(f"first layer at {percent(share)}: {', '.join(shown)}")
    runs = _runs(results, [*both["runs"], *both["runs_narrow"]])
    return Judgement.on(runs, f"100 hidden neurons against 300, {'; '.join(words)}", _alike(differences))


def _second_layer_drops(results: PaperResults, architecture: str) -> pd.DataFrame:
    """One row per density of the first layer, degree of the second and construction: the mean drop, and its runs."""
    every = results.networks(architecture=architecture, second=None)
    pairs = _pairs(every[every["second"] < 10], every[every["second"] == 10])
    pairs = pairs.assign(drop=pairs["accuracy"] - pairs["accuracy_other"])
    cells = pairs.groupby(["share", "second", "construction"])
    rows = [(*cell, group["drop"].mean(), {*group["run_id"], *group["run_id_other"]}) for cell, group in cells]
    return pd.DataFrame(rows, columns=["share", "second", "construction", "drop", "runs"])


def _runs(results: PaperResults, groups: Iterable[set[str]]) -> list[pd.DataFrame]:
    """The networks of some sets of runs, each once."""
    return [results.frame[results.frame["run_id"].isin(set().union(*groups))]]


def dropout(results: PaperResults, without: str = "paper", dropping: str = "dropout") -> Judgement:
    """Sparsity and dropout act independently, in one arm without it and one with it."""
    dense, plain = results.dense(dropping), results.dense(without)
    shares = [share for share in results.shares(dropping) if share in results.shares(without)]
    if not shares or len(dense) < 2 or len(plain) < 2:
        return not_run("networks with dropout and their dense counterparts")
    of_dense = difference(dense["accuracy"], plain["accuracy"])
    words, interactions, frames = [f"dense {of_dense}"], [], [dense, plain]
    for share in shares:
        pair, used = _paired(results.networks(dropping, share=share), results.networks(without, share=share), ["seed"])
        if len(pair) < 2:
            continue
        change = mean_interval(pair)
        interactions.append(_difference_of(change, of_dense))
        words.append(f"{percent(share)} {change}, that is {interactions[-1]} more")
        frames += used
    if not interactions:
        return not_run("networks with dropout that were also trained without")
    return Judgement.on(frames, f"dropout changes accuracy by: {'; '.join(words)}", _alike(interactions))


def widths(results: PaperResults) -> Judgement:
    """Sparsity costs hidden layers of other widths as much."""
    words, differences, frames = [], [], []
    shares = [share for share in results.shares() if share in _SHOWN]
    for width, architecture in OTHER_WIDTHS.items():
        common = [share for share in shares if share in results.shares("paper", architecture)]
        if not common or len(results.dense("paper", architecture)) < 2 or len(results.dense()) < 2:
            return not_run("networks with 100, 300 and 500 hidden neurons, and their dense counterparts")
        each = []
        for share in common:
            (gap, used), (main, of_main) = (gap_to_dense(results, "paper", share, one) for one in (architecture, MAIN))
            each.append(f"{percent(share)} {gap}")
            differences.append(_difference_of(gap, main))
            frames += [*used, *of_main]
        dense = results.dense("paper", architecture)["accuracy"].mean()
        words.append(f"{width} hidden neurons: dense {dense:.2f} %; against it at {', '.join(each)}")
    return Judgement.on(frames, "; ".join(words), _alike(differences))


def deeper(results: PaperResults) -> Judgement:
    """A deeper network gains 0.15 points at 30 %."""
    words, gaps, frames = [], [], []
    for arm, label in (("paper", "rate 0.01"), ("faster", "rate 0.1")):
        if 0.3 in results.shares(arm, DEEP) and len(results.dense(arm, DEEP)):
            dense = results.dense(arm, DEEP)["accuracy"]
            gap, used = gap_to_dense(results, arm, 0.3, DEEP)
            gaps.append(gap)
            words.append(f"{label}: dense {dense.mean():.2f} %, at 30 % {gap}")
            frames += used
    if not gaps:
        return not_run(f"{DEEP} at 30 % and dense")
    if not all(gap.known for gap in gaps):
        verdict = UNTOLD
    elif all(gap.above for gap in gaps):
        verdict = HOLDS
    elif any(gap.above for gap in gaps):
        verdict = IN_PART
    else:
        verdict = NOT_HERE if all(gap.high < 0.15 for gap in gaps) else UNTOLD
    return Judgement.on(frames, "; ".join(words), verdict)


def _alike(differences: list[Interval]) -> str:
    """The verdict on "these are equal": all differences are smaller than the margin, or some is larger."""
    if any(one.low > MARGIN or one.high < -MARGIN for one in differences):
        return NOT_HERE
    return HOLDS if all(one.low > -MARGIN and one.high < MARGIN for one in differences) else UNTOLD


def no_drop(gaps: list[Interval]) -> str:
    """The verdict on "no drop": every loss is smaller than the margin, or some is larger."""
    if any(gap.high < -MARGIN for gap in gaps):
        return NOT_HERE
    return HOLDS if gaps and all(gap.low > -MARGIN for gap in gaps) else UNTOLD


def percent(share: float) -> str:
    """A share as a percentage.

    Examples
    --------
    >>> percent(0.3), percent(0.015)
    ('30 %', '1.5 %')
    """
    return f"{100 * share:g} %"


def table_of_means(results: PaperResults, arm: str = "paper", architecture: str = MAIN) -> pd.DataFrame:
    """Mean test accuracy in %: one row per construction, one column per density of the first layer."""
    networks = results.networks(arm, architecture=architecture, constructions=[*SIX, "dense"])
    table = networks.pivot_table(index="construction", columns="share", values="accuracy", aggfunc="mean")
    return table.reindex([name for name in (*SIX, "dense") if name in table.index])


def _pairs(first: pd.DataFrame, second: pd.DataFrame, seeds: list[str] | None = None) -> pd.DataFrame:
    """Networks that agree in construction, first degree and seeds: columns of the second's end with "_other"."""
    key = ["construction", "first", *(["topology_seed", "seed"] if seeds is None else seeds)]
    return first.merge(second, on=key, suffixes=("", "_other"))


def _paired(
    first: pd.DataFrame, second: pd.DataFrame, seeds: list[str] | None = None
) -> tuple[pd.Series, list[pd.DataFrame]]:
    """Differences of networks that agree in construction, first degree and seeds, and the networks."""
    pairs = _pairs(first, second, seeds)
    used = [
        frame[frame["run_id"].isin(pairs[column])] for frame, column in ((first, "run_id"), (second, "run_id_other"))
    ]
    return pairs["accuracy"] - pairs["accuracy_other"], used


def paired_difference(first: pd.DataFrame, second: pd.DataFrame) -> tuple[Interval, list[pd.DataFrame]]:
    """Mean difference of networks that agree in construction, first degree and seed of the training."""
    values, used = _paired(first, second, ["seed"])
    return mean_interval(values), used


def _difference_of(first: Interval, second: Interval) -> Interval:
    """The difference of two independent intervals, their halves added in squares."""
    estimate = first.estimate - second.estimate
    half = (((first.high - first.low) / 2) ** 2 + ((second.high - second.low) / 2) ** 2) ** 0.5
    return Interval(estimate, estimate - half, estimate + half)


def remaining(before: Interval, after: Interval) -> str:
    """What is left of a loss, in words."""
    return f"{signed(before.estimate)} → {after}"
