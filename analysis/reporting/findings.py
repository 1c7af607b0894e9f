"""`Findings`: everything that a report shows, computed from one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from analysis.columns import Columns, find_columns
from analysis.comparison import ModelComparison, compare
from analysis.correlation import correlate
from analysis.experiments import Experiment, experiment
from analysis.frame.names import metric_columns, split_name
from analysis.guards import is_constant
from analysis.prediction import Prediction, predict_unseen
from analysis.regression import Fit, fit
from analysis.words import verdict, verdicts
from topograph.errors import InsufficientDataError, TopographError
from topograph.metrics import describe_metrics


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that a report shows.

    Parameters
    ----------
    frame
        The runs, with the control columns.
    columns
        The roles of the columns.
    metrics
        The metrics that were correlated with the outcome.
    correlations
        From `analysis.correlate`.
    verdicts
        The answer in words: a headline, then one sentence per metric.
    effects
        Metric → its link with the outcome within cells, as a sentence.
    fits
        Name → regression.
    comparison
        Density only against density and connectivity; None where the data cannot tell.
    prediction
        Predictions of held-out constructions, architectures and degrees; None where there is too little.
    experiments
        One per measure of connectivity, for studies with rewired or relabelled masks.
    notes
        What could not be computed, and why.
    """

    frame: pd.DataFrame
    columns: Columns
    metrics: tuple[str, ...]
    correlations: pd.DataFrame
    verdicts: tuple[str, ...]
    effects: dict[str, str]
    fits: dict[str, Fit]
    comparison: ModelComparison | None
    prediction: Prediction | None
    experiments: tuple[Experiment, ...]
    notes: tuple[str, ...]

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The study's record of itself; empty for a table."""
        return dict(self.frame.attrs.get("meta", {}))

    @property
    def spec(self) -> dict[str, Any]:
        """The study's specification; empty for a table."""
        return dict(self.meta.get("spec", {}))

    @property
    def title(self) -> str:
        """The title of the report."""
        return f"Study {self.spec['name']}" if self.spec.get("name") else "Study"

    @property
    def answer(self) -> tuple[str, ...]:
        """The sentences that come first."""
        return (*self.effects.values(), self.verdicts[0])


def find(frame: pd.DataFrame, metrics: Sequence[str] | None = None) -> Findings:
    """Compute everything that a report shows; what cannot be computed becomes a note."""
    frame, columns = _with_controls(frame, find_columns(frame))
    chosen = list(metrics) if metrics is not None else default_metrics(frame)
    if not chosen:
        raise InsufficientDataError("no metric varies over the runs: there is nothing to correlate accuracy with")
    correlations = correlate(frame, columns.outcome, chosen, control=columns.controls)
    notes: list[str] = []
    fits, comparison = _models(frame, columns, notes)
    return Findings(
        frame=frame,
        columns=columns,
        metrics=tuple(chosen),
        correlations=correlations,
        verdicts=tuple(verdicts(correlations)),
        effects={name: verdict(frame, name) for name in columns.connectivity},
        fits=fits,
        comparison=comparison,
        prediction=_predicted(frame, columns, chosen, notes),
        experiments=_experiments(frame, columns),
        notes=tuple(notes),
    )


def default_metrics(frame: pd.DataFrame) -> list[str]:
    """Metric columns that say something besides size and density, vary, and are mostly defined."""
    groups = describe_metrics()["group"]
    wanted = {name for name, group in groups.items() if group not in ("sizes", "degrees")}
    wanted |= {"left_degree_std", "right_degree_std"}
    chosen: list[str] = []
    for column in metric_columns(frame):
        values = frame[column].dropna()
        if split_name(column)[1] not in wanted or len(values) < len(frame) / 2 or is_constant(values):
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


def _with_controls(frame: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, Columns]:
    """The log densities that vary, each with its square: accuracy bends with log density, a line would not hold it."""
    squares = {f"{c}_squared": (frame[c] - frame[c].mean()) ** 2 for c in columns.controls if frame[c].nunique() > 2}
    attributes = frame.attrs
    frame = frame.assign(**squares)
    frame.attrs = attributes
    return frame, replace(columns, controls=(*columns.controls, *squares))


def _models(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> tuple[dict[str, Fit], ModelComparison | None]:
    """The regressions; what cannot be fitted becomes a note."""
    factors = [c for c in ("architecture", "dataset", *columns.settings) if frame[c].nunique() > 1]
    design = [_factor(frame, factor) for factor in factors]
    construction = [_factor(frame, "construction")] if frame["construction"].nunique() > 1 else []
    base = " + ".join([*columns.controls, *design]) or "1"
    full = " + ".join([*columns.controls, *design, *columns.connectivity]) or "1"
    fits: dict[str, Fit] = {}
    for name, formula, model in (
        ("linear", full, "ols"),
        ("linear, with construction", " + ".join([full, *construction]), "ols"),
        ("binomial, with construction", " + ".join([full, *construction]), "binomial"),
    ):
        try:
            fits[name] = fit(frame, f"{columns.outcome} ~ {formula}", model=model)
        except TopographError as error:
            notes.append(f"The {name} regression could not be fitted: {error}")
    try:
        comparison = compare(frame, f"{columns.outcome} ~ {base}", f"{columns.outcome} ~ {full}")
    except TopographError as error:
        notes.append(f"Density only and density with connectivity could not be compared: {error}")
        comparison = None
    return fits, comparison


def _factor(frame: pd.DataFrame, column: str) -> str:
    """A categorical term whose reference is the value with the most runs."""
    return f"C({column}, Treatment({frame[column].mode().tolist()[0]!r}))"


def _predicted(frame: pd.DataFrame, columns: Columns, metrics: Sequence[str], notes: list[str]) -> Prediction | None:
    whole = [name for name in metrics if frame[name].notna().all()]
    held = "density and " if columns.controls else ""
    sets = {
        "density": [*columns.controls],
        f"{held}connectivity": [*columns.controls, *columns.connectivity],
        f"{held}all metrics": [*columns.controls, *whole],
    }
    try:
        return predict_unseen(frame, {name: features for name, features in sets.items() if features})
    except TopographError as error:
        notes.append(f"Prediction of what is unseen was not possible: {error}")
        return None


def _experiments(frame: pd.DataFrame, columns: Columns) -> tuple[Experiment, ...]:
    """The effects of rewiring and relabelling, for studies that have such masks."""
    if "variant" not in frame.columns or set(frame["variant"]) <= {"plain"}:
        return ()
    return tuple(experiment(frame, metric) for metric in columns.connectivity)
