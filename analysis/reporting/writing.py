"""`report`: the whole analysis of a study, written as one self-contained HTML page."""

from __future__ import annotations

import html
import os
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.comparison import ModelComparison
from analysis.experiments import Experiment
from analysis.prediction import Prediction
from analysis.regression import Fit
from analysis.reporting.answer import Answer
from analysis.reporting.blocks import Block, Picture, Table
from analysis.reporting.downloads import csv, file_name, latex
from analysis.reporting.findings import find
from analysis.reporting.page import parts, render
from analysis.reporting.sections import SECTIONS, first_picture
from topograph.errors import InsufficientDataError
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
    title
        Its title, and the question that the study asks.
    answer
        What it says in short: three sentences and the five clearest metrics.
    figures
        The files of the figures, where a folder was given for them.
    """

    path: Path
    verdicts: tuple[str, ...]
    correlations: pd.DataFrame
    fits: dict[str, Fit]
    comparison: ModelComparison | None
    effects: dict[str, str]
    prediction: Prediction | None
    experiments: tuple[Experiment, ...]
    title: str
    answer: Answer
    figures: tuple[Path, ...] = ()

    def __repr__(self) -> str:
        return f"Report({self.path}, {len(self.verdicts) - 1} metrics)"

    def __str__(self) -> str:
        lines = [self.title, *self.answer.lines()]
        for experiment in self.experiments[:1]:
            lines += ["", *textwrap.wrap(str(experiment).splitlines()[0], 100)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The answer, and where the page is: the page itself is too large for a notebook to keep."""
        sentences = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in (self.title, *self.answer.sentences))
        table = self.answer.clearest.to_html(index=False, border=0)
        return f"<div>{sentences}{table}<p>The page: <code>{html.escape(str(self.path))}</code></p></div>"


def report(
    frame: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    metrics: Sequence[str] | None = None,
    outcome: str | None = None,
    control: Sequence[str] | None = None,
    cells: Sequence[str] | None = None,
    figures: str | os.PathLike[str] | None = None,
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
    figures
        A folder for each figure as SVG, PNG and PDF, and each table as CSV and LaTeX; none are written by default.

    Raises
    ------
    InsufficientDataError
        When the outcome does not vary, or there are fewer than three topologies.
    InvalidParameterError
        When ``path`` is a store.
    """
    path = check_output(path)
    findings = find(frame, metrics=metrics, outcome=outcome, control=control, cells=cells)
    first = first_picture(findings)
    shown = parts(findings, SECTIONS)
    page = render(findings, shown, first)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
    blocks = [first, *(block for part in shown for block in part.blocks)]
    return Report(
        path=path,
        verdicts=findings.verdicts,
        correlations=findings.correlations,
        fits=findings.fits,
        comparison=findings.comparison,
        effects=findings.effects,
        prediction=findings.prediction,
        experiments=findings.experiments,
        title=f"{findings.title}: {findings.question}",
        answer=findings.answer,
        figures=() if figures is None else tuple(_save(blocks, Path(figures))),
    )


def _save(blocks: Sequence[Block], folder: Path) -> Iterator[Path]:
    """Write each figure and table that was made into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for block in blocks:
        contents: dict[str, bytes] = {}
        if isinstance(block, Picture):
            with suppress(InsufficientDataError):  # the page says why it is not drawn
                contents = block.drawn("svg", "png", "pdf")
            name = block.file
        elif isinstance(block, Table):
            contents = {
                "csv": csv(block.table).encode("utf-8", "backslashreplace"),
                "tex": latex(block.table).encode("utf-8", "replace"),
            }
            name = file_name(block.title)
        if not contents:
            continue
        number += 1
        for ending, content in contents.items():
            path = folder / f"{number:02d}-{name}.{ending}"
            with whole(path) as file:
                file.write(content)
            yield path
