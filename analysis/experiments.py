"""`experiment`: the clean test, for studies with rewired or relabelled masks."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.cells import cell_codes, cell_columns
from analysis.effects import Effect, effect
from analysis.frame.names import main_column
from analysis.units import Unit, outcome_unit
from topograph.errors import InsufficientDataError, UnknownNameError

Vector = npt.NDArray[np.float64]
_RELABELLED = "relabelled"


@dataclass(frozen=True, eq=False)
class Experiment:
    """The effect of connectivity when degrees are exactly kept, and that of the alignment with the data.

    Parameters
    ----------
    metric
        The measure of connectivity.
    connectivity
        Accuracy points that go with one standard deviation of the metric among masks with the same degrees, which
        differ by rewiring only: None where the study has none.
    alignment
        One row per construction: ``points`` (or units of the outcome) that the mask as built gains over the same graph
        with its inputs renumbered, with its interval, the smallest difference the study could have seen
        (``detectable``), and the factor of topologies it would take to see one as large (``more_topologies``); None
        where nothing was relabelled.
    alignment_share
        Share of the spread between constructions at equal degrees that goes away when inputs are renumbered: estimate,
        low, high; NaN where it cannot be told. What goes away is alignment, what stays is the graph.
    notes
        Remarks on what could not be told, and why.
    outcome, unit
        The dependent variable, and the unit that its changes are told in.
    """

    metric: str
    connectivity: Effect | None
    alignment: pd.DataFrame | None
    alignment_share: tuple[float, float, float]
    notes: tuple[str, ...]
    outcome: str = "test_accuracy"
    unit: Unit = Unit.POINTS

    def __str__(self) -> str:
        lines = []
        if self.connectivity is not None:
            # the design earns the word: only the rewiring differs, and it was assigned, not observed
            lines.append("By rewiring at fixed degrees. " + self.connectivity.sentence(verb="brought"))
        if self.alignment is not None:
            for name, row in self.alignment.iterrows():
                clear = "distinguishable" if row["low"] > 0 or row["high"] < 0 else "not distinguishable"
                number = self.unit.formatter(row["points"], row["low"], row["high"], row["detectable"])
                lines.append(
                    f"The way {name} lies on the inputs brought {number(row['points'])} {self.unit.of(self.outcome)} "
                    f"({number(row['low'])} … {number(row['high'])}) over the same graph with its inputs renumbered: "
                    f"{clear} from zero; the study could have seen {number(row['detectable']).lstrip('+')}."
                )
        share, low, high = self.alignment_share
        if high - low > 1:
            lines.append(
                "How much of the spread between constructions is alignment rather than graph cannot be told: that "
                "spread is too small for a study of this size."
            )
        elif not np.isnan(share):
            lines.append(
                f"Of the spread between constructions at equal degrees, {100 * share:.0f} % ({100 * low:.0f} … "
                f"{100 * high:.0f}) is alignment with the inputs rather than graph."
            )
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(line)}</p>" for line in str(self).splitlines())


def experiment(
    frame: pd.DataFrame,
    metric: str | None = None,
    *,
    outcome: str = "test_accuracy",
    groups: str = "topology_id",
    confidence: float = 0.95,
    power: float = 0.8,
    resamples: int = 1000,
    seed: int = 0,
) -> Experiment:
    """Analyse a study with ``variants`` (`trainers.study.spec.variants.Variant`).

    Rewired masks keep every degree of the mask they come from, so among them, and between them and the plain one,
    connectivity varies with nothing else of density or degree: the test that the paper's scatter plots cannot be.
    Relabelled masks are the same graph in another alignment with the data: the control for all that is not graph.

    Parameters
    ----------
    frame
        From `analysis.load_frame`, with the column ``variant``.
    metric
        The measure of connectivity; by default the algebraic connectivity of the first layer, for models the mean over
        their layers.
    outcome, groups, confidence, power
        As for `analysis.effect`.
    resamples, seed
        Number and seed of the draws behind the interval of the share.

    Raises
    ------
    UnknownNameError
        When the frame has no such column.
    InsufficientDataError
        When the study has neither rewired nor relabelled masks.
    """
    cells = cell_columns(frame)
    if metric is None:
        metric = main_column(frame, "algebraic_connectivity")
    for column in (metric, outcome, groups, *cells, "construction", "variant"):
        if column not in frame.columns:
            raise UnknownNameError.among("column", column, map(str, frame.columns))
    # shuffled layers keep no degrees, so they are no part of it
    sparse = frame[(frame["construction"] != "dense") & (frame["variant"] != "shuffled_layers")]
    relabelled = sparse["variant"] == _RELABELLED
    rewired = ~relabelled & (sparse["variant"] != "plain")
    if not (relabelled.any() or rewired.any()):
        raise InsufficientDataError(
            "the study has neither rewired nor relabelled masks; add variants to its [grid], as in "
            "studies/experiment.toml"
        )
    notes: list[str] = []
    arms = (*cells, "construction")  # within one, masks have the same degrees; variants change nothing else
    options = {"outcome": outcome, "groups": groups, "cells": arms, "confidence": confidence, "power": power}
    connectivity = None
    if rewired.any():
        try:
            connectivity = effect(sparse[~relabelled], metric, **options)  # type: ignore[arg-type]
        except InsufficientDataError as error:
            notes.append(f"The effect of connectivity cannot be told: {error}.")
    alignment, share = None, (float("nan"),) * 3
    if relabelled.any():
        plain_or_not = sparse[~rewired].assign(as_built=lambda rows: (rows["variant"] == "plain").astype(float))
        alignment = _alignment(plain_or_not, options, notes)
        if plain_or_not["construction"].nunique() > 1:
            share = _share(plain_or_not, cells, outcome, groups, confidence, resamples, seed)
    unit = outcome_unit(frame, outcome)
    return Experiment(metric, connectivity, alignment, (share[0], share[1], share[2]), tuple(notes), outcome, unit)


def _alignment(frame: pd.DataFrame, options: dict[str, object], notes: list[str]) -> pd.DataFrame | None:
    rows = {}
    for name, part in frame.groupby("construction", sort=False):
        try:
            found = effect(part, "as_built", **options)  # type: ignore[arg-type]
        except InsufficientDataError as error:
            notes.append(f"The alignment of {name} cannot be told: {error}.")
            continue
        unit = found.sd  # from one standard deviation to the whole step from 0 to 1
        rows[str(name)] = {
            "points": found.change / unit,
            "low": found.low / unit,
            "high": found.high / unit,
            "p_value": found.p_value,
            "detectable": found.detectable / unit,
            "more_topologies": found.more_topologies,
            "n": found.n,
            "n_clusters": found.n_clusters,
        }
    return pd.DataFrame.from_dict(rows, orient="index") if rows else None


def _share(
    frame: pd.DataFrame,
    cells: tuple[str, ...],
    outcome: str,
    groups: str,
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[float, float, float]:
    """1 − spread(relabelled) / spread(as built), the spread being the variance between constructions within cells."""
    keys = [*cells, "construction", "as_built", groups]
    topologies = frame.groupby(keys, sort=False, as_index=False, dropna=False)[outcome].mean()
    # so that the draws are the same in whatever order the rows were
    topologies = topologies.sort_values(outcome, kind="stable")
    halves = []
    for _, half in topologies.groupby("as_built", sort=False):
        arms = cell_codes(half, [*cells, "construction"])
        cell_of_arm = cell_codes(half, cells)[np.unique(arms, return_index=True)[1]]
        halves.append((bool(half["as_built"].iloc[0]), half[outcome].to_numpy(dtype=float), arms, cell_of_arm))
    halves.sort(key=lambda half: not half[0])
    if len(halves) < 2:
        return float("nan"), float("nan"), float("nan")
    generator = np.random.default_rng(seed)

    def ratio(weights: list[Vector]) -> float:
        spreads = [_between(*half[1:], w) for half, w in zip(halves, weights, strict=True)]
        return float(np.clip(1 - max(spreads[1], 0.0) / spreads[0], -1, 1)) if spreads[0] > 0 else float("nan")

    whole = ratio([np.ones(len(half[1])) for half in halves])
    draws = np.array([ratio([_drawn(half[2], generator) for half in halves]) for _ in range(resamples)])
    draws = draws[~np.isnan(draws)]
    if np.isnan(whole) or len(draws) < 0.9 * resamples:
        return float("nan"), float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return whole, float(low), float(high)


def _drawn(arms: npt.NDArray[np.int64], generator: np.random.Generator) -> Vector:
    """How often each topology counts when as many as there are in each arm are drawn from it, with replacement."""
    order = np.argsort(arms, kind="stable")
    sizes = np.bincount(arms)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = order[starts + (generator.random(len(arms)) * np.repeat(sizes, sizes)).astype(np.int64)]
    return np.bincount(chosen, minlength=len(arms)).astype(float)


def _between(means: Vector, arms: npt.NDArray[np.int64], cell_of_arm: npt.NDArray[np.int64], weights: Vector) -> float:
    """Mean over cells of the variance between the arms' means, less what single topologies make of it."""
    count = np.bincount(arms, weights=weights)
    level = np.bincount(arms, weights=weights * means) / count
    rest = np.bincount(arms, weights=weights * np.square(means - level[arms])) / np.maximum(count - 1, 1)
    arms_in_cell = np.bincount(cell_of_arm)
    several = arms_in_cell > 1
    if not several.any():
        return float("nan")
    middle = np.bincount(cell_of_arm, weights=level) / arms_in_cell
    between = np.bincount(cell_of_arm, weights=np.square(level - middle[cell_of_arm]))[several]
    noise = np.bincount(cell_of_arm, weights=rest / count)[several] / arms_in_cell[several]
    return float((between / (arms_in_cell[several] - 1) - noise).mean())
