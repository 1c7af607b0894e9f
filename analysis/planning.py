"""`plan`: how many topologies, cells and trainings a study needs to see an effect, from a pilot."""

from __future__ import annotations

import html
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.cells import check_cells, held_columns
from analysis.frame.names import column_phrase, main_column
from analysis.guards import check_columns, complete_rows
from analysis.naming import listed_columns
from analysis.pilots import pilot_frame
from analysis.planned_power import simulated_power, sufficient_clusters, topologies_needed
from analysis.units import Unit, outcome_unit
from analysis.within import compared
from topograph.checks import check_integer, check_real
from topograph.errors import InsufficientDataError, UnknownNameError
from trainers.study.spec import StudySpec

Vector = npt.NDArray[np.float64]
_TRAININGS = (1, 2, 3, 5, 10)
_DRAWS = 1000
_LEVER = 0.5  # share of the metric's variation, in one topology, from which it is said


@dataclass(frozen=True, eq=False)
class Plan:
    """The size of a study that sees an effect of a given size.

    Parameters
    ----------
    metric, outcome
        The columns.
    change
        Change of the outcome, in ``unit``, per standard deviation of the metric within cells, that is to be seen.
    power, confidence
        As asked for.
    topologies, cells, trainings
        Topologies in all, cells to split them over as evenly as possible, and trainings of each topology.
    low, high
        Interval of the number of topologies: the pilot knows the noise only so well.
    found
        Share of simulated studies of this size that find the effect.
    between, within
        Standard deviation of the outcome, in ``unit``, between topologies of a cell beyond the metric, and between
        trainings of a topology; the latter is NaN where the pilot trains each topology once, and then is part of the
        former.
    sd
        Standard deviation of the metric within cells.
    hours
        Hours of training on one core, with topologies where ``topology_hours`` was given; NaN where the pilot has no
        column ``seconds``.
    alternatives
        One row per number of trainings of each topology: ``topologies, runs, hours``.
    n, n_clusters
        Runs and topologies of the pilot that the plan rests on.
    unit
        Unit of the change.
    held
        Columns that name a cell.
    control
        Columns held fixed by regression.
    notes
        What a reader must know.
    """

    metric: str
    outcome: str
    change: float
    power: float
    confidence: float
    topologies: int
    cells: int
    trainings: int
    low: int
    high: int
    found: float
    between: float
    within: float
    sd: float
    hours: float
    alternatives: pd.DataFrame
    n: int
    n_clusters: int
    unit: Unit
    held: tuple[str, ...]
    control: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def runs(self) -> int:
        """The number of trainings in all."""
        return self.topologies * self.trainings

    @property
    def per_cell(self) -> tuple[int, ...]:
        """The number of topologies in each cell."""
        least, more = divmod(self.topologies, self.cells)
        return (least + 1,) * more + (least,) * (self.cells - more)

    def __str__(self) -> str:
        number = self.unit.formatter(self.change)
        sizes = sorted(set(self.per_cell))
        each = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} or {sizes[-1]}"
        cells = (
            f"{self.cells} cells of equal {listed_columns(self.held)}, {each} per cell"
            if self.cells > 1
            else "one cell"
        )
        trainings = "one training each" if self.trainings == 1 else f"{self.trainings} trainings each"
        cost = (
            "the hours are unknown, for the pilot has no seconds"
            if math.isnan(self.hours)
            else f"about {_hours(self.hours)} on one core"
        )
        held = f", {listed_columns(self.control)} held fixed" if self.control else ""
        return "\n".join(
            [
                f"To see {number(self.change).lstrip('+')} {self.unit.of(self.outcome)} per standard deviation of "
                f"{column_phrase(self.metric)} within cells{held}, with {100 * self.power:g} % power: "
                f"{self.topologies} topologies in {cells}, {trainings}: {self.runs} trainings, {cost}.",
                f"The pilot ({self.n} runs, {self.n_clusters} topologies) leaves {self.low} … {self.high} topologies "
                f"({100 * self.confidence:g} % CI); in simulations, {100 * self.found:.0f} % of such studies find it.",
                *self.notes,
            ]
        )

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in str(self).splitlines())
        return lines + str(self.alternatives.to_html(float_format="{:.3g}".format))


def plan(
    source: pd.DataFrame | str | os.PathLike[str] | Mapping[str, Any] | StudySpec | None,
    metric: str | None = None,
    *,
    points: float = 0.2,
    power: float = 0.8,
    outcome: str = "test_accuracy",
    groups: str = "topology_id",
    cells: Sequence[str] | None = None,
    control: str | Sequence[str] = (),
    n_cells: int | None = None,
    trainings: int | None = None,
    topology_hours: float = 0.0,
    confidence: float = 0.95,
    seed: int = 0,
) -> Plan:
    r"""Plan a study that sees an effect of a metric within cells.

    A pilot tells how much the outcome varies between topologies of a cell beyond the metric (:math:`\sigma_b`) and
    between trainings of a topology (:math:`\sigma_w`). The slope that `effect` estimates from C topologies, each
    trained T times, has about the variance :math:`(\sigma_b^2 + \sigma_w^2 / T) / C` per standard deviation of the
    metric. C is the smallest number at which simulated studies, with the metric's distribution in the pilot and normal
    noise, analysed as `effect` does, find the effect as often as asked for.

    More trainings of a topology save topologies, never trainings: with free topologies, one training each is the
    cheapest study. Where a topology costs hours of its own, the cheapest split is chosen.

    Parameters
    ----------
    source
        The pilot: a frame or a store or table as for `load_frame`. Or a study's specification (a ``.toml`` file, a
        mapping, a `StudySpec`): then a small part of it is run as the pilot. None runs a pilot on the digits.
    metric
        The column of the metric: by default the normalised gap of the first layer, for models the mean over layers.
    points
        Change of the outcome to be seen, per standard deviation of the metric within cells: in points (hundredths) for
        an outcome that is a share, such as an accuracy, else in its own unit.
    power
        Share of studies that are to see it, in (0, 1).
    outcome, groups, cells, control, confidence
        As for `effect`.
    n_cells
        Number of cells of the planned study: by default that of the pilot.
    trainings
        Trainings of each topology: by default what costs least.
    topology_hours
        Hours that making and measuring a topology costs.
    seed
        Seed of the simulations.

    Raises
    ------
    InsufficientDataError
        When the pilot has fewer than 3 topologies more than cells, controls and the metric take.

    References
    ----------
    Gelman & Hill (2007), Data analysis using regression and multilevel models, chapter 20.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> topology = np.repeat(np.arange(40), 2)
    >>> pilot = pd.DataFrame({"gap": rng.normal(size=40)[topology], "topology_id": topology})
    >>> pilot["test_accuracy"] = 0.9 + rng.normal(scale=0.01, size=40)[topology] + rng.normal(scale=0.002, size=80)
    >>> planned = plan(pilot, "gap", points=0.5, cells=[])
    >>> planned.trainings, planned.low < planned.topologies < planned.high, round(planned.found, 1)
    (1, True, 0.8)
    """
    frame = pilot_frame(source)
    metric = metric or main_column(frame, "normalized_gap")
    controls = [control] if isinstance(control, str) else list(control)
    check_columns(frame, [metric, outcome, *controls])
    if groups not in frame.columns:
        raise UnknownNameError.among("column", groups, map(str, frame.columns))
    check_real("points", points, low=0, include_low=False)
    check_real("topology_hours", topology_hours, low=0)
    for name, value in (("power", power), ("confidence", confidence)):
        check_real(name, value, low=0, high=1, include_low=False, include_high=False)
    if n_cells is not None:
        check_integer("n_cells", n_cells, low=1)
    if trainings is not None:
        check_integer("trainings", trainings, low=1)
    cells = check_cells(frame, cells)
    if controls and set(controls) == {metric}:
        raise InsufficientDataError(f"{metric} is the only control: with itself held fixed nothing of it is left")
    controls = [name for name in dict.fromkeys(controls) if name not in (metric, outcome)]
    found = compared(complete_rows(frame, [outcome, metric], groups, also=controls), cells, outcome, groups)
    unit = outcome_unit(frame, outcome)
    noise = _noise(found.data[[outcome, metric, *controls]].to_numpy(dtype=float), found.codes, found.clusters, metric)
    count = n_cells or noise.cells
    goal = points / unit.scale
    seconds = found.data["seconds"].mean() if "seconds" in found.data and found.data["seconds"].notna().any() else None
    per_training = math.nan if seconds is None else float(seconds) / 3600
    rank = len(controls)

    def hours(topologies: int, times: int) -> float:
        return topologies * times * per_training + topologies * topology_hours

    splits = (trainings,) if trainings is not None else _TRAININGS if noise.splits else (1,)
    rows = {}
    for times in splits:
        size = topologies_needed(goal / noise.per_topology(times), count, rank, power, confidence)
        rows[times] = {"topologies": size, "runs": size * times, "hours": hours(size, times)}
    alternatives = pd.DataFrame.from_dict(rows, orient="index").rename_axis("trainings")
    by_cost = alternatives["runs"] if alternatives["hours"].isna().any() else alternatives["hours"]
    best = int(by_cost.idxmin())
    ratio = goal / noise.per_topology(best)
    rough = rows[best]["topologies"]
    topologies = sufficient_clusters(ratio, count, rank, power, confidence, noise.shape, seed)
    stretch = topologies / rough
    alternatives["topologies"] = (alternatives["topologies"] * stretch).round().astype(int)
    alternatives["runs"] = alternatives["topologies"] * alternatives.index
    alternatives["hours"] = [hours(int(size), int(times)) for times, size in alternatives["topologies"].items()]
    generator = np.random.default_rng(seed)
    draws = [
        stretch * topologies_needed(goal / spread, count, rank, power, confidence)
        for spread in noise.draws(best, generator, _DRAWS)
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    notes = list(found.notes)
    if noise.lever > _LEVER:
        notes.append(
            f"One topology alone holds {100 * noise.lever:.0f} % of the variation of {column_phrase(metric)} in the "
            "pilot: a study of other topologies may need more or fewer."
        )
    if not noise.splits:
        notes.append("No topology was trained twice, so what more trainings of each would save cannot be told.")
    elif noise.between == 0:
        notes.append("The pilot sees no spread between topologies beyond the metric and the trainings.")
    return Plan(
        metric=metric,
        outcome=outcome,
        change=points,
        power=power,
        confidence=confidence,
        topologies=topologies,
        cells=count,
        trainings=best,
        low=max(count + rank + 3, math.floor(low)),
        high=math.ceil(high),
        found=simulated_power(ratio, topologies, count, rank, confidence, noise.shape, seed + 1),
        between=noise.between * unit.scale,
        within=noise.within * unit.scale,
        sd=noise.sd,
        hours=hours(topologies, best),
        alternatives=alternatives,
        n=len(found.data),
        n_clusters=found.n_clusters,
        unit=unit,
        held=held_columns(frame, cells),
        control=tuple(controls),
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Noise:
    """What a pilot knows of the noise: per topology and cell, and per training.

    ``mean_square`` is the variance of the means of a topology in a cell beyond the metric, on ``freedom`` degrees;
    ``within`` that of trainings, on ``within_freedom``; ``share`` the mean of 1 / trainings; ``lever`` the
    largest share of the metric's variation that one topology holds.
    """

    cells: int
    sd: float
    shape: Vector
    mean_square: float
    freedom: int
    within_square: float
    within_freedom: int
    share: float
    lever: float

    @property
    def splits(self) -> bool:
        """Whether the pilot can tell topologies from trainings."""
        return self.within_freedom > 0

    @property
    def between(self) -> float:
        """Standard deviation between topologies."""
        return math.sqrt(max(0.0, self.mean_square - (self.within_square * self.share if self.splits else 0.0)))

    @property
    def within(self) -> float:
        """Standard deviation between trainings of a topology."""
        return math.sqrt(self.within_square) if self.splits else math.nan

    def per_topology(self, trainings: int) -> float:
        """Standard deviation of the mean of a topology's trainings."""
        if not self.splits:
            return math.sqrt(self.mean_square)
        return math.sqrt(self.between**2 + self.within_square / trainings)

    def draws(self, trainings: int, generator: np.random.Generator, count: int) -> list[float]:
        """Values of the same that the pilot is compatible with."""
        means = self.mean_square * self.freedom / generator.chisquare(self.freedom, count)
        if not self.splits:
            return [float(value) for value in np.sqrt(means)]
        within = self.within_square * self.within_freedom / generator.chisquare(self.within_freedom, count)
        between = np.maximum(means - within * self.share, 0.0)
        return [float(value) for value in np.sqrt(between + within / trainings)]


def _noise(
    values: npt.NDArray[np.float64], codes: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64], metric: str
) -> _Noise:
    """Components of variance of the first column, given the second, the metric, and the controls after it."""
    pairs, place = np.unique(np.stack([codes, clusters]), axis=1, return_inverse=True)
    place = place.ravel()
    times = np.bincount(place)
    means = np.column_stack([np.bincount(place, weights=column) / times for column in values.T])
    cell = np.unique(pairs[0], return_inverse=True)[1].ravel()
    sizes = np.bincount(cell)
    rest = means - np.column_stack([np.bincount(cell, weights=column) / sizes for column in means.T])[cell]
    controls = rest[:, 2:]
    if controls.shape[1]:
        left, weights, _ = np.linalg.svd(controls / np.maximum(np.abs(controls).max(axis=0), 1e-300), False)
        basis = left[:, weights > 1e-9]
        rest = rest[:, :2] - basis @ (basis.T @ rest[:, :2])
    y, x = rest[:, 0], rest[:, 1]
    n_cells, used = len(sizes), int(controls.shape[1])
    freedom = len(y) - n_cells - used - 1
    variation = float(x @ x)
    if freedom < 3 or variation <= 1e-18 * max(float(np.square(means[:, 1]).sum()), 1e-300):
        raise InsufficientDataError(
            f"a plan needs a pilot with some topologies in a cell that differ in {metric}: {len(y)} topologies in "
            f"{n_cells} cells leave {max(freedom, 0)} degrees of freedom, and at least 3 are needed"
            if freedom < 3
            else f"{metric} does not vary within the cells of the pilot: nothing can be planned from it"
        )
    residual = y - x * (x @ y / variation)
    deviations = values[:, 0] - means[place, 0]
    within_freedom = len(values) - len(y)
    mean_square = float(residual @ residual) / freedom
    if mean_square <= 0:
        raise InsufficientDataError("the outcome does not vary within the cells of the pilot beyond the metric")
    scale = np.sqrt(sizes / np.maximum(sizes - 1, 1))[cell]
    sd = math.sqrt(variation / (len(x) - n_cells - used))
    shape = x * scale
    return _Noise(
        cells=n_cells,
        sd=sd,
        shape=np.sort(shape) / math.sqrt(float(np.square(shape).mean())),  # in whatever order the rows were
        mean_square=mean_square,
        freedom=freedom,
        within_square=float(deviations @ deviations) / within_freedom if within_freedom else math.nan,
        within_freedom=within_freedom,
        share=float((1 / times).mean()),
        lever=float(np.square(x).max()) / variation,
    )


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min" if hours >= 1 / 60 else f"{3600 * hours:.0f} s"
