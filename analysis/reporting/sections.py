"""The sections of a report, one entry each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd

from analysis import figures
from analysis.cells import held_columns
from analysis.figures.style import label
from analysis.frame.names import name_words
from analysis.naming import listed
from analysis.reporting.blocks import Block, Code, Items, Paragraph, Picture, Table
from analysis.reporting.findings import Findings
from analysis.reporting.pictures import draw_all


def _always(findings: Findings) -> bool:
    return True


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Parameters
    ----------
    title
        Heading.
    draw
        ``draw(findings)``: the blocks of the section.
    applies
        ``applies(findings)``: whether the section is shown.
    caption
        Paragraph below the heading; text, or a function of the findings.
    """

    title: str
    draw: Callable[[Findings], Iterable[Block]]
    applies: Callable[[Findings], bool] = _always
    caption: str | Callable[[Findings], str] = ""


def _answer_caption(findings: Findings) -> str:
    columns, attributes = findings.columns, findings.correlations.attrs
    not_computed = attributes.get("not_computed", {})
    if columns.cells is None:
        within = f"“Within cells” was not computed: {not_computed['within_cell']}."
    else:
        held = listed(held_columns(findings.frame, columns.cells))
        within = f"“Within cells” compares only networks of equal {held}." if held else "All networks are one cell."
    if columns.controls:
        regression = f"“By regression” takes out what is linear in {listed(columns.controls)}."
    else:
        regression = f"“By regression” was not computed: {not_computed['partial']}."
    density = findings.frame.attrs.get("density_from")
    reading = "1 minus the column" if "sparsity" in name_words(density) else "the column"
    source = f" log_density is the logarithm of {reading} {density}, taken for the whole network's." if density else ""
    left_out = "".join(f" Within cells, {note}." for note in attributes.get("notes", []))
    return (
        f"{len(findings.frame)} networks on {findings.frame['topology_id'].nunique()} topologies. {within} {regression}"
        f"{source}{left_out} Intervals come from drawing whole topologies with replacement. These are correlations; "
        "they do not show causes."
    )


def _answer(findings: Findings) -> Iterator[Block]:
    yield Items(findings.verdicts[1:])
    used = set(findings.correlations["method"])
    ways = [way for way in ("partial", "within_cell", "within_cell_partial") if way in used]
    held = f", raw and with density held fixed in {len(ways)} way{'s' * (len(ways) > 1)}" if ways else ", raw"
    yield Picture(
        partial(figures.correlation_forest, findings.correlations, methods=("pearson", *ways)),
        f"Correlation of {label(findings.columns.outcome)} with each metric{held}.",
        height=max(3.0, 0.46 * findings.correlations["metric"].nunique() + 1),
    )


def _outcome(findings: Findings) -> str:
    words = label(findings.columns.outcome)
    return words[:1].upper() + words[1:]


def _correlations(findings: Findings) -> Iterator[Block]:
    yield Table(findings.correlations.set_index("metric"))
    yield Items.of_reasons("Left out", findings.correlations.attrs.get("reasons", {}))


def _prediction_caption(findings: Findings) -> str:
    assert findings.prediction is not None
    return (
        "Each construction (architecture, degree) in turn is held out and predicted from the others, by "
        "analysis.predict_unseen. “rmse_change” compares with "
        f"{findings.prediction.table.loc[0, 'features']} alone; below 0 is better, and an interval on both sides of 0 "
        "settles nothing."
    )


def _prediction(findings: Findings) -> Iterator[Block]:
    assert findings.prediction is not None
    table = findings.prediction.table
    held_out, learner, features = table.loc[0, ["held_out", "learner", "features"]]
    yield Table(table.set_index(["held_out", "learner", "features"]))
    yield Picture(
        partial(figures.predicted_against_seen, findings.prediction, which=f"{held_out}/{learner}/{features}"),
        f"{_outcome(findings)} predicted from {features} alone, each {held_out} while it was held out.",
    )


def _experiments(findings: Findings) -> Iterator[Block]:
    for experiment in findings.experiments:
        yield from map(Paragraph, str(experiment).splitlines())


def _comparison(findings: Findings) -> Iterator[Block]:
    assert findings.comparison is not None
    yield Table(findings.comparison.table())
    yield Paragraph(
        f"Added: {', '.join(findings.comparison.added)}. Wald test of the added terms, cluster-robust: "
        f"p = {findings.comparison.wald_p_value:.3g}."
    )
    if len(findings.comparison.folds):
        yield Paragraph("The last column is the error on constructions left out of the fitting, one after the other:")
        yield Table(findings.comparison.folds)
    else:
        yield Paragraph("There is one construction only, so none could be left out of the fitting and predicted.")


def _regressions(findings: Findings) -> Iterator[Block]:
    for name, model in findings.fits.items():
        yield Paragraph(
            f"{model.formula}: {model.n} runs in {model.n_clusters} clusters, R² {model.r_squared:.3f}, "
            f"{model.dropped} rows left out.",
            label=f"{name}.",
        )
        yield Table(model.coefficients)
        yield from (Paragraph(f"Note: {note}.") for note in model.notes)
        if model.model == "ols":  # a missing term, unequal spread or long tails would show here
            yield Picture(
                partial(figures.residuals_against_fitted, model),
                f"{name}: what was seen less what was fitted; a bend means a term is missing.",
                width=6.0,
                height=3.2,
            )
            yield Picture(
                partial(figures.residual_quantiles, model),
                f"{name}: the same, against a normal distribution.",
                width=6.0,
                height=3.2,
            )


def _design(findings: Findings) -> Iterator[Block]:
    frame, outcome = findings.frame, findings.columns.outcome
    grouped = frame.groupby("construction")
    yield Table(
        pd.DataFrame(
            {
                "networks": grouped.size(),
                "topologies": grouped["topology_id"].nunique(),
                "degrees": grouped["degrees"].nunique(),
                "architectures": grouped["architecture"].nunique(),
                f"mean {label(outcome)}": grouped[outcome].mean(),
                "lowest": grouped[outcome].min(),
                "highest": grouped[outcome].max(),
            }
        )
    )
    yield Paragraph("Constructions that make the same edges at some degree share one run, listed under the first.")
    without = {f"{count} topologies": reason for reason, count in frame.attrs.get("unmeasured", {}).items()}
    yield Items.of_reasons("Without any metric (topograph study measure tries again)", without)
    yield Items.of_reasons("Undefined values", _undefined(frame))


def _undefined(frame: pd.DataFrame) -> dict[str, str]:
    """Metrics with missing values, how many and why."""
    return {
        column: f"undefined in {int(frame[column].isna().sum())} of {len(frame)} runs: {'; '.join(reasons)}"
        for column, reasons in frame.attrs.get("reasons", {}).items()
        if column in frame.columns and frame[column].isna().any()
    }


SECTIONS: tuple[Section, ...] = (
    Section("The answer, metric by metric", _answer, caption=_answer_caption),
    Section("Figures", draw_all),
    Section("Correlations", _correlations, caption="From analysis.correlate(frame, outcome, metrics, control=…)."),
    Section(
        "Predicting what was never seen", _prediction, lambda f: f.prediction is not None, caption=_prediction_caption
    ),
    Section("The experiment", _experiments, lambda f: bool(f.experiments)),
    Section("Density only, or density and connectivity", _comparison, lambda f: f.comparison is not None),
    Section("Regressions", _regressions, lambda f: bool(f.fits)),
    Section("Not computed", lambda f: map(Paragraph, f.notes), lambda f: bool(f.notes)),
    Section("The design", _design),
    Section(
        "Specification and versions",
        lambda f: [Code(json.dumps(f.meta, indent=1, ensure_ascii=False))],
        lambda f: bool(f.meta),
    ),
)
"""Every section of the report in its order; a new section is one entry more."""
