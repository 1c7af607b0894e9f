"""The claim about time: seconds per epoch of each density against the dense network."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pandas as pd

from analysis.paper.densities import percent
from analysis.paper.judgement import HOLDS, IN_PART, NOT_HERE, Judgement, not_run
from analysis.paper.results import PaperResults

TIMES = Path(str(files("analysis"))) / "published_results" / "paper-times.csv"
"""Seconds of processor time per epoch, written by ``benchmarks/paper_times.py``."""


def load_times() -> pd.DataFrame:
    """Columns ``trainer``, ``share`` (1 for dense), ``seconds`` per epoch, ``processor``; empty when not measured."""
    if not TIMES.is_file():
        return pd.DataFrame(columns=["trainer", "share", "seconds", "processor"])
    return pd.read_csv(TIMES)


def shorter_training(results: PaperResults) -> Judgement:
    """Sparse networks train in less time."""
    return judge_times(load_times())


def judge_times(times: pd.DataFrame) -> Judgement:
    """Time per epoch against the dense network's, for each trainer."""
    if times.empty:
        return not_run("the times of benchmarks/paper_times.py")
    words, faster = [], []
    for trainer, rows in times.groupby("trainer", sort=False):
        dense = rows.loc[rows["share"] == 1, "seconds"].mean()
        ratios = rows[rows["share"] < 1].groupby("share")["seconds"].mean() / dense
        faster.append(bool((ratios[ratios.index <= 0.1] < 0.9).all()))
        words.append(f"{trainer} " + ", ".join(f"{ratio:.2f}× at {percent(share)}" for share, ratio in ratios.items()))
    verdict = HOLDS if all(faster) else IN_PART if any(faster) else NOT_HERE
    return Judgement(
        f"time per epoch against dense of the same backend (processor time of one core, other work beside it, "
        f"so that a tenth or two mean nothing; {times['processor'].iloc[0]}): {'; '.join(words)}",
        verdict,
        len(times),
        times["share"].nunique(),
    )
