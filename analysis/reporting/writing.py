"""`report`: the whole analysis of a study, written as one self-contained HTML page."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.comparison import ModelComparison
from analysis.prediction import Prediction
from analysis.regression import Fit
from analysis.reporting.findings import find
from analysis.reporting.page import render
from analysis.reporting.sections import SECTIONS


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """The findings of a report.

    Parameters
    ----------
    path
        The HTML file.
    verdicts
        The answer in words, one sentence each.
    correlations
        The headline table, from `analysis.correlate`.
    fits
        Name → regression.
    comparison
        Density only against density and connectivity; None where the data cannot tell.
    effects
        Metric → its link with accuracy within cells, in accuracy points, as a sentence.
    prediction
        Predictions of held-out constructions, architectures and degrees; None where there is too little.
    """

    path: Path
    verdicts: tuple[str, ...]
    correlations: pd.DataFrame
    fits: dict[str, Fit]
    comparison: ModelComparison | None
    effects: dict[str, str]
    prediction: Prediction | None

    def __repr__(self) -> str:
        return f"Report({self.path}, {len(self.verdicts) - 1} metrics)"

    def __str__(self) -> str:
        return "\n".join([*self.effects.values(), "", *self.verdicts])

    def _repr_html_(self) -> str:
        """The whole page, in a frame of its own."""
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        return f"<iframe srcdoc='{page}' style='width:100%;height:40rem;border:1px solid #d5dae0'></iframe>"


def report(frame: pd.DataFrame, path: str | os.PathLike[str], *, metrics: Sequence[str] | None = None) -> Report:
    """Analyse a study and write the report.

    Parameters
    ----------
    frame
        One row per run, from `analysis.load_frame`.
    path
        File of the HTML page, which needs no other file and no network.
    metrics
        Metric columns to correlate; by default all that measure connectivity or structure and vary.

    Raises
    ------
    InsufficientDataError
        When accuracy does not vary, or there are fewer than three topologies.
    """
    findings = find(frame, metrics)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(findings, SECTIONS), encoding="utf-8")
    return Report(
        path=path,
        verdicts=findings.verdicts,
        correlations=findings.correlations,
        fits=findings.fits,
        comparison=findings.comparison,
        effects=findings.effects,
        prediction=findings.prediction,
    )
