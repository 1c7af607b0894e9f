"""The claims about constructions: that they differ, that structured ones beat dense, that Fibonacci is best."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from analysis.paper.densities import percent
from analysis.paper.intervals import Interval, difference, mean_interval
from analysis.paper.judgement import HOLDS, IN_PART, NOT_HERE, UNTOLD, Judgement, not_run
from analysis.paper.results import SIX, PaperResults

_MEDIUM = 0.2
_LEVEL = 0.05
STRUCTURED = ("regular_rotating", "long_short_rotating", "fibonacci_rotating")
"""The constructions without chance."""
RIVALS = tuple(construction for construction in SIX if construction != "fibonacci_rotating")
"""What Fibonacci is compared with."""


def constructions_differ(results: PaperResults) -> Judgement:
    """Constructions differ at equal degree."""
    return differences_at_equal_degree(results, "paper")


def differences_at_equal_degree(results: PaperResults, arm: str) -> Judgement:
    """Analysis of variance among the constructions at each density with two networks or more of each."""
    tests, frames = {}, []
    for share in results.shares(arm):
        networks = results.networks(arm, share=share)
        groups = [group["accuracy"].to_numpy() for _, group in networks.groupby("construction")]
        if len(groups) == len(SIX) and all(len(group) > 1 for group in groups):
            tests[share] = networks
            frames.append(networks)
    if not tests:
        return not_run("two networks or more of each construction at one density")
    p_values = {share: _anova(networks) for share, networks in tests.items()}
    adjusted = {share: min(1.0, p * len(tests)) for share, p in p_values.items()}
    words = []
    for share, networks in tests.items():
        means = networks.groupby("construction")["accuracy"].mean().sort_values()
        words.append(
            f"{percent(share)}: {means.iloc[-1] - means.iloc[0]:.2f} points from {name(means.index[0])} "
            f"({means.iloc[0]:.2f} %) to {name(means.index[-1])} ({means.iloc[-1]:.2f} %), p {shown(adjusted[share])}"
        )
    different = [p < _LEVEL for p in adjusted.values()]
    verdict = HOLDS if all(different) else IN_PART if any(different) else UNTOLD
    return Judgement.on(frames, "; ".join(words), verdict)


def structured_beat_dense(results: PaperResults) -> Judgement:
    """Regular and Fibonacci beat the dense network at medium density."""
    dense = results.dense()
    shares = [share for share in results.shares() if share >= _MEDIUM]
    if not shares or len(dense) < 2:
        return not_run("the paper's setting from 20 % on, and its dense counterpart")
    words, gaps, frames = [], {}, [dense]
    for construction in ("regular_rotating", "fibonacci_rotating"):
        found = []
        for share in shares:
            networks = results.networks(constructions=[construction], share=share)
            if len(networks):
                level = _LEVEL / len(shares)
                gap = difference(networks["accuracy"], dense["accuracy"], pooled=True, confidence=1 - level)
                found.append((share, gap))
                frames.append(networks)
        gaps[construction] = [gap for _, gap in found]
        words.append(f"{name(construction)} at " + ", ".join(f"{percent(share)} {gap}" for share, gap in found))
    beats = [any(gap.above for gap in found) for found in gaps.values()]
    if all(beats):
        verdict = HOLDS
    elif any(beats):
        verdict = IN_PART
    else:
        verdict = NOT_HERE if all(gap.below for found in gaps.values() for gap in found) else UNTOLD
    return Judgement.on(frames, f"against dense: {'; '.join(words)}", verdict)


def fibonacci_best(results: PaperResults) -> Judgement:
    """Fibonacci is best overall, and below 10 %."""
    networks = results.networks()
    words, verdicts, frames = [], [], [networks]
    for label, chosen in (("overall", networks), ("below 10 %", networks[networks["share"] < 0.1])):
        against = {other: gap for other in RIVALS if (gap := _paired(chosen, "fibonacci_rotating", other)) is not None}
        if not against:
            continue
        worst = min(against, key=lambda other: against[other].estimate)
        words.append(f"{label}: {against[worst]} against {name(worst)}, the strongest rival")
        if all(gap.above for gap in against.values()):
            verdicts.append(HOLDS)
        else:
            verdicts.append(NOT_HERE if any(gap.below for gap in against.values()) else UNTOLD)
    if not verdicts:
        return not_run("Fibonacci and its rivals at equal degrees and seeds")
    if all(verdict == HOLDS for verdict in verdicts):
        verdict = HOLDS
    elif HOLDS in verdicts:
        verdict = IN_PART
    else:
        verdict = NOT_HERE if NOT_HERE in verdicts else UNTOLD
    return Judgement.on(frames, "; ".join(words), verdict)


def name(construction: str) -> str:
    """A construction's name as words.

    Examples
    --------
    >>> name("regular_rotating"), name("random_rotating")
    ('regular', 'random rotating')
    """
    short = construction.removesuffix("_rotating") if construction in STRUCTURED else construction
    return short.replace("_", " ")


def shown(p_value: float) -> str:
    """A p-value as it is printed.

    Examples
    --------
    >>> shown(0.00001), shown(0.034)
    ('< 0.001', '= 0.034')
    """
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.2g}"


def _anova(networks: pd.DataFrame) -> float:
    groups = [group["accuracy"].to_numpy() for _, group in networks.groupby("construction")]
    return float(stats.f_oneway(*groups).pvalue)


def _paired(networks: pd.DataFrame, first: str, second: str) -> Interval | None:
    """Mean difference of two constructions at equal degrees and seeds; each confidence is for five such comparisons."""
    key = ["first", "seed"]
    table = networks[networks["construction"].isin([first, second])].pivot_table(
        index=key, columns="construction", values="accuracy"
    )
    if not {first, second} <= set(table.columns):
        return None
    gaps = (table[first] - table[second]).dropna()
    return mean_interval(gaps, 1 - _LEVEL / (len(SIX) - 1)) if len(gaps) > 1 else None
