"""`Findings`: everything that a report shows, computed from one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from keyword import iskeyword
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from analysis.cells import NO_CELLS, held_columns
from analysis.columns import OUTCOME, Columns, find_columns
from analysis.comparison import ModelComparison, compare
from analysis.correlation import correlate
from analysis.effects import Effect, effect
from analysis.experiments import Experiment, experiment
from analysis.family_comparison import FamilyComparison, compare_families
from analysis.found import FoundMasks, found_masks, has_found_masks
from analysis.frame.families import by_family, is_compressed
from analysis.frame.names import CELL, KEYS, MODEL_CELL, TEXT_KEYS
from analysis.frame.tables import from_table, without_infinities
from analysis.prediction import Prediction, predict_unseen
from analysis.regression import Fit, fit
from analysis.reporting.answer import Answer, answer
from analysis.reporting.choosing import default_metrics, loose_controls, no_controls, with_controls
from analysis.words import verdicts
from topograph.errors import InsufficientDataError, TopographError

_MOST_IN_A_FORMULA = 6  # metrics, where nobody said which
_MOST_TO_LEARN = 1500  # runs that predictions are learnt from


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
        Remarks on what could not be computed, and why.
    loose
        The controls that vary within cells, and are held fixed there by regression.
    answer
        What it all says, in short.
    found_masks
        Of studies with pruners or rewiring: whether the method or the graph explains the outcome; None for others.
    families
        Of studies with compressed networks: how they do beside sparse ones of as many parameters; None for others.
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
    loose: tuple[str, ...]
    answer: Answer
    found_masks: FoundMasks | None = None
    families: FamilyComparison | None = None

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
    def question(self) -> str:
        """The question that the study asks."""
        return str(self.spec.get("question") or "Does the graph explain the accuracy beyond its density?")


def find(
    frame: pd.DataFrame,
    *,
    metrics: Sequence[str] | None = None,
    outcome: str | None = None,
    control: Sequence[str] | None = None,
    cells: Sequence[str] | None = None,
) -> Findings:
    """Compute everything that a report shows; a note says what could not be computed."""
    with threadpool_limits(1, "blas"):  # products of small matrices, which several threads only slow down
        return _find(frame, metrics, outcome, control, cells)


def _find(
    frame: pd.DataFrame,
    metrics: Sequence[str] | None,
    outcome: str | None,
    control: Sequence[str] | None,
    cells: Sequence[str] | None,
) -> Findings:
    notes: list[str] = []
    frame = as_frame(frame, outcome)
    families = _families(frame, outcome, notes)
    frame = by_family(frame)
    columns = find_columns(frame, outcome=outcome, controls=control, cells=cells, metrics=metrics)
    frame, columns = with_controls(frame, columns, squared=control is None)
    chosen = list(metrics) if metrics is not None else default_metrics(frame, columns, notes)
    if not chosen:
        raise InsufficientDataError(
            f"no metric varies over the runs: there is nothing to correlate {columns.outcome} with; "
            "name columns with metrics=[...]"
        )
    if not columns.connectivity:
        columns = replace(columns, connectivity=tuple(chosen[:_MOST_IN_A_FORMULA]))
    loose = loose_controls(frame, columns)
    methods = ["pearson", "spearman"]
    methods += ["partial"] if columns.controls else []
    methods += ["within_cell"] if columns.cells is not None else []
    methods += ["within_cell_partial"] if loose else []
    correlations = correlate(
        frame,
        columns.outcome,
        chosen,
        control=columns.controls,
        cells=columns.cells,
        methods=methods,
    )
    not_computed: dict[str, str] = {}
    if not columns.controls:
        not_computed["partial"] = no_controls(frame, control)
    if columns.cells is None:
        not_computed["within_cell"] = NO_CELLS
    correlations.attrs["not_computed"] = not_computed
    fits, comparison = _models(frame, columns, notes)
    effects, sentences = _effects(frame, columns, loose)
    found = _found_masks(frame, columns, notes)
    held = held_columns(frame, columns.cells) if columns.cells is not None else ()
    return Findings(
        frame=frame,
        columns=columns,
        metrics=tuple(chosen),
        correlations=correlations,
        verdicts=tuple(verdicts(correlations)),
        effects=sentences,
        fits=fits,
        comparison=comparison,
        prediction=_predicted(frame, columns, chosen, notes),
        experiments=_experiments(frame, columns, notes),
        notes=tuple(notes),
        loose=loose,
        answer=answer(correlations, held, loose or columns.controls, effects),
        found_masks=found,
        families=families,
    )


def _effects(frame: pd.DataFrame, columns: Columns, loose: Sequence[str]) -> tuple[list[Effect], dict[str, str]]:
    """The links of the metrics that the study is about, within cells; and each, or why there is none, as a sentence."""
    found, sentences = [], {}
    for name in columns.connectivity:
        try:
            link = effect(frame, name, outcome=columns.outcome, cells=columns.cells, control=loose)
        except InsufficientDataError as error:
            sentences[name] = f"{name}: nothing can be said: {error}."
            continue
        found.append(link)
        sentences[name] = str(link)
    return found, sentences


def as_frame(frame: pd.DataFrame, outcome: str | None = None) -> pd.DataFrame:
    """A frame with all key columns, names as text and no infinities, as `analysis.load_frame` makes it."""
    whole = set(KEYS) <= set(frame.columns)
    if whole and all(frame[key].map(lambda v: isinstance(v, str) or pd.isna(v)).all() for key in TEXT_KEYS):
        return without_infinities(frame.reset_index(drop=True))
    return from_table(frame, {}, outcome or str(frame.attrs.get("outcome", OUTCOME)))


def _models(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> tuple[dict[str, Fit], ModelComparison | None]:
    """The regressions; what cannot be fitted becomes a note."""
    named = {*CELL, *MODEL_CELL} - {"allocation"}  # a model is an architecture, and density is among the controls
    own = [cell for cell in columns.cells or () if cell not in {*named, *columns.settings}]
    factors = [c for c in ("architecture", "dataset", *columns.settings, *own) if frame[c].nunique() > 1]
    factors = [factor for factor in factors if frame[factor].nunique() < len(frame) / 4]
    design = [_factor(frame, factor) for factor in factors]
    construction = [_factor(frame, "construction")] if frame["construction"].nunique() > 1 else []
    controls, connectivity = ([term(name) for name in names] for names in (columns.controls, columns.connectivity))
    base = " + ".join([*controls, *design]) or "1"
    full = " + ".join([*controls, *design, *connectivity]) or "1"
    outcome = term(columns.outcome)
    needed = [columns.outcome, *columns.controls, *columns.connectivity, *factors, "construction", "topology_id"]
    has_counts = columns.outcome == OUTCOME and bool(frame["total"].notna().any())
    frame = frame[list(dict.fromkeys([*needed, *(("correct", "total") if has_counts else ())]))]
    frame.attrs = {}  # pandas would copy them at each step
    fits: dict[str, Fit] = {}
    wanted = [("linear", full, "ols")]
    wanted += [("linear, with construction", " + ".join([full, *construction]), "ols")] if construction else []
    if has_counts:
        name = "binomial, with construction" if construction else "binomial"
        wanted.append((name, " + ".join([full, *construction]), "binomial"))
    for name, formula, model in wanted:
        try:
            fits[name] = fit(frame, f"{outcome} ~ {formula}", model=model)
        except TopographError as error:
            notes.append(f"The {name} regression could not be fitted: {error}")
    try:
        comparison = compare(frame, f"{outcome} ~ {base}", f"{outcome} ~ {full}")
    except TopographError as error:
        notes.append(f"Density only and density with connectivity could not be compared: {error}")
        comparison = None
    return fits, comparison


def _factor(frame: pd.DataFrame, column: str) -> str:
    """A categorical term whose reference is the value with the most runs."""
    return f"C({term(column)}, Treatment({frame[column].mode().tolist()[0]!r}))"


def term(column: str) -> str:
    """A column as a term of a formula: as it is where it is a Python name, else quoted.

    Examples
    --------
    >>> term("delta_r"), term("r-out"), term("C")
    ('delta_r', "Q('r-out')", "Q('C')")
    """
    plain = column.isidentifier() and not iskeyword(column) and column not in ("C", "Q", "I", "np", "Treatment")
    return column if plain else f"Q({column!r})"


def _predicted(frame: pd.DataFrame, columns: Columns, metrics: Sequence[str], notes: list[str]) -> Prediction | None:
    whole = [name for name in metrics if frame[name].notna().all()]
    held = "density and " if columns.controls else ""
    sets = {
        "density": [*columns.controls],
        f"{held}connectivity": [*columns.controls, *columns.connectivity],
        f"{held}all metrics": [*columns.controls, *whole],
    }
    if len(frame) > _MOST_TO_LEARN:
        names, counts = np.unique(frame["topology_id"].to_numpy(dtype=str), return_counts=True)
        order = np.random.default_rng(0).permutation(len(names))
        drawn = names[order[np.cumsum(counts[order]) <= _MOST_TO_LEARN]]
        total, frame = len(frame), frame[frame["topology_id"].isin(drawn)]
        notes.append(
            f"Predictions of what is unseen were learnt from {len(frame)} of {total} networks, whole topologies drawn "
            "at random."
        )
    try:
        features = {name: list(dict.fromkeys(names)) for name, names in sets.items() if names}
        return predict_unseen(frame, features, outcome=columns.outcome)
    except TopographError as error:
        notes.append(f"Prediction of what is unseen was not possible: {error}")
        return None


def _families(frame: pd.DataFrame, outcome: str | None, notes: list[str]) -> FamilyComparison | None:
    """Compressed networks beside sparse ones; None where the study has none."""
    if not is_compressed(frame).any():
        return None
    try:
        return compare_families(frame, outcome=outcome)
    except TopographError as error:
        notes.append(f"Compressed networks could not be compared with sparse ones: {error}")
        return None


def _found_masks(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> FoundMasks | None:
    """What the study says of pruners and rewiring rules; None where it has none."""
    if not has_found_masks(frame):
        return None
    try:
        return found_masks(frame, columns=columns)
    except TopographError as error:
        notes.append(f"Pruners and rewiring rules could not be compared: {error}")
        return None


def _experiments(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> tuple[Experiment, ...]:
    """The effects of rewiring and relabelling, for studies that have such masks."""
    if "variant" not in frame.columns or set(frame["variant"]) <= {"plain"}:
        return ()
    try:
        return tuple(experiment(frame, metric, outcome=columns.outcome) for metric in columns.connectivity)
    except TopographError as error:
        notes.append(f"The experiment could not be analysed: {error}")
        return ()
