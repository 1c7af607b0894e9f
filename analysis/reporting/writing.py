"""`report`: the whole analysis of a study, written as one self-contained HTML page."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.comparison import ModelComparison
from analysis.experiments import Experiment
from analysis.prediction import Prediction
from analysis.regression import Fit
from analysis.reporting.findings import find
from analysis.reporting.page import render
from analysis.reporting.sections import SECTIONS
from topograph.files import check_output, whole


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
    experiments
        One per measure of connectivity, for studies with rewired or relabelled masks.
    """

    path: Path
    verdicts: tuple[str, ...]
    correlations: pd.DataFrame
    fits: dict[str, Fit]
    comparison: ModelComparison | None
    effects: dict[str, str]
    prediction: Prediction | None
    experiments: tuple[Experiment, ...] = ()

    def __repr__(self) -> str:
        return f"Report({self.path}, {len(self.verdicts) - 1} metrics)"

    def __str__(self) -> str:
        return "\n".join([*self.effects.values(), "", *self.verdicts])

    def _repr_html_(self) -> str:
        """The whole page, in a frame of its own."""
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        return f"<iframe srcdoc='{page}' style='width:100%;height:40rem;border:1px solid #d5dae0'></iframe>"


def report(
    frame: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    metrics: Sequence[str] | None = None,
    outcome: str | None = None,
    control: Sequence[str] | None = None,
    cells: Sequence[str] | None = None,
) -> Report:
    """Analyse a study and write the report.

    Parameters
    ----------
    frame
        One row per run, from `analysis.load_frame`.
    path
        File of the HTML page, which needs no other file and no network.
    metrics
        Metric columns; by default all that measure connectivity or structure and vary, and a table's own columns of
        numbers. Those that are named here are used in every part of the report.
    outcome
        The dependent variable; by default the frame's, ``"test_accuracy"`` unless `analysis.load_frame` was told
        otherwise.
    control
        Columns that hold density fixed in regressions; by default the log densities that vary, and their squares.
    cells
        Columns that together name a cell; by default data set, trainer, architecture, degrees and the training settings
        that vary.

    Raises
    ------
    InsufficientDataError
        When the outcome does not vary, or there are fewer than three topologies.
    InvalidParameterError
        When ``path`` is a store.
    """
    path = check_output(path)
    findings = find(frame, metrics=metrics, outcome=outcome, control=control, cells=cells)
    page = render(findings, SECTIONS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
    return Report(
        path=path,
        verdicts=findings.verdicts,
        correlations=findings.correlations,
        fits=findings.fits,
        comparison=findings.comparison,
        effects=findings.effects,
        prediction=findings.prediction,
        experiments=findings.experiments,
    )
