"""The report as an HTML page that needs nothing else: no file, no network, no script."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from analysis import figures
from analysis.experiments import experiment
from analysis.figures.style import label
from analysis.frame import connectivity_columns, layer_degrees, setting_columns
from analysis.prediction import Prediction
from analysis.regression import Fit
from topograph.errors import InsufficientDataError

if TYPE_CHECKING:
    from analysis.reporting import Report

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


def render(frame: pd.DataFrame, result: Report, control: list[str], notes: list[str]) -> str:
    """The page of a report.

    Parameters
    ----------
    frame
        The runs, with the control columns.
    result
        What was found.
    control
        The columns that hold density fixed in regressions.
    notes
        What could not be done, and why.
    """
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
        "<em>within cells</em> compares only networks of the same data, trainer, architecture, settings and degrees, "
        "which differ in construction and seeds; <em>by regression</em> takes out what is linear in "
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
            *_residual_figures(name, model),
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


def _residual_figures(name: str, model: Fit) -> list[str]:
    """Of the linear models: what a missing term, unequal spread or long tails would show in."""
    if model.model != "ols":
        return []
    return [
        _figure(
            partial(figures.residuals_against_fitted, model),
            f"{name}: what was seen less what was fitted; a bend means a term is missing.",
            width=6.0,
            height=3.2,
        ),
        _figure(
            partial(figures.residual_quantiles, model),
            f"{name}: the same, against a normal distribution.",
            width=6.0,
            height=3.2,
        ),
    ]


def _first(result: Report) -> list[str]:
    return [*result.effects.values(), result.verdicts[0]]


def _experiment_part(frame: pd.DataFrame) -> list[str]:
    """What rewired and relabelled masks show, for studies that have them."""
    if "variant" not in frame.columns or set(frame["variant"]) <= {"plain"}:
        return []
    parts = ["<h2>The experiment</h2>"]
    for metric in connectivity_columns(frame):
        found = experiment(frame, metric)
        parts += [f"<p>{html.escape(line)}</p>" for line in str(found).splitlines()]
    return parts


def _prediction_part(prediction: Prediction | None) -> list[str]:
    if prediction is None:
        return []
    held_out, learner, features = prediction.table.loc[0, ["held_out", "learner", "features"]]
    return [
        "<h2>Predicting what was never seen</h2>",
        "<p>Each construction (architecture, degree) in turn is held out and predicted from the others: "
        f"<code>analysis.predict_unseen</code>. <code>rmse_change</code> compares with {html.escape(features)} alone; "
        "below 0 is better, and an interval on both sides of 0 settles nothing.</p>",
        _table(prediction.table.set_index(["held_out", "learner", "features"])),
        _figure(
            partial(figures.predicted_against_seen, prediction, which=f"{held_out}/{learner}/{features}"),
            f"Test accuracy predicted from {features} alone, each {held_out} while it was held out.",
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
    has_degrees = layer_degrees(frame, 1).notna().any()
    if has_degrees and frame["construction"].nunique() > 1:
        drawn.append(
            _figure(
                partial(figures.accuracy_by_degree, frame),
                "Test accuracy against the degree of the first layer: mean over runs, whatever the degrees of other "
                "layers, with its 95 % interval.",
            )
        )
    depth = frame["architecture"].str.count("-")
    alike = frame[depth == depth.mode()[0]]
    sparse = alike.loc[alike["construction"] != "dense", "degrees"].str.split("-", expand=True)
    if sparse.shape[1] > 1 and sparse[0].nunique() > 1 and sparse[1].nunique() > 1:
        drawn.append(
            _figure(
                partial(figures.accuracy_over_degrees, alike),
                "Mean test accuracy over the degrees of the first two layers, all sparse constructions together"
                + (".", f", of networks with {depth.mode()[0]} layer pairs.")[depth.nunique() > 1],
            )
        )
    for setting in (*setting_columns(frame), "architecture"):
        with suppress(InsufficientDataError):  # nothing was trained with every value of it
            if frame[setting].nunique() > 1:
                drawn.append(
                    _figure(
                        partial(figures.accuracy_by_setting, frame, setting=setting),
                        f"Test accuracy for each {label(setting)}: mean over networks that were trained with every one "
                        "and are otherwise alike, with its 95 % interval.",
                    )
                )
    for metric in connectivity_columns(frame):
        words = label(metric)
        if has_degrees:
            drawn.append(
                _figure(
                    partial(figures.metric_by_degree, frame, metric=metric),
                    f"The {words} of each construction against degree.",
                )
            )
        drawn.append(
            _figure(
                partial(figures.accuracy_against_metric, frame, metric=metric),
                f"Test accuracy against {words}, as it is: density rises along both axes.",
            )
        )
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


def _figure(draw: Callable[..., Any], caption: str, height: float = 4.2, width: float = 8.6) -> str:
    """A figure as an image inside the page, with its caption as its alternative text."""
    figure = Figure(figsize=(width, height), layout="constrained")
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
    without = {f"{count} topologies": why for why, count in frame.attrs.get("unmeasured", {}).items()}
    return _reasons("Without any metric (topograph study measure tries again)", without) + _reasons(
        "Undefined values", lacking
    )


def _design(frame: pd.DataFrame) -> pd.DataFrame:
    grouped = frame.groupby("construction")
    return pd.DataFrame(
        {
            "networks": grouped.size(),
            "topologies": grouped["topology_id"].nunique(),
            "degrees": grouped["degrees"].nunique(),
            "architectures": grouped["architecture"].nunique(),
            "mean accuracy": grouped["test_accuracy"].mean(),
            "lowest": grouped["test_accuracy"].min(),
            "highest": grouped["test_accuracy"].max(),
        }
    )
