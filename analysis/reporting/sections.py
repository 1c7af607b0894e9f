"""The sections of a report, one entry each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd

from analysis import figures
from analysis.cells import held_columns
from analysis.columns import Columns
from analysis.figures.coefficients import METHOD_WORDS
from analysis.frame.names import column_words, is_percentage, name_words
from analysis.naming import listed_columns
from analysis.reporting.answer import N_CLEAREST, held_way
from analysis.reporting.blocks import Block, Code, Items, Paragraph, Picture, Table
from analysis.reporting.explorer import Explorer
from analysis.reporting.findings import Findings
from analysis.reporting.forest import Forest, Row
from analysis.reporting.methods import citation, left_out, methods, versions
from analysis.reporting.pictures import COEFFICIENTS, draw_all
from analysis.reporting.slopes import cell_slopes
from analysis.units import outcome_unit
from analysis.words import rows_by_metric


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
    is_open
        Whether the section is open at first.
    caption
        Paragraph below the heading; text, or a function of the findings.
    """

    title: str
    draw: Callable[[Findings], Iterable[Block]]
    applies: Callable[[Findings], bool] = _always
    caption: str | Callable[[Findings], str] = ""
    is_open: bool = False


def _answer_caption(findings: Findings) -> str:
    columns, attributes = findings.columns, findings.correlations.attrs
    not_computed = attributes.get("not_computed", {})
    if columns.cells is None:
        within = f"“Within cells” was not computed: {not_computed['within_cell']}."
    else:
        held = listed_columns(held_columns(findings.frame, columns.cells))
        within = f"“Within cells” compares only networks of equal {held}." if held else "All networks are one cell."
    if columns.controls:
        regression = f"“By regression” takes out what is linear in {listed_columns(columns.controls)}."
    else:
        regression = f"“By regression” was not computed: {not_computed['partial']}."
    density = findings.frame.attrs.get("density_from")
    reading = "1 minus the column" if "sparsity" in name_words(density) else "the column"
    if density and is_percentage(findings.frame[density]):
        reading = reading.replace("the column", "a hundredth of the column")
    source = f" log_density is the logarithm of {reading} {density}, taken for the whole network's." if density else ""
    notes = "".join(f" Within cells, {note}." for note in attributes.get("notes", []))
    return (
        f"{len(findings.frame)} networks on {findings.frame['topology_id'].nunique()} topologies. {within} {regression}"
        f"{source}{notes} Intervals come from leaving out {left_out(findings.frame)} in turn. These are correlations; "
        "they do not show causes."
    )


def first_picture(findings: Findings) -> Block:
    """The picture below the answer: the clearest metrics and those that the study is about, raw and held fixed."""
    names = list(dict.fromkeys([*findings.answer.order[:N_CLEAREST], *findings.columns.connectivity[:2]]))
    table, held = findings.correlations, findings.answer.held
    rows = table[table["metric"].isin(names)].sort_values("metric", key=lambda column: column.map(names.index))
    way = held_way(table)
    about = ", and those that the study is about" if len(names) > N_CLEAREST else ""
    return Picture(
        partial(figures.correlation_forest, rows, methods=tuple(filter(None, ("pearson", way)))),
        f"The {min(N_CLEAREST, len(names))} metrics whose link with {column_words(findings.columns.outcome)} is "
        f"clearest{about}: correlations, raw and with {held} held fixed, with 95 % intervals.",
        height=0.36 * len(names) + 1.1,
        width=7.0,
        name="answer",
    )


def _forest(findings: Findings) -> Iterator[Block]:
    table, columns = findings.correlations, findings.columns
    unit = outcome_unit(findings.frame, columns.outcome)
    held = held_columns(findings.frame, columns.cells) if columns.cells is not None else ()
    sentences = dict(zip(table["metric"].unique(), findings.verdicts[1:], strict=True))
    by_metric = rows_by_metric(table)
    numbers = findings.frame[
        list(dict.fromkeys(["topology_id", *findings.answer.order, columns.outcome, *(columns.cells or ())]))
    ]
    numbers.attrs = {}  # pandas would copy them at each step
    rows = [
        Row(
            name,
            {
                method: (row["estimate"], row["low"], row["high"], int(row["n_clusters"]))
                for method, row in by_metric[name].items()
            },
            sentences[name],
            pd.DataFrame()
            if columns.cells is None
            else cell_slopes(_numbers(numbers, name, columns), name, columns.outcome, columns.cells, held, unit.scale),
        )
        for name in findings.answer.order
    ]
    yield Forest(rows, "pearson", held_way(table), findings.answer.held, unit.of(column_words(columns.outcome)))


def _numbers(frame: pd.DataFrame, metric: str, columns: Columns) -> pd.DataFrame:
    """The columns that slopes need, and no others, so that taking rows is quick."""
    return frame[list(dict.fromkeys(["topology_id", metric, columns.outcome, *(columns.cells or ())]))]


def _explorer(findings: Findings) -> Iterator[Block]:
    columns, frame = findings.columns, findings.frame
    outcomes = [columns.outcome]
    outcomes += [
        name for name in ("test_accuracy", "train_accuracy") if name not in outcomes and frame[name].notna().any()
    ]
    first = [name for name in findings.answer.order if name in columns.connectivity]
    metrics = list(dict.fromkeys([*first, *findings.answer.order]))
    cells = held_columns(frame, columns.cells) if columns.cells is not None else ()
    yield Explorer(frame, metrics, outcomes, columns.cells, listed_columns(cells))


def _outcome(findings: Findings) -> str:
    words = column_words(findings.columns.outcome)
    return words[:1].upper() + words[1:]


def _correlations(findings: Findings) -> Iterator[Block]:
    table = findings.correlations.set_index("metric")
    yield Table(table.assign(method=table["method"].map(METHOD_WORDS).fillna(table["method"])), "Correlations")
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
    yield Table(table.set_index(["held_out", "learner", "features"]), "Predictions")
    yield Picture(
        partial(figures.predicted_against_seen, findings.prediction, which=f"{held_out}/{learner}/{features}"),
        f"{_outcome(findings)} predicted from {features} alone, each {held_out} while it was held out.",
        name="predicted",
    )


def _experiments(findings: Findings) -> Iterator[Block]:
    for experiment in findings.experiments:
        yield from map(Paragraph, str(experiment).splitlines())


def _found_masks(findings: Findings) -> Iterator[Block]:
    found = findings.found_masks
    assert found is not None
    yield Items(found.sentences)
    tables = {
        "Accuracy by method and density": found.accuracies,
        "What explains the outcome at equal density": found.explained,
        "Pruned masks against their controls": found.controls,
        "Rewiring against fixed edges": found.rules,
        "First and last expansion of rewired networks": found.drifts,
    }
    for title, table in tables.items():
        if len(table):
            yield Paragraph(f"{title}:")
            yield Table(table, title)
    yield from (Paragraph(f"Note: {note}.") for note in found.notes)


def _families(findings: Findings) -> Iterator[Block]:
    families = findings.families
    assert families is not None
    yield Items(families.sentences)
    for title, table in {
        "Outcome by budget and family": families.outcomes,
        "Compressions against sparse constructions of as many edges": families.differences,
    }.items():
        yield Paragraph(f"{title}:")
        yield Table(table, title)


def _comparison(findings: Findings) -> Iterator[Block]:
    assert findings.comparison is not None
    yield Table(findings.comparison.table(), "Models")
    yield Paragraph(
        f"Added: {', '.join(findings.comparison.added)}. Wald test of the added terms, cluster-robust: "
        f"p = {findings.comparison.wald_p_value:.3g}."
    )
    if len(findings.comparison.folds):
        yield Paragraph("The last column is the error on constructions left out of the fitting, one after the other:")
        yield Table(findings.comparison.folds, "Models by construction left out")
    else:
        yield Paragraph("There is one construction only, so none could be left out of the fitting and predicted.")


def _regressions(findings: Findings) -> Iterator[Block]:
    forests = dict(zip(findings.fits, draw_all(findings, COEFFICIENTS), strict=True))
    for name, model in findings.fits.items():
        yield Paragraph(
            f"{model.formula}: {model.n} runs in {model.n_clusters} clusters, R² {model.r_squared:.3f}, "
            f"{model.dropped} rows left out.",
            label=f"{name}.",
        )
        yield forests[name]
        yield Table(model.coefficients, f"Regression {name}")
        yield from (Paragraph(f"Note: {note}.") for note in model.notes)
    last = [name for name, model in findings.fits.items() if model.model == "ols"][-1:]
    for name in last:  # a missing term, unequal spread or long tails would show here
        model = findings.fits[name]
        if model.n:
            yield Picture(
                partial(figures.residuals_against_fitted, model),
                f"{name}: what was seen less what was fitted; a bend means a term is missing.",
                name="residuals",
                width=6.0,
                height=3.2,
            )
            yield Picture(
                partial(figures.residual_quantiles, model),
                f"{name}: the same, against a normal distribution.",
                name="residual quantiles",
                width=6.0,
                height=3.2,
            )


def _methods(findings: Findings) -> Iterator[Block]:
    yield Paragraph(methods(findings))
    yield Paragraph("Versions:")
    yield Code(versions(findings))
    yield Paragraph("How to cite:")
    yield Code(citation())


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
                f"mean {column_words(outcome)}": grouped[outcome].mean(),
                "lowest": grouped[outcome].min(),
                "highest": grouped[outcome].max(),
            }
        ),
        "Design",
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
    Section("Every metric", _forest, caption=_answer_caption, is_open=True),
    Section("Explorer", _explorer, is_open=True),
    Section("Figures", draw_all, is_open=True),
    Section("The experiment", _experiments, lambda f: bool(f.experiments), is_open=True),
    Section(
        "Pruning and rewiring: the method or the graph",
        _found_masks,
        lambda f: f.found_masks is not None,
        caption="From analysis.found_masks(frame). Intervals are Student's at 95 %, over seeds; p-values are Wald's, "
        "robust to topologies; none is corrected for the number of comparisons. Shares of variation are links, not "
        "causes; a control differs from its pruned mask in the edges only.",
        is_open=True,
    ),
    Section(
        "Ways to spend the same number of parameters",
        _families,
        lambda f: f.families is not None,
        caption="From analysis.compare_families(frame). Intervals are Student's at 95 %, over seeds, not corrected for "
        "the number of comparisons. The best construction at a seed is that with the best mean over the other seeds.",
        is_open=True,
    ),
    Section("Correlations", _correlations, caption="From analysis.correlate(frame, outcome, metrics, control=…)."),
    Section(
        "Predicting what was never seen", _prediction, lambda f: f.prediction is not None, caption=_prediction_caption
    ),
    Section("Density only, or density and connectivity", _comparison, lambda f: f.comparison is not None),
    Section("Regressions", _regressions, lambda f: bool(f.fits)),
    Section("The design", _design),
    Section("Not computed", lambda f: map(Paragraph, f.notes), lambda f: bool(f.notes)),
    Section("Methods, versions and citation", _methods, is_open=True),
    Section(
        "Specification",
        lambda f: [Code(json.dumps(f.meta, indent=1, ensure_ascii=False))],
        lambda f: bool(f.meta),
    ),
)
"""Every section of the report in its order; a new section is one entry more."""
