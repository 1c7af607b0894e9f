"""The figures of a report, one entry each: for which subjects a figure is drawn, and what stands below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from analysis import figures
from analysis.cells import held_columns
from analysis.figures.style import label
from analysis.frame.names import layer_degrees
from analysis.naming import listed_columns
from analysis.reporting.blocks import Picture
from analysis.reporting.findings import Findings

Subjects = Callable[[Findings], tuple[str, ...]]
ONCE = ("",)
NEVER: tuple[str, ...] = ()
_MOST_METRICS = 1  # drawn by themselves; the explorer shows any


def _outcome(findings: Findings) -> str:
    words = label(findings.columns.outcome)
    return words[:1].upper() + words[1:]


def _default_height(findings: Findings, subject: str) -> float:
    return 4.2


@dataclass(frozen=True)
class Entry:
    """A figure of the report, drawn once per subject.

    Parameters
    ----------
    name
        Name of its files.
    subjects
        Metrics, settings or regressions that it is drawn for; `ONCE` or `NEVER` where it has no subject.
    draw
        ``draw(findings, subject, ax)``.
    caption
        Sentence below the figure.
    height
        Height of the figure, in inches.
    """

    name: str
    subjects: Subjects
    draw: Callable[[Findings, str, Axes], object]
    caption: Callable[[Findings, str], str]
    height: Callable[[Findings, str], float] = _default_height


def draw_all(findings: Findings, entries: Sequence[Entry] | None = None) -> Iterator[Picture]:
    """The pictures of all entries, `ENTRIES` by default."""
    for entry in ENTRIES if entries is None else entries:
        for subject in entry.subjects(findings):
            yield Picture(
                partial(entry.draw, findings, subject),
                entry.caption(findings, subject),
                height=entry.height(findings, subject),
                name=f"{entry.name} {subject}",
            )


def _several_constructions(findings: Findings) -> tuple[str, ...]:
    return ONCE if findings.frame["construction"].nunique() > 1 else NEVER


def _has_degrees(findings: Findings) -> bool:
    return bool(layer_degrees(findings.frame, 1).notna().any())


def _depth(findings: Findings) -> pd.Series:
    """The number of layers of each network, as its architecture says."""
    return pd.Series(findings.frame["architecture"].astype("string").fillna("").str.count("-"))


def _of_usual_depth(findings: Findings) -> pd.DataFrame:
    """The networks of the most frequent depth."""
    depth = _depth(findings)
    return findings.frame[depth == depth.mode()[0]]


def _degrees_of_two_layers(findings: Findings) -> tuple[str, ...]:
    rows = _of_usual_depth(findings)
    sparse = rows[rows["construction"] != "dense"]
    several = all(layer_degrees(sparse, layer).nunique() > 1 for layer in (1, 2))
    return ONCE if several else NEVER


def _over_degrees_caption(findings: Findings, subject: str) -> str:
    depth = _depth(findings)
    restriction = f", of networks with {depth.mode()[0]} layers" if depth.nunique() > 1 else ""
    return (
        f"Mean test accuracy over the degrees of the first two layers, all sparse constructions together{restriction}."
    )


def _varying_settings(findings: Findings) -> tuple[str, ...]:
    return tuple(s for s in (*findings.columns.settings, "architecture") if findings.frame[s].nunique() > 1)


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "by construction",
        _several_constructions,
        lambda f, _, ax: figures.accuracy_by_construction(f.frame, ax, outcome=f.columns.outcome),
        lambda f, _: f"{_outcome(f)} of each construction, over all its degrees.",
    ),
    Entry(
        "by degree",
        lambda f: _several_constructions(f) if _has_degrees(f) else NEVER,
        lambda f, _, ax: figures.accuracy_by_degree(f.frame, ax, outcome=f.columns.outcome),
        lambda f, _: (
            f"{_outcome(f)} against the degree of the first layer: mean over runs, whatever the degrees of other "
            "layers, with its 95 % interval."
        ),
    ),
    Entry(
        "over two degrees",
        _degrees_of_two_layers,
        lambda f, _, ax: figures.accuracy_over_degrees(_of_usual_depth(f), ax, outcome=f.columns.outcome),
        _over_degrees_caption,
    ),
    Entry(
        "by setting",
        _varying_settings,
        lambda f, setting, ax: figures.accuracy_by_setting(f.frame, ax, setting=setting, outcome=f.columns.outcome),
        lambda f, setting: (
            f"{_outcome(f)} for each {label(setting)}: mean over networks that were trained with every one and are "
            "otherwise alike, with its 95 % interval."
        ),
    ),
    Entry(
        "against metric",
        lambda f: f.columns.connectivity[:_MOST_METRICS],
        lambda f, metric, ax: figures.accuracy_against_metric(f.frame, ax, metric=metric, outcome=f.columns.outcome),
        lambda f, metric: f"{_outcome(f)} against {label(metric)}, as it is: nothing is held fixed.",
    ),
    Entry(
        "within cells",
        lambda f: f.columns.connectivity[:_MOST_METRICS] if f.columns.cells is not None else NEVER,
        lambda f, metric, ax: figures.within_cell_scatter(
            f.frame, ax, metric=metric, outcome=f.columns.outcome, cells=f.columns.cells
        ),
        lambda f, metric: (
            f"Networks of equal {listed_columns(held_columns(f.frame, f.columns.cells or ())) or 'nothing'} compared: "
            f"deviations of {label(f.columns.outcome)} and {label(metric)} from their cell's mean."
        ),
    ),
)
"""The figures of the section of figures, in their order; a new figure is one entry more."""

COEFFICIENTS: tuple[Entry, ...] = (
    Entry(
        "coefficients",
        lambda f: tuple(f.fits),
        lambda f, name, ax: figures.coefficient_forest(
            f.fits[name], ax, unit=label(f.columns.outcome) if f.fits[name].model == "ols" else "log odds"
        ),
        lambda f, name: f"Coefficients of the regression “{name}”, each times the standard deviation of its term.",
        lambda f, name: max(2.5, 0.38 * len(f.fits[name].coefficients) + 1),
    ),
)
"""The figures of the regressions."""
