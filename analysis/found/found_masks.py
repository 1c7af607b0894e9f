"""`found_masks`: of masks that pruning and rewiring find, whether the method or the graph explains the accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from analysis.cells import cell_codes
from analysis.columns import Columns, find_columns
from analysis.found.differences import (
    CONTROLS,
    accuracies,
    blocks,
    difference_sentence,
    differences_by_rule,
    differences_from_controls,
    network_density,
    pruners_in,
)
from analysis.found.drifts import drift_sentences, drifts_of_rules
from analysis.found.explained import explained_variation, prediction_by_tickets
from analysis.frame.families import by_family
from analysis.units import outcome_unit
from topograph.errors import InsufficientDataError


@dataclass(frozen=True, eq=False)
class FoundMasks:
    """What a study says of pruners and rewiring rules.

    Parameters
    ----------
    accuracies
        One row per method and density, of plain variants: mean outcome with Student's interval over seeds.
    explained
        One row per step from one linear model to the next, within cells of equal density: the share of the variation
        that the added terms explain, and Wald's p-value, robust to topologies.
    controls
        One row per pruner, control and density, and one over all densities: how much better the masks are than their
        control, seed by seed, with Student's interval over seeds.
    rules
        Likewise one row per rewiring rule and density: how much better than the same networks with fixed edges.
    drifts
        One row per rule, and metric of expansion: see `analysis.drift`.
    sentences
        What that says, in words.
    notes
        What could not be computed, and why.
    """

    accuracies: pd.DataFrame
    explained: pd.DataFrame
    controls: pd.DataFrame
    rules: pd.DataFrame
    drifts: pd.DataFrame
    sentences: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def has_found_masks(frame: pd.DataFrame) -> bool:
    """Whether some networks of a frame were pruned, or rewired while they were trained.

    Examples
    --------
    >>> has_found_masks(pd.DataFrame({"construction": ["erdos_renyi", "snip"]}))
    True
    """
    return ("construction" in frame.columns and bool(pruners_in(frame))) or _is_rewired(frame)


def found_masks(frame: pd.DataFrame, *, outcome: str | None = None, columns: Columns | None = None) -> FoundMasks:
    """Whether at equal density the method that finds a mask explains the accuracy, or the graph; and where it drifts.

    A method is a pruner or a construction, with the rule that rewires its networks.

    Parameters
    ----------
    frame
        From `analysis.load_frame`, of a study with pruners or rewiring rules.
    outcome
        The dependent variable; by default as `analysis.report` finds it.
    columns
        The roles of the columns, where they are known already.

    Raises
    ------
    InsufficientDataError
        When no network was pruned or rewired, or the frame does not say which have equal densities.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "test_accuracy": [0.80, 0.81, 0.84, 0.84, 0.79, 0.80], "topology_id": list("abcdef"),
    ...     "construction": ["random"] * 2 + ["snip"] * 4, "variant": ["plain"] * 4 + ["shuffled_layers"] * 2,
    ...     "dataset": "digits", "trainer": "numpy", "architecture": "64-32-10", "degrees": "3-1",
    ...     "topology_seed": [0, 1] * 3, "seed": [0, 1] * 3, "l1_log_density": -2.3, "l1_normalized_gap": 0.2,
    ... })
    >>> found = found_masks(table)
    >>> round(float(found.controls.loc[("snip", "shuffled_layers", "all"), "difference"]), 3)
    0.045
    """
    if not has_found_masks(frame):
        raise InsufficientDataError("no network of the frame was pruned or rewired")
    columns = columns or find_columns(frame, outcome=outcome)
    if columns.cells is None:
        raise InsufficientDataError("the frame does not say which networks have equal densities")
    cells = [cell for cell in columns.cells if cell != "rewiring"]
    runs = frame.assign(
        method=_methods(frame),
        cell=cell_codes(frame, cells),
        rewiring=frame["rewiring"] if "rewiring" in frame.columns else "none",
        variant=frame["variant"] if "variant" in frame.columns else "plain",
        one="all",
    )
    unit, name = outcome_unit(frame, columns.outcome), columns.outcome
    plain = runs[runs["variant"] == "plain"]
    notes: list[str] = []
    explained, words = explained_variation(plain, columns, notes)
    tickets, more = prediction_by_tickets(runs, name, notes)
    controls, rules = differences_from_controls(runs, cells, name), differences_by_rule(runs, name)
    drifts = drifts_of_rules(runs)
    sizes = {str(degrees): network_density(rows) for degrees, rows in plain.groupby("degrees")}
    ordered = sorted(sizes.items(), key=lambda item: item[1])
    densities = {degrees: degrees if math.isnan(size) else f"{100 * size:.3g} %" for degrees, size in ordered}
    sentences = [*words, *more]
    for (pruner, control), rows in blocks(controls):
        start = f"{pruner} against {CONTROLS[control]}"
        sentences.append(difference_sentence(rows, start, densities, unit, name))
    for (method,), rows in blocks(rules):
        start = f"{method} against the same networks with fixed edges"
        sentences.append(difference_sentence(rows, start, densities, unit, name))
    sentences += drift_sentences(drifts)
    return FoundMasks(
        accuracies=accuracies(plain, name),
        explained=pd.concat([explained, tickets]),
        controls=controls,
        rules=rules,
        drifts=drifts,
        sentences=tuple(sentences),
        notes=tuple(notes),
    )


def _is_rewired(frame: pd.DataFrame) -> bool:
    ruled = "rewiring" in frame.columns and bool((frame["rewiring"].dropna() != "none").any())
    last = [str(column).removeprefix("final_") for column in frame.columns if str(column).startswith("final_l")]
    return ruled or any(name in frame.columns and not name.endswith("_n_parameters") for name in last)


def _methods(frame: pd.DataFrame) -> pd.Series:
    names = by_family(frame)["construction"].astype(str)
    if "rewiring" not in frame.columns:
        return names
    rule = frame["rewiring"].fillna("none").astype(str)
    return names.where(rule == "none", names + " + " + rule)
