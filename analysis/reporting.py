"""`report`: the whole analysis of a study, written as one self-contained HTML page."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.comparison import Comparison, compare
from analysis.correlation import correlate
from analysis.frame import connectivity_columns, density_columns, metric_columns, setting_columns
from analysis.guards import is_constant
from analysis.page import render
from analysis.prediction import Prediction, predict_unseen
from analysis.regression import Fit, fit
from analysis.words import verdict, verdicts
from topograph.errors import InsufficientDataError, TopographError
from topograph.metrics import describe_metrics

OUTCOME = "test_accuracy"


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What a report found.

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
        Metric → what it goes with in accuracy points, within cells, as a sentence.
    prediction
        How well held-out constructions, architectures and degrees are predicted; None where there is too little.
    """

    path: Path
    verdicts: tuple[str, ...]
    correlations: pd.DataFrame
    fits: dict[str, Fit]
    comparison: Comparison | None
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
        One row a run, from `analysis.load_frame`.
    path
        Where to write the HTML page; it needs no other file and no network.
    metrics
        The metric columns to correlate; by default all that measure connectivity or structure and vary.

    Raises
    ------
    InsufficientDataError
        When accuracy does not vary, or there are fewer than three topologies.
    """
    frame, control = _with_controls(frame)
    chosen = list(metrics) if metrics is not None else default_metrics(frame)
    if not chosen:
        raise InsufficientDataError("no metric varies over the runs: there is nothing to correlate accuracy with")
    correlations = correlate(frame, OUTCOME, chosen, control=control)
    lines = tuple(verdicts(correlations))
    notes: list[str] = []
    fits, comparison = _models(frame, control, notes)
    connectivity = connectivity_columns(frame)
    effects = {name: verdict(frame, name) for name in connectivity}
    prediction = _predicted(frame, control, connectivity, chosen, notes)
    result = Report(Path(path), lines, correlations, fits, comparison, effects, prediction)
    page = render(frame, result, control, notes)
    result.path.parent.mkdir(parents=True, exist_ok=True)
    result.path.write_text(page, encoding="utf-8")
    return result


def default_metrics(frame: pd.DataFrame) -> list[str]:
    """Metric columns that say something besides size and density, vary, and are mostly defined."""
    groups = describe_metrics()["group"]
    wanted = {name for name, group in groups.items() if group not in ("sizes", "degrees")}
    wanted |= {"left_degree_std", "right_degree_std"}
    chosen: list[str] = []
    for column in metric_columns(frame):
        values = frame[column].dropna()
        if column.partition("_")[2] not in wanted or len(values) < len(frame) / 2 or is_constant(values):
            continue
        # where a study has connected graphs only, several metrics are the same column; others are one number in two
        # units, as a ratio and 1 minus it
        if not any(_is_linear(frame[other], frame[column]) for other in chosen):
            chosen.append(column)
    return chosen


def _is_linear(first: pd.Series, second: pd.Series) -> bool:
    """Whether two columns that vary are defined for the same runs, and one is a linear function of the other."""
    if not first.isna().equals(second.isna()):
        return False
    return bool(abs(np.corrcoef(first.dropna(), second.dropna())[0, 1]) > 1 - 1e-10)


def _with_controls(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The log densities that vary, each with its square: accuracy bends with log density, a line would not hold it."""
    densities = density_columns(frame)
    squares = {f"{c}_squared": (frame[c] - frame[c].mean()) ** 2 for c in densities if frame[c].nunique() > 2}
    attributes = frame.attrs
    frame = frame.assign(**squares)
    frame.attrs = attributes
    return frame, [*densities, *squares]


def _models(frame: pd.DataFrame, control: list[str], notes: list[str]) -> tuple[dict[str, Fit], Comparison | None]:
    """The regressions; what cannot be fitted becomes a note."""
    connectivity = connectivity_columns(frame)
    factors = [c for c in ("architecture", "dataset", *setting_columns(frame)) if frame[c].nunique() > 1]
    design = [_effect(frame, factor) for factor in factors]
    construction = [_effect(frame, "construction")] if frame["construction"].nunique() > 1 else []
    base = " + ".join([*control, *design]) or "1"
    full = " + ".join([*control, *design, *connectivity]) or "1"
    fits: dict[str, Fit] = {}
    for name, formula, model in (
        ("linear", full, "ols"),
        ("linear, with construction", " + ".join([full, *construction]), "ols"),
        ("binomial, with construction", " + ".join([full, *construction]), "binomial"),
    ):
        try:
            fits[name] = fit(frame, f"{OUTCOME} ~ {formula}", model=model)
        except TopographError as error:
            notes.append(f"The {name} regression could not be fitted: {error}")
    try:
        comparison = compare(frame, f"{OUTCOME} ~ {base}", f"{OUTCOME} ~ {full}")
    except TopographError as error:
        notes.append(f"Density only and density with connectivity could not be compared: {error}")
        comparison = None
    return fits, comparison


def _predicted(
    frame: pd.DataFrame, control: list[str], connectivity: list[str], metrics: list[str], notes: list[str]
) -> Prediction | None:
    whole = [name for name in metrics if frame[name].notna().all()]
    held = "density and " if control else ""
    sets = {
        "density": control,
        f"{held}connectivity": [*control, *connectivity],
        f"{held}all metrics": [*control, *whole],
    }
    try:
        return predict_unseen(frame, {name: columns for name, columns in sets.items() if columns})
    except TopographError as error:
        notes.append(f"Prediction of what is unseen was not possible: {error}")
        return None


def _effect(frame: pd.DataFrame, column: str) -> str:
    """A categorical term whose reference is the value with the most runs."""
    return f"C({column}, Treatment({frame[column].mode().tolist()[0]!r}))"
