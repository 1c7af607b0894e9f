"""`Judgement`: what was measured of a claim, and the word for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

HOLDS = "holds"
IN_PART = "holds in part"
NOT_HERE = "does not hold here"
UNTOLD = "cannot be told"
NOT_RUN = "not yet run"
VERDICTS = (HOLDS, IN_PART, NOT_HERE, UNTOLD, NOT_RUN)


@dataclass(frozen=True)
class Judgement:
    """What was measured of a claim.

    Parameters
    ----------
    measured
        The numbers, with their intervals.
    verdict
        One of `VERDICTS`.
    networks, topologies
        How many the numbers rest on.
    """

    measured: str
    verdict: str
    networks: int = 0
    topologies: int = 0

    @classmethod
    def on(cls, frames: Iterable[pd.DataFrame], measured: str, verdict: str) -> Judgement:
        """A judgement that rests on some networks."""
        rows = pd.concat(list(frames))[["run_id", "topology_id"]].drop_duplicates("run_id")
        return cls(measured, verdict, len(rows), rows["topology_id"].nunique())


def not_run(needed: str) -> Judgement:
    """The judgement of a claim whose networks have not been trained yet."""
    return Judgement(f"needs {needed}", NOT_RUN)
