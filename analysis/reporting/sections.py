"""The sections of a report, one entry each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd

from analysis import figures
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
        The blocks of the section, from the findings.
    applies
        Whether the section is shown.
    caption
        Paragraph below the heading; text, or a function of the findings.
    """

    title: str
    draw: Callable[[Findings], Iterable[Block]]
    applies: Callable[[Findings], bool] = _always
    caption: str | Callable[[Findings], str] = ""


def _answer_caption(findings: Findings) -> str:
    controls = ", ".join(findings.columns.controls) or "nothing (density does not vary)"
    return (
        f"{len(findings.frame)} networks on {findings.frame['topology_id'].nunique()} topologies. Density is held "
        "fixed in two ways: “within cells” compares only networks of the same data, trainer, architecture, settings "
        "and degrees, which differ in construction and seeds; “by regression” takes out what is linear in "
        f"{controls}. Intervals come from drawing whole topologies with replacement. These are correlations; they do "
        "not show causes."
    )


def _answer(findings: Findings) -> Iterator[Block]:
    yield Items(findings.verdicts[1:])
    yield Picture(
        partial(figures.correlation_forest, findings.correlations),
        "Correlation of test accuracy with each metric, raw and with density held fixed in two ways.",
        height=max(3.0, 0.46 * findings.correlations["metric"].nunique() + 1),
    )


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
        f"Test accuracy predicted from {features} alone, each {held_out} while it was held out.",
    )


def _experiments(findings: Findings) -> Iterator[Block]:
    for experiment in findings.experiments:
        yield from map(Paragraph, str(experiment).splitlines())


def _comparison(findings: Findings) -> Iterator[Block]:
    assert findings.comparison is not None
    yield Table(findings.comparison.table())
    yield Paragraph(
        f"Added: {', '.join(findings.comparison.added)}. Wald test of the added terms, cluster-robust: "
        f"p = {findings.comparison.wald_p_value:.3g}. The last column is the error on constructions left out of the "
        "fitting, one after the other:"
    )
    yield Table(findings.comparison.folds)


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
    frame = findings.frame
    grouped = frame.groupby("construction")
    yield Table(
        pd.DataFrame(
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
    Section(
        "Correlations", _correlations, caption="From analysis.correlate(frame, 'test_accuracy', metrics, control=…)."
    ),
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
