"""`report`: one self-contained HTML page that answers the study's question."""

from __future__ import annotations

import base64
import html
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis import figures
from analysis.comparison import Comparison, compare
from analysis.correlation import correlate
from analysis.experiments import experiment
from analysis.figures.style import label
from analysis.frame import density_columns, metric_columns
from analysis.guards import is_constant
from analysis.prediction import Prediction, predict_unseen
from analysis.regression import Fit, fit
from analysis.words import verdict, verdicts
from topograph.errors import InsufficientDataError, TopographError
from topograph.metrics import metric_table

OUTCOME = "test_accuracy"
_CONNECTIVITY = ("l1_algebraic_connectivity", "l1_normalized_gap")


@dataclass(frozen=True, eq=False)
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
    connectivity = _connectivity(frame)
    effects = {name: verdict(frame, name) for name in connectivity}
    prediction = _predicted(frame, control, connectivity, chosen, notes)
    result = Report(Path(path), lines, correlations, fits, comparison, effects, prediction)
    page = _page(frame, result, control, notes)
    result.path.parent.mkdir(parents=True, exist_ok=True)
    result.path.write_text(page, encoding="utf-8")
    return result


def default_metrics(frame: pd.DataFrame) -> list[str]:
    """Metric columns that say something besides size and density, vary, and are mostly defined."""
    groups = metric_table()["group"]
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
    connectivity = _connectivity(frame)
    effects = [_effect(frame, c) for c in ("construction", "architecture", "dataset") if frame[c].nunique() > 1]
    base = " + ".join(control) or "1"
    full = " + ".join([*control, *connectivity]) or "1"
    fits: dict[str, Fit] = {}
    for name, formula, model in (
        ("linear", full, "ols"),
        ("linear, with construction and architecture", " + ".join([full, *effects]), "ols"),
        ("binomial, with construction and architecture", " + ".join([full, *effects]), "binomial"),
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


def _connectivity(frame: pd.DataFrame) -> list[str]:
    """The paper's two measures of connectivity, those that vary."""
    return [c for c in _CONNECTIVITY if c in frame.columns and not is_constant(frame[c].dropna())]


def _predicted(
    frame: pd.DataFrame, control: list[str], connectivity: list[str], metrics: list[str], notes: list[str]
) -> Prediction | None:
    whole = [name for name in metrics if frame[name].notna().all()]
    sets = {
        "density": control,
        "density and connectivity": [*control, *connectivity],
        "density and all metrics": [*control, *whole],
    }
    try:
        return predict_unseen(frame, {name: columns for name, columns in sets.items() if columns})
    except TopographError as error:
        notes.append(f"Prediction of what is unseen was not possible: {error}")
        return None


def _effect(frame: pd.DataFrame, column: str) -> str:
    """A categorical term whose reference is the value with the most runs."""
    return f"C({column}, Treatment({frame[column].mode()[0]!r}))"


# ---------------------------------------------------------------------- the page

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f23; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #d5dae0; }
figure { margin: 1.2rem 0; } figure img { max-width: 100%; height: auto; }
figcaption { color: #57606a; font-size: .9rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e4e8ec; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid #8c959f; }
.first { background: #f1f6fb; border-left: 4px solid #0173b2; padding: .2rem 1rem; font-size: 1.05rem; }
code, pre { font-size: .85rem; } pre { background: #f6f8fa; padding: .8rem; overflow-x: auto; }
@media print { body { max-width: none; margin: 0; } figure, table { break-inside: avoid; } }
"""


def _page(frame: pd.DataFrame, result: Report, control: list[str], notes: list[str]) -> str:
    meta = frame.attrs.get("meta", {})
    spec = meta.get("spec", {})
    title = f"Study {spec['name']}" if spec.get("name") else "Study"
    controls = ", ".join(control) or "nothing (density does not vary)"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{html.escape(spec.get('question') or 'Does the graph explain the accuracy beyond its density?')}</p>",
        "<div class='first'>" + "".join(f"<p>{html.escape(line)}</p>" for line in _first(result)) + "</div>",
        "<h2>The answer, metric by metric</h2>",
        f"<p>{len(frame)} networks on {frame['topology_id'].nunique()} topologies. Density is held fixed in two ways: "
        "<em>within cells</em> compares only networks of the same data, trainer, architecture and degrees, which "
        "differ in construction and seeds; <em>by regression</em> takes out what is linear in "
        f"{html.escape(controls)}. Intervals come from drawing whole topologies with replacement. These are "
        "correlations; they do not show causes.</p>",
        "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in result.verdicts[1:]) + "</ul>",
        _figure(
            partial(figures.correlation_forest, result.correlations),
            "Correlation of test accuracy with each metric, raw and with density held fixed in two ways.",
            height=max(3.0, 0.46 * result.correlations["metric"].nunique() + 1),
        ),
        "<h2>Figures</h2>",
        *_study_figures(frame, result, control),
        "<h2>Correlations</h2>",
        "<p>From <code>analysis.correlate(frame, 'test_accuracy', metrics, control=…)</code>.</p>",
        _table(result.correlations.set_index("metric")),
        _reasons("Left out", result.correlations.attrs.get("reasons", {})),
        *_prediction_part(result.prediction),
        *_experiment_part(frame),
        "<h2>Density only, or density and connectivity</h2>",
    ]
    if result.comparison is not None:
        parts += [
            _table(result.comparison.table()),
            f"<p>Added: {html.escape(', '.join(result.comparison.added))}. Wald test of the added terms, "
            f"cluster-robust: p = {result.comparison.wald_p_value:.3g}. The last column is the error on constructions "
            "left out of the fitting, one after the other:</p>",
            _table(result.comparison.folds),
        ]
    parts.append("<h2>Regressions</h2>")
    for name, model in result.fits.items():
        parts += [
            f"<h3>{html.escape(name)}</h3><p><code>{html.escape(model.formula)}</code>: {model.n} runs in "
            f"{model.n_clusters} clusters, R² {model.r_squared:.3f}, {model.dropped} rows left out.</p>",
            _table(model.coefficients),
            *(f"<p>Note: {html.escape(note)}.</p>" for note in model.notes),
        ]
    parts += [f"<p>{html.escape(note)}</p>" for note in notes]
    parts += [
        "<h2>The design</h2>",
        _table(_design(frame)),
        "<p>Constructions that make the same connections at some degree share one run, listed under the first.</p>",
        _undefined(frame),
    ]
    if meta:
        parts += [
            "<h2>Specification and versions</h2>",
            f"<pre>{html.escape(json.dumps(meta, indent=1, ensure_ascii=False))}</pre>",
        ]
    body = "\n".join(parts)
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>\n"
    )


def _first(result: Report) -> list[str]:
    return [*result.effects.values(), result.verdicts[0]]


def _experiment_part(frame: pd.DataFrame) -> list[str]:
    """What rewired and relabelled masks show, for studies that have them."""
    if "variant" not in frame.columns or set(frame["variant"]) <= {"plain"}:
        return []
    parts = ["<h2>The experiment</h2>"]
    for metric in _connectivity(frame):
        found = experiment(frame, metric)
        parts += [f"<p>{html.escape(line)}</p>" for line in str(found).splitlines()]
    return parts


def _prediction_part(prediction: Prediction | None) -> list[str]:
    if prediction is None:
        return []
    picture = next(column for column in prediction.predictions if "/" in column)
    return [
        "<h2>Predicting what was never seen</h2>",
        "<p>Each construction (architecture, degree) in turn is held out and predicted from the others: "
        "<code>analysis.predict_unseen</code>. <code>rmse_change</code> compares with density alone; below 0 is "
        "better, and an interval on both sides of 0 settles nothing.</p>",
        _table(prediction.table.set_index(["held_out", "learner", "features"])),
        _figure(
            partial(figures.predicted_against_seen, prediction, which=picture),
            "Test accuracy predicted from density alone, each value while it was held out.",
        ),
    ]


def _study_figures(frame: pd.DataFrame, result: Report, control: list[str]) -> list[str]:
    drawn = []
    if frame["construction"].nunique() > 1:
        drawn.append(
            _figure(
                partial(figures.accuracy_by_construction, frame),
                "Test accuracy of each construction, over all its degrees.",
            )
        )
        drawn.append(
            _figure(
                partial(figures.accuracy_by_degree, frame),
                "Test accuracy against the degree of the first layer: mean over runs, whatever the degrees of other "
                "layers, with its 95 % interval.",
            )
        )
    for metric in _connectivity(frame):
        words = label(metric)
        drawn += [
            _figure(
                partial(figures.metric_by_degree, frame, metric=metric),
                f"The {words} of each construction against degree.",
            ),
            _figure(
                partial(figures.accuracy_against_metric, frame, metric=metric),
                f"Test accuracy against {words}, as it is: density rises along both axes.",
            ),
        ]
        if metric in result.effects:
            drawn.append(
                _figure(
                    partial(figures.within_cell_scatter, frame, metric=metric),
                    f"Networks of equal degrees compared: deviations of accuracy and {words} from their cell's mean.",
                )
            )
        if control:
            drawn.append(
                _figure(
                    partial(figures.partial_regression, frame, metric=metric, control=control),
                    f"The same with density held fixed: what is left of accuracy against what is left of {words}.",
                )
            )
    for name, model in result.fits.items():
        unit = "accuracy" if model.model == "ols" else "log odds"
        drawn.append(
            _figure(
                partial(figures.coefficient_forest, model, unit=unit),
                f"Coefficients of the regression “{name}”, each times the standard deviation of its term.",
                height=max(2.5, 0.38 * len(model.coefficients) + 1),
            )
        )
    return drawn


def _figure(draw: Callable[..., Any], caption: str, height: float = 4.2) -> str:
    """A figure as an image inside the page, with its caption as its alternative text."""
    figure = Figure(figsize=(8.6, height), layout="constrained")
    draw(ax=figure.subplots())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    text = html.escape(caption, quote=True)
    return f"<figure><img alt='{text}' src='data:image/svg+xml;base64,{data}'><figcaption>{text}</figcaption></figure>"


def _table(table: pd.DataFrame) -> str:
    return f"<div class='scroll'>{table.to_html(float_format='{:.4g}'.format, border=0)}</div>"


def _reasons(title: str, reasons: dict[str, str]) -> str:
    if not reasons:
        return ""
    items = "".join(f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in reasons.items())
    return f"<p>{html.escape(title)}:</p><ul>{items}</ul>"


def _undefined(frame: pd.DataFrame) -> str:
    """Metrics with missing values, how many and why."""
    lacking = {}
    for column, why in frame.attrs.get("reasons", {}).items():
        if column in frame.columns and frame[column].isna().any():
            lacking[column] = f"undefined in {int(frame[column].isna().sum())} of {len(frame)} runs: {'; '.join(why)}"
    return _reasons("Undefined values", lacking)


def _design(frame: pd.DataFrame) -> pd.DataFrame:
    grouped = frame.groupby("construction")
    return pd.DataFrame(
        {
            "networks": grouped.size(),
            "topologies": grouped["topology_id"].nunique(),
            "degrees": grouped["degrees"].nunique(),
            "architectures": grouped["architecture"].nunique(),
            "mean accuracy": grouped[OUTCOME].mean(),
            "lowest": grouped[OUTCOME].min(),
            "highest": grouped[OUTCOME].max(),
        }
    )
