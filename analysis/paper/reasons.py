"""Questions of our own: what of it comes from the initial weights, from stopping early, from the image."""

from __future__ import annotations

import pandas as pd

from analysis.paper.connectivity import within_degrees
from analysis.paper.constructions import differences_at_equal_degree, name
from analysis.paper.densities import dropout, gap_to_dense, paired_difference, percent
from analysis.paper.intervals import MARGIN, Interval, difference, mean_interval, signed
from analysis.paper.judgement import HOLDS, IN_PART, NOT_HERE, UNTOLD, Judgement, not_run
from analysis.paper.results import SIX, PaperResults

INDEPENDENT = ("random_edge", "random_regular")
"""The constructions whose rows are drawn one by one; the rows of the other four are rotations of one row."""


def initial_weights(results: PaperResults) -> Judgement:
    """The drop comes from initial weights that are too small for few edges."""
    return _less_drop(results, "fans", "initial weights by the degrees")


def stopping_early(results: PaperResults) -> Judgement:
    """The drop comes from stopping in the middle of training."""
    return _less_drop(results, "converged", "trained until it no longer improves")


def both(results: PaperResults) -> Judgement:
    """The drop comes from both."""
    return _less_drop(results, "converged fans", "both")


def constructions_after_training(results: PaperResults) -> Judgement:
    """Constructions still differ when trained until they no longer improve."""
    return differences_at_equal_degree(results, "converged")


def connectivity_after_training(results: PaperResults) -> Judgement:
    """Connectivity matters at equal degree when trained until it no longer improves."""
    return within_degrees(results, "converged")


def alignment(results: PaperResults) -> Judgement:
    """Structured constructions owe their accuracy to how they lie on the image."""
    return _alignment(results, "paper")


def alignment_after_training(results: PaperResults) -> Judgement:
    """The same, trained until it no longer improves."""
    return _alignment(results, "converged")


def dropout_after_training(results: PaperResults) -> Judgement:
    """Sparsity and dropout act independently when networks are trained until they no longer improve."""
    return dropout(results, "converged", "converged dropout")


def independent_rows(results: PaperResults) -> Judgement:
    """Rows drawn independently overtake rotated rows once training no longer improves."""
    found = {arm: _independent_less_rotated(results, arm) for arm in ("paper", "converged")}
    if any(frame.empty for frame in found.values()):
        return not_run("all six constructions at equal degrees, in the paper's setting and trained on")
    shares = sorted(set(found["paper"]["share"]) & set(found["converged"]["share"]))
    words, gaps = [], {}
    for arm, label in (("paper", "the paper's setting"), ("converged", "trained until it no longer improves")):
        table = found[arm][found[arm]["share"].isin(shares)]
        gaps[arm] = mean_interval(table["gap"])
        means = table.groupby("share")["gap"].mean()
        each = ", ".join(f"{percent(share)} {signed(mean)}" for share, mean in means.items())
        words.append(f"{label} {gaps[arm]} ({each})")
    used = [results.networks(arm) for arm in found]
    frames = [frame[frame["share"].isin(shares)] for frame in used]
    if gaps["converged"].above:
        verdict = IN_PART if gaps["paper"].above else HOLDS
    else:
        verdict = NOT_HERE if gaps["converged"].below else UNTOLD
    measured = f"random edge and random regular less the four rotating constructions: {'; '.join(words)}"
    return Judgement.on(frames, measured, verdict)


def _independent_less_rotated(results: PaperResults, arm: str) -> pd.DataFrame:
    """One row per density and seed at which all six were trained: columns ``share``, ``seed``, ``gap`` in points."""
    networks = results.networks(arm)
    table = networks.pivot_table(index=["share", "seed"], columns="construction", values="accuracy")
    table = table.reindex(columns=list(SIX)).dropna()
    gap = table[list(INDEPENDENT)].mean(axis=1) - table.drop(columns=list(INDEPENDENT)).mean(axis=1)
    return gap.rename("gap").reset_index()


def rewired_connectivity(results: PaperResults) -> Judgement:
    """More connectivity at exactly equal degrees brings accuracy: masks that were rewired up and down."""
    return _rewired(results, "paper")


def rewired_after_training(results: PaperResults) -> Judgement:
    """The same, trained until it no longer improves."""
    return _rewired(results, "converged")


def _rewired(results: PaperResults, arm: str) -> Judgement:
    words, gaps, frames = [], [], []
    up = results.networks(arm, variant="max algebraic_connectivity")
    down = results.networks(arm, variant="min algebraic_connectivity")
    for share in sorted(set(up["share"]) & set(down["share"])):
        gap, used = paired_difference(up[up["share"] == share], down[down["share"] == share])
        gaps.append(gap)
        frames += used
        words.append(f"{percent(share)}: {gap}")
    if not gaps:
        return not_run("masks rewired towards more and towards less connectivity")
    return Judgement.on(frames, f"most against least connected, at {'; '.join(words)}", _gain(gaps))


def _less_drop(results: PaperResults, arm: str, label: str) -> Judgement:
    """How much of the distance to the dense network is left in an arm, at the densities both have."""
    shares = sorted(share for share in results.shares(arm) if share in results.shares())
    if not shares or len(results.dense(arm)) < 2 or len(results.dense()) < 2:
        return not_run(f"the arm '{arm}', the paper's setting at the same densities, and dense networks of both")
    words, less, gone, frames = [], [], [], []
    for share in shares:
        before, first = gap_to_dense(results, "paper", share)
        after, second = gap_to_dense(results, arm, share)
        frames += [*first, *second]
        words.append(f"{percent(share)}: {before} becomes {after}")
        less.append(after.low > before.high)
        gone.append(after.low > -MARGIN)
    verdict = HOLDS if all(gone) else IN_PART if any(less) else NOT_HERE
    return Judgement.on(frames, f"distance from dense, {label}, at {'; '.join(words)}", verdict)


def beyond_alignment(results: PaperResults) -> Judgement:
    """Badly connected graphs stay behind even where their alignment with the image is gone."""
    relabelled = results.networks("converged", variant="relabelled")
    independent = results.networks("converged", constructions=INDEPENDENT)
    words, gaps, frames = [], [], []
    for share in sorted(set(relabelled["share"]) & set(independent["share"])):
        rows = independent[independent["share"] == share]
        for construction, networks in relabelled[relabelled["share"] == share].groupby("construction"):
            gaps.append(difference(rows["accuracy"], networks["accuracy"]))
            frames += [rows, networks]
            words.append(f"{name(str(construction))} at {percent(share)} {gaps[-1]}")
    if not any(gap.known for gap in gaps):
        return not_run("relabelled masks and random ones, trained until they no longer improve")
    measured = (
        f"random edge and random regular less the structured construction with renumbered inputs: {'; '.join(words)}"
    )
    return Judgement.on(frames, measured, _gain(gaps))


def _alignment(results: PaperResults, arm: str) -> Judgement:
    words, gaps, frames = [], [], []
    relabelled = results.networks(arm, variant="relabelled")
    plain = results.networks(arm)
    for share in sorted(set(relabelled["share"]) & set(plain["share"])):
        chosen = relabelled[relabelled["share"] == share]
        for construction, networks in chosen.groupby("construction"):
            gap, used = paired_difference(networks, plain[plain["share"] == share])
            frames += used
            gaps.append(gap)
            words.append(f"{name(str(construction))} at {percent(share)} {gap}")
    if not any(gap.known for gap in gaps):
        return not_run("relabelled masks, and the same masks as they were built, with two seeds or more")
    return Judgement.on(frames, f"renumbering the inputs changes accuracy by: {'; '.join(words)}", _loss(gaps))


def _loss(gaps: list[Interval]) -> str:
    """The verdict on "it owes its accuracy to this": whether taking it away costs accuracy."""
    return _gain([Interval(-gap.estimate, -gap.high, -gap.low) for gap in gaps])


def _gain(gaps: list[Interval]) -> str:
    """The verdict on "it brings accuracy"; one of many gaps is above zero by chance, so it has to exceed the margin."""
    if all(gap.above for gap in gaps):
        return HOLDS
    if any(gap.low > MARGIN for gap in gaps):
        return IN_PART
    return NOT_HERE if all(gap.below or gap.high < MARGIN for gap in gaps) else UNTOLD


def drops(results: PaperResults) -> pd.DataFrame:
    """Distance from the dense network: one row per arm and density, columns ``estimate``, ``low``, ``high``."""
    rows = []
    for arm in ("paper", "fans", "converged", "converged fans"):
        for share in results.shares(arm):
            gap, _ = gap_to_dense(results, arm, share)
            rows.append({"arm": arm, "share": share, "estimate": gap.estimate, "low": gap.low, "high": gap.high})
    return pd.DataFrame(rows, columns=["arm", "share", "estimate", "low", "high"])
