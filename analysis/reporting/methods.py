"""How the numbers were computed, to paste into a paper; with which versions; and how to cite."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from analysis.cells import held_columns
from analysis.frame.names import column_words
from analysis.leaving_out import GROUPS, MOST
from analysis.naming import listed_columns
from analysis.reporting.findings import Findings
from analysis.words import RAW

_PACKAGES = ("topograph", "numpy", "scipy", "pandas", "statsmodels", "scikit-learn")


def methods(findings: Findings) -> str:
    """The statistics of the report as a paragraph."""
    frame, columns, table = findings.frame, findings.columns, findings.correlations
    outcome = column_words(columns.outcome)
    used = [str(method) for method in dict.fromkeys(table["method"])]
    sentences = [
        f"We correlated {outcome} with {len(findings.metrics)} metrics of the masks' bipartite graphs over "
        f"{len(frame)} trained networks on {frame['topology_id'].nunique()} topologies (Pearson's r)."
    ]
    if "within_cell" in used and columns.cells is not None:
        held = listed_columns(held_columns(frame, columns.cells)) or "nothing"
        sentences.append(
            f"To hold density fixed, networks were compared only with networks of equal {held}: correlations of "
            "deviations from the means of these cells, pooled over cells."
        )
    if "within_cell_partial" in used:
        loose = listed_columns(findings.loose)
        sentences.append(f"Within cells {loose} still varied and was taken out by linear regression.")
    if "partial" in used:
        by = listed_columns(columns.controls)
        sentences.append(f"As a second way, {by} were taken out by linear regression over all networks.")
    sentences.append(
        f"95 % intervals and p-values are from leaving out {left_out(frame)} in turn (the jackknife), on Fisher's z "
        "scale (Efron & Stein 1981); p-values were corrected for the number of metrics by "
        "Holm's and by Benjamini and Hochberg's method, separately for each way."
    )
    if findings.effects and columns.cells is not None:
        sentences.append(
            "Effects per standard deviation within cells have jackknife errors over whole topologies (Bell & McCaffrey "
            "2002), and are given with the smallest effect that the study would have found with power 0.8."
        )
    assert RAW in used
    sentences.append("All computations were done with topograph " + _version("topograph") + ".")
    return " ".join(sentences)


def left_out(frame: pd.DataFrame) -> str:
    """What the intervals of correlations leave out in turn."""
    return "each topology" if frame["topology_id"].nunique() <= MOST else f"each of {GROUPS} groups of topologies"


def versions(findings: Findings) -> str:
    """The versions that made the report, and those that made the study, where it says so."""
    lines = ["report: " + ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)]
    recorded = findings.meta.get("versions") or findings.meta.get("software")
    if isinstance(recorded, dict):
        lines.append("study: " + ", ".join(f"{name} {number}" for name, number in recorded.items()))
    return "\n".join(lines)


def citation() -> str:
    """How to cite the software, and what it reproduces, as BibTeX."""
    return (
        "@software{topograph,\n"
        "  title = {topograph: sparse neural-network topologies as bipartite graphs},\n"
        f"  author = {{{{The topograph developers}}}},\n  version = {{{_version('topograph')}}}\n}}\n\n"
        "@article{bourely2017sparse,\n"
        "  title = {Sparse Neural Network Topologies},\n"
        "  author = {Bourely, Alfred and Boueri, John Patrick and Choromanski, Krzysztof},\n"
        "  journal = {arXiv:1706.05683},\n  year = {2017}\n}"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
