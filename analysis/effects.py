"""`effect`: the link of a metric with an outcome among runs of the same cell, and what a study could have seen."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.cell_slopes import CellSlopes
from analysis.cells import check_cells, held_columns
from analysis.frame.names import column_phrase
from analysis.guards import check_columns, complete_rows
from analysis.naming import listed, listed_columns
from analysis.units import Unit, outcome_unit
from analysis.within import compared
from topograph.checks import check_real
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError

_LEVER = 0.5  # share of a metric's variation, in one cluster, from which its influence is said


@dataclass(frozen=True)
class Effect:
    """The within-cell slope of an outcome on a metric, with what the study could have seen.

    Parameters
    ----------
    metric, outcome
        The columns.
    change
        Change of the outcome, in ``unit``, that goes with one standard deviation of the metric within cells.
    low, high
        Its confidence interval.
    p_value
        p-value of no link at all.
    sd
        That standard deviation, in the metric's own unit; of what the controls leave of the metric, where there are
        any.
    detectable
        The smallest effect, in ``unit``, that a study of this size finds with the given power.
    more_topologies
        How many times as many topologies would make an effect as large as ``change`` detectable; at most 1 when it is.
    n, n_clusters, n_cells
        Runs, topologies and cells that were compared: those in cells where the metric and the outcome vary.
    per_cell
        Mean number of topologies in a cell; one that was trained with two settings is in two.
    confidence, power
        As asked for.
    unit
        Unit of the change: ``points`` (hundredths) of a share such as an accuracy, else the outcome's own.
    held
        Columns whose values were equal among the runs that were compared.
    control
        Columns held fixed by regression, within cells.
    notes
        Remarks that a reader must know: runs left out, topologies that decide alone.
    """

    metric: str
    outcome: str
    change: float
    low: float
    high: float
    p_value: float
    sd: float
    detectable: float
    more_topologies: float
    n: int
    n_clusters: int
    n_cells: int
    per_cell: float
    confidence: float
    power: float
    unit: Unit = Unit.POINTS
    held: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """The change in accuracy points; refused for an outcome that is not a share."""
        if self.unit is not Unit.POINTS:
            raise InvalidParameterError(f"{self.outcome} is not a share, so its change has no points: read .change")
        return self.change

    @property
    def slope(self) -> float:
        """Change of the outcome, in its own unit, per unit of the metric."""
        return self.change / self.unit.scale / self.sd

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return bool(self.low > 0 or self.high < 0)

    def sentence(self, verb: str = "goes with") -> str:
        """The effect in words; ``verb`` says how the metric and the outcome are linked by design."""
        number = self.unit.formatter(self.change, self.low, self.high, self.detectable)
        start = (
            f"{self._fixed()}, one standard deviation of {column_phrase(self.metric)} {verb} {number(self.change)} "
            f"{self.unit.of(self.outcome)} ({100 * self.confidence:g} % CI {number(self.low)} … {number(self.high)}), "
            f"{f'{self.per_cell:.3g} topologies per cell' if self.held else f'{self.n_clusters} topologies'}: "
        )
        notes = f" ({'; '.join(self.notes)}.)" if self.notes else ""
        if self.is_clear:
            return f"{start}distinguishable from zero.{notes}"
        more = (
            f" To see {number(abs(self.change)).lstrip('+')} it would take about {self.more_topologies:.0f} times as "
            "many topologies."
            if 1 < self.more_topologies < 1000
            else ""
        )
        seen = number(self.detectable).lstrip("+")
        return f"{start}not distinguishable from zero; this study could have seen {seen}.{more}{notes}"

    def _fixed(self) -> str:
        held = f"With {listed_columns(self.held)} held fixed" if self.held else "With nothing held fixed"
        if not self.control:
            return held
        by = f"{listed_columns(self.control)} by regression"
        return f"{held}, and {by}" if self.held else f"With {listed_columns(self.control)} held fixed by regression"

    def __str__(self) -> str:
        return self.sentence()

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def effect(
    frame: pd.DataFrame,
    metric: str,
    *,
    outcome: str = "test_accuracy",
    groups: str = "topology_id",
    cells: Sequence[str] | None = None,
    control: str | Sequence[str] = (),
    confidence: float = 0.95,
    power: float = 0.8,
) -> Effect:
    r"""Estimate how an outcome goes with a metric among runs of the same cell.

    The slope is that of least squares with a constant for each cell, and the controls. Its standard error is the
    jackknife's over whole topologies, :math:`s^2 = \frac{C-1}{C} \sum_c (\beta_{-c} - \beta)^2`, which stays honest
    when topologies are few. Intervals use Student's t with C − 1 − F − (number of controls) degrees of freedom, no
    fewer than 1: F is the number of families of cells, those with a topology in common being one. The smallest
    detectable effect is :math:`(t_{1-\alpha/2} + t_{power})\, s`.

    Cells in which the outcome has one value, as where nothing was learnt, are left out, and said: there is nothing to
    explain in them, and counting them would make the rest look more certain than it is.

    Parameters
    ----------
    frame
        One row per run.
    metric, outcome
        The columns.
    groups
        Column that names the topologies.
    cells
        Columns that together name a cell: by default data set, trainer, architecture, degrees and the training
        settings that vary. With none, ``[]``, all runs are one cell.
    control
        Columns held fixed within cells by regression, such as a density that varies within them.
    confidence, power
        Both in (0, 1).

    Raises
    ------
    InsufficientDataError
        When the metric varies in no cell, or in fewer than three topologies; when the frame knows no degrees and
        ``cells`` are not given.

    References
    ----------
    Bell & McCaffrey (2002), Bias reduction in standard errors for linear regression with multi-stage samples.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"gap": rng.normal(size=60), "topology_id": range(60), "degrees": "4-10"})
    >>> frame["test_accuracy"] = 0.9 + 0.01 * frame["gap"] + rng.normal(scale=0.001, size=60)
    >>> found = effect(frame, "gap", cells=["degrees"])
    >>> round(found.points / found.sd, 1), found.is_clear
    (1.0, True)
    """
    controls = [control] if isinstance(control, str) else list(control)
    check_columns(frame, [metric, outcome, *controls])
    cells = check_cells(frame, cells)
    if groups not in frame.columns:
        raise UnknownNameError.among("column", groups, map(str, frame.columns))
    check_real("confidence", confidence, low=0, high=1, include_low=False, include_high=False)
    check_real("power", power, low=0, high=1, include_low=False, include_high=False)
    if controls and set(controls) == {metric}:
        raise InsufficientDataError(f"{metric} is the only control: with itself held fixed nothing of it is left")
    controls = [name for name in dict.fromkeys(controls) if name not in (metric, outcome)]
    data = complete_rows(frame, [outcome, metric], groups, also=controls)
    found = compared(data, cells, outcome, groups)
    values = found.data[metric].astype(float)
    by_cell = values.groupby(found.codes)
    spread = (by_cell.transform("max") - by_cell.transform("min")).to_numpy()
    varies = spread > 1e-9 * max(float(values.abs().max()) if len(values) else 0.0, 1e-300)
    rows = found.data[varies]
    if rows[groups].nunique() < 3:
        same = f"within cells of equal {', '.join(cells)} " if cells else ""
        left = f" ({'; '.join(found.notes)})" if found.notes else ""
        raise InsufficientDataError(
            f"{metric} varies {same}in {rows[groups].nunique()} topologies only{left}, and at least 3 are needed: "
            "add constructions or topology seeds to the same cells"
        )
    codes = np.unique(found.codes[varies], return_inverse=True)[1].ravel()
    clusters = pd.factorize(rows[groups])[0]
    x, y, *held = (rows[column].to_numpy(dtype=float) for column in (metric, outcome, *controls))
    slopes = CellSlopes(x, y, np.column_stack(held) if held else np.zeros((len(x), 0)), codes, clusters)
    names = pd.unique(rows[groups])
    if slopes.sd == 0:
        raise InsufficientDataError(
            f"with {listed(controls)} held fixed within cells nothing of {metric} is left to vary"
        )
    if slopes.undetermined.any():
        alone = names[int(np.argmax(slopes.undetermined))]
        raise InsufficientDataError(
            f"{metric} varies within cells through the topology {alone} alone: without it there is nothing to compare"
        )
    count = len(names)
    reach = float(stats.t.ppf(0.5 + confidence / 2, slopes.freedom))
    power_reach = float(stats.t.ppf(power, slopes.freedom))
    unit = outcome_unit(frame, outcome)
    slope, error = slopes.whole * unit.scale, slopes.error * unit.scale  # per standard deviation of the metric
    detectable = (reach + power_reach) * error
    n_cells = int(codes.max()) + 1
    lever = int(np.argmax(slopes.shares))
    notes = [*found.notes]
    if slopes.shares[lever] > _LEVER and count > 3:
        notes.append(
            _without(
                frame[frame[groups] != names[lever]],
                f"topology {names[lever]} alone holds {100 * slopes.shares[lever]:.0f} % of the variation of "
                f"{column_phrase(metric)}",
                metric,
                outcome=outcome,
                groups=groups,
                cells=cells,
                control=controls,
                confidence=confidence,
                power=power,
            )
        )
    return Effect(
        metric=metric,
        outcome=outcome,
        change=slope,
        low=slope - reach * error,
        high=slope + reach * error,
        p_value=float(2 * stats.t.sf(abs(slope) / error, slopes.freedom)) if error > 0 else float(slope == 0),
        sd=slopes.sd,
        detectable=detectable,
        more_topologies=(detectable / abs(slope)) ** 2 if slope else float("inf"),
        n=len(rows),
        n_clusters=count,
        n_cells=n_cells,
        per_cell=len(np.unique(np.stack([clusters, codes], axis=1), axis=0)) / n_cells,
        confidence=confidence,
        power=power,
        unit=unit,
        held=held_columns(frame, cells),
        control=tuple(controls),
        notes=tuple(notes),
    )


def _without(rest: pd.DataFrame, share: str, metric: str, **options: Any) -> str:
    """What would be found without a topology that holds most of a metric's variation."""
    try:
        again = effect(rest, metric, **options)
    except InsufficientDataError:
        return f"{share}; without it, nothing could be said"
    number = again.unit.formatter(again.change, again.detectable)
    seen = number(again.detectable).lstrip("+")
    return (
        f"{share}; without it, one standard deviation goes with {number(again.change)}, and {seen} could have been seen"
    )
