"""The figures of a report, one entry each: for which subjects a figure is drawn, and what stands below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from analysis import figures
from analysis.figures.style import label
from analysis.frame.names import layer_degrees
from analysis.reporting.blocks import Picture
from analysis.reporting.findings import Findings

Subjects = Callable[[Findings], tuple[str, ...]]
ONCE = ("",)
NEVER: tuple[str, ...] = ()


def _default_height(findings: Findings, subject: str) -> float:
    return 4.2


@dataclass(frozen=True)
class Entry:
    """A figure of the report, drawn once per subject.

    Parameters
    ----------
    subjects
        Metrics, settings or regressions that it is drawn for; `ONCE` or `NEVER` where it has no subject.
    draw
        ``draw(findings, subject, ax)``.
    caption
        Sentence below the figure.
    height
        Height of the figure, in inches.
    """

    subjects: Subjects
    draw: Callable[[Findings, str, Axes], object]
    caption: Callable[[Findings, str], str]
    height: Callable[[Findings, str], float] = _default_height


def draw_all(findings: Findings) -> Iterator[Picture]:
    """The pictures of all entries."""
    for entry in ENTRIES:
        for subject in entry.subjects(findings):
            yield Picture(
                partial(entry.draw, findings, subject),
                entry.caption(findings, subject),
                height=entry.height(findings, subject),
            )


def _several_constructions(findings: Findings) -> tuple[str, ...]:
    return ONCE if findings.frame["construction"].nunique() > 1 else NEVER


def _has_degrees(findings: Findings) -> bool:
    return bool(layer_degrees(findings.frame, 1).notna().any())


def _of_usual_depth(findings: Findings) -> pd.DataFrame:
    """The networks of the most frequent depth."""
    depth = findings.frame["architecture"].str.count("-")
    return findings.frame[depth == depth.mode()[0]]


def _degrees_of_two_layers(findings: Findings) -> tuple[str, ...]:
    rows = _of_usual_depth(findings)
    sparse = rows.loc[rows["construction"] != "dense", "degrees"].str.split("-", expand=True)
    return ONCE if sparse.shape[1] > 1 and sparse[0].nunique() > 1 and sparse[1].nunique() > 1 else NEVER


def _over_degrees_caption(findings: Findings, subject: str) -> str:
    depth = findings.frame["architecture"].str.count("-")
    restriction = f", of networks with {depth.mode()[0]} layers" if depth.nunique() > 1 else ""
    return (
        f"Mean test accuracy over the degrees of the first two layers, all sparse constructions together{restriction}."
    )


def _varying_settings(findings: Findings) -> tuple[str, ...]:
    return tuple(s for s in (*findings.columns.settings, "architecture") if findings.frame[s].nunique() > 1)


ENTRIES: tuple[Entry, ...] = (
    Entry(
        _several_constructions,
        lambda f, _, ax: figures.accuracy_by_construction(f.frame, ax),
        lambda f, _: "Test accuracy of each construction, over all its degrees.",
    ),
    Entry(
        lambda f: _several_constructions(f) if _has_degrees(f) else NEVER,
        lambda f, _, ax: figures.accuracy_by_degree(f.frame, ax),
        lambda f, _: (
            "Test accuracy against the degree of the first layer: mean over runs, whatever the degrees of other "
            "layers, with its 95 % interval."
        ),
    ),
    Entry(
        _degrees_of_two_layers,
        lambda f, _, ax: figures.accuracy_over_degrees(_of_usual_depth(f), ax),
        _over_degrees_caption,
    ),
    Entry(
        _varying_settings,
        lambda f, setting, ax: figures.accuracy_by_setting(f.frame, ax, setting=setting),
        lambda f, setting: (
            f"Test accuracy for each {label(setting)}: mean over networks that were trained with every one and are "
            "otherwise alike, with its 95 % interval."
        ),
    ),
    Entry(
        lambda f: f.columns.connectivity if _has_degrees(f) else NEVER,
        lambda f, metric, ax: figures.metric_by_degree(f.frame, ax, metric=metric),
        lambda f, metric: f"The {label(metric)} of each construction against degree.",
    ),
    Entry(
        lambda f: f.columns.connectivity,
        lambda f, metric, ax: figures.accuracy_against_metric(f.frame, ax, metric=metric),
        lambda f, metric: f"Test accuracy against {label(metric)}, as it is: density rises along both axes.",
    ),
    Entry(
        lambda f: tuple(f.effects),
        lambda f, metric, ax: figures.within_cell_scatter(f.frame, ax, metric=metric),
        lambda f, metric: (
            f"Networks of equal degrees compared: deviations of accuracy and {label(metric)} from their cell's mean."
        ),
    ),
    Entry(
        lambda f: f.columns.connectivity if f.columns.controls else NEVER,
        lambda f, metric, ax: figures.partial_regression(f.frame, ax, metric=metric, control=f.columns.controls),
        lambda f, metric: (
            f"The same with density held fixed: what is left of accuracy against what is left of {label(metric)}."
        ),
    ),
    Entry(
        lambda f: tuple(f.fits),
        lambda f, name, ax: figures.coefficient_forest(
            f.fits[name], ax, unit="accuracy" if f.fits[name].model == "ols" else "log odds"
        ),
        lambda f, name: f"Coefficients of the regression “{name}”, each times the standard deviation of its term.",
        lambda f, name: max(2.5, 0.38 * len(f.fits[name].coefficients) + 1),
    ),
)
"""Every figure of the report in its order; a new figure is one entry more."""
