"""What ``docs/paper.md`` and the README say about the paper, made from the published results."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.effects import effect
from analysis.paper.claims import QUESTIONS, judge_claims
from analysis.paper.constructions import name
from analysis.paper.densities import gap_to_dense, percent, table_of_means
from analysis.paper.intervals import Interval, signed
from analysis.paper.judgement import NOT_RUN, VERDICTS
from analysis.paper.results import MAIN, PaperResults
from topograph.errors import InsufficientDataError, InvalidParameterError

_SHARE = 0.1
"""The density that the summary speaks of."""


def fill(text: str, blocks: Mapping[str, str]) -> str:
    r"""The text with what stands between ``<!-- place -->`` and ``<!-- end -->`` made anew.

    Examples
    --------
    >>> fill("<!-- a -->\nold\n<!-- end -->", {"a": "new"}).splitlines()
    ['<!-- a -->', '', 'new', '', '<!-- end -->']
    """
    for place, block in blocks.items():
        before, opening, rest = text.partition(f"<!-- {place} -->\n")
        _, closing, after = rest.partition("<!-- end -->")
        if not closing or opening in after:
            raise InvalidParameterError(f"the text must have one place <!-- {place} --> … <!-- end -->")
        text = f"{before}{opening}\n{block}\n\n{closing}{after}"
    return text


def page_blocks(results: PaperResults) -> dict[str, str]:
    """The generated parts of ``docs/paper.md``, by the name of their place in it."""
    claims, questions = judge_claims(results), judge_claims(results, QUESTIONS)
    return {
        "paper-summary": summary(results, claims),
        "paper-status": _status(results),
        "paper-claims": _claims(claims, "claim", where=True),
        "paper-questions": _claims(questions, "question of ours, put as a claim", where=False),
        "paper-rules": _rules(claims, questions),
        "paper-accuracies": _accuracies(results, "paper"),
        "paper-converged": _accuracies(results, "converged"),
    }


def summary(results: PaperResults, claims: pd.DataFrame) -> str:
    """What came out, in three sentences."""
    counts = claims["verdict"].value_counts()
    *counted, last = (_counted(verdict, counts[verdict]) for verdict in VERDICTS if verdict in counts)
    listed = f"{', '.join(counted)} and {last}" if counted else last
    first = f"Of {len(claims)} claims of the paper, judged on {len(results.frame)} networks trained for it, {listed}."
    return f"{first} {_findings(results)}".strip()


def _findings(results: PaperResults) -> str:
    """What 10 % of the edges cost, and what connectivity brings at equal degrees, in both ways of training."""
    drops: list[str] = []
    links: list[str] = []
    ways = {"paper": "in the paper's setting", "converged": "when it is trained until it no longer improves"}
    for arm, words in ways.items():
        if _SHARE in results.shares(arm) and len(results.dense(arm)) > 1:
            gap, _ = gap_to_dense(results, arm, _SHARE)
            drops.append(f"{_difference(gap, is_first=not drops)} {words}")
        link = _link(results, arm)
        if link:
            links.append(f"{link} {words}")
    first = f"A network with 10 % of the first layer's edges is {', and '.join(drops)}."
    second = f"At equal degrees, one standard deviation more of the normalized gap goes with {', and '.join(links)}."
    return " ".join(text for text, parts in ((first, drops), (second, links)) if parts)


def _link(results: PaperResults, arm: str) -> str:
    """What one standard deviation of connectivity goes with among networks of equal degrees."""
    try:
        found = effect(results.networks(arm), "l1_normalized_gap", cells=["degrees"])
    except InsufficientDataError:
        return ""
    return f"{signed(found.points)} points ({signed(found.low)} … {signed(found.high)})"


def _difference(gap: Interval, *, is_first: bool) -> str:
    """How far a network is from the dense one, which only the first of several needs to name."""
    size = f"{abs(gap.estimate):.2f} points {'less' if gap.estimate < 0 else 'more'} accurate"
    interval = f"{signed(gap.low)} … {signed(gap.high)}"
    return f"{size}{' than the dense one (95 % interval of the difference: ' if is_first else ' ('}{interval})"


def _counted(verdict: str, count: int) -> str:
    one, several = {
        "holds": ("holds", "hold"),
        "holds in part": ("holds in part", "hold in part"),
        "does not hold here": ("does not hold here", "do not hold here"),
        "not yet run": ("has not been run yet", "have not been run yet"),
    }.get(verdict, (verdict, verdict))
    return f"{count} {one if count == 1 else several}"


def _status(results: PaperResults) -> str:
    card = results.card
    finished = [part for part in card.parts if part.complete]
    begun = [part for part in card.parts if part.done and not part.complete]
    waiting = [part for part in card.parts if not part.done]
    counted = ((begun, "is begun", "are begun"), (waiting, "has not been run yet", "have not been run yet"))
    others = [f", {len(parts)} {one if len(parts) == 1 else several}" for parts, one, several in counted if parts]
    lines = [
        f"{card.done} of {card.planned} planned networks are published: {len(finished)} of {len(card.parts)} parts are "
        f"complete{''.join(others)}.",
        "",
        "| part | networks | published | what it asks |",
        "|---|---|---|---|",
        *(
            f"| `{part.name}` | {part.planned} | {_done(part.planned, part.done)} | {part.question} |"
            for part in card.parts
        ),
    ]
    return "\n".join(lines)


def _done(planned: int, done: int) -> str:
    return "all" if planned == done else "none yet" if not done else str(done)


def _claims(table: pd.DataFrame, header: str, *, where: bool) -> str:
    lines = [
        f"| {header} |{' paper |' if where else ''} measured | networks | verdict |",
        "|---|" + "---|" * (3 + where),
    ]
    for _, row in table.iterrows():
        basis = "" if row["verdict"] == NOT_RUN else f"{row['networks']} on {row['topologies']} topologies"
        cells = [row["claim"], *([row["where"]] if where else []), row["measured"], basis, f"**{row['verdict']}**"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rules(*tables: pd.DataFrame) -> str:
    rows = pd.concat(tables)
    return "\n".join(f"- *{row['claim']}*: {row['rule']}." for _, row in rows.iterrows())


def _accuracies(results: PaperResults, arm: str) -> str:
    """Mean test accuracy in % by construction and density, with the number of networks."""
    means = table_of_means(results, arm)
    if means.empty:
        return "Not yet run."
    networks = results.networks(arm, constructions=list(means.index))
    counts = networks.groupby(["construction", "share"]).size()
    header = [f"{MAIN}, first layer at", *(percent(share) if share < 1 else "100 %" for share in means.columns)]
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---|" * len(means.columns)]
    for construction, row in means.iterrows():
        cells = [
            "" if pd.isna(value) else f"{value:.2f} ({counts[construction, share]})" for share, value in row.items()
        ]
        lines.append("| " + " | ".join([name(str(construction)), *cells]) + " |")
    return "\n".join(lines)
