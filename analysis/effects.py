"""`effect`: what a metric goes with, in accuracy points, when only networks of equal degrees are compared."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from analysis.cells import cell_codes, cell_columns, cell_families
from analysis.guards import check_columns, complete_rows
from topograph.checks import check_real
from topograph.errors import InsufficientDataError, UnknownNameError

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """The within-cell slope of an outcome on a metric, with what the study could have seen.

    Parameters
    ----------
    metric, outcome
        The columns.
    points
        Change of the outcome, in percentage points, that goes with one standard deviation of the metric within cells.
    low, high
        Its confidence interval.
    p_value
        Of no link at all.
    sd
        That standard deviation, in the metric's own unit.
    detectable
        The smallest effect, in points, that a study of this size finds with the given power.
    more_topologies
        How many times as many topologies would make an effect as large as ``points`` detectable; at most 1 when it is.
    n, n_clusters, n_cells
        Runs, topologies and cells that were compared: those in cells where the metric varies.
    per_cell
        Mean number of topologies in a cell; one that was trained with two settings is in two.
    confidence, power
        As asked for.
    """

    metric: str
    outcome: str
    points: float
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

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        start = (
            f"With degrees held fixed, one standard deviation of {self.metric} goes with {self.points:+.2f} points of "
            f"{self.outcome.replace('_', ' ')} ({100 * self.confidence:g} % CI {self.low:+.2f} … {self.high:+.2f}), "
            f"{self.per_cell:.3g} topologies a cell: "
        )
        if self.is_clear:
            return f"{start}distinguishable from zero."
        more = (
            f" To see {abs(self.points):.2f} it would take about {self.more_topologies:.0f} times as many topologies."
            if 1 < self.more_topologies < 1000
            else ""
        )
        return f"{start}not distinguishable from zero; this study could have seen {self.detectable:.2f}.{more}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def effect(
    frame: pd.DataFrame,
    metric: str,
    *,
    outcome: str = "test_accuracy",
    groups: str = "topology_id",
    cells: Sequence[str] | None = None,
    confidence: float = 0.95,
    power: float = 0.8,
) -> Effect:
    r"""Estimate how an outcome goes with a metric among networks of the same cell.

    The slope is that of least squares with a constant for each cell, β = Σ ẋẏ / Σ ẋ² over deviations from the cell
    means. Its standard error is the jackknife's over whole topologies, :math:`s^2 = \frac{C-1}{C} \sum_c
    (\beta_{-c} - \beta)^2`, which stays honest when topologies are few. Intervals use Student's t with C − 1 − F
    degrees of freedom, no fewer than 1: F is the number of families of cells, those with a topology in common being
    one. The smallest detectable effect is :math:`(t_{1-\alpha/2} + t_{power})\, s`.

    Parameters
    ----------
    frame
        One row a run.
    metric, outcome
        The columns; the outcome is a share in [0, 1], such as an accuracy.
    groups
        The column that names the topologies.
    cells
        The columns that together name a cell: by default data set, trainer, architecture, degrees and the training
        settings that vary. With none, ``[]``, all runs are one cell.
    confidence, power
        Both in (0, 1).

    Raises
    ------
    InsufficientDataError
        When the metric varies in no cell, or in fewer than three topologies.

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
    check_columns(frame, [metric, outcome])
    cells = cell_columns(frame) if cells is None else cells
    for name in (groups, *cells):
        if name not in frame.columns:
            raise UnknownNameError.among("column", name, map(str, frame.columns))
    check_real("confidence", confidence, low=0, high=1, include_low=False, include_high=False)
    check_real("power", power, low=0, high=1, include_low=False, include_high=False)
    data = complete_rows(frame, [outcome, metric], groups)
    spread = data.groupby(cell_codes(data, cells))[metric].transform(np.ptp)
    data = data[spread > 1e-9 * data[metric].abs().max()]
    if data[groups].nunique() < 3:
        raise InsufficientDataError(
            f"{metric} varies within cells of equal {', '.join(cells)} in {data[groups].nunique()} topologies only, "
            "and at least 3 are needed: add constructions or topology seeds to the same degrees"
        )
    codes = cell_codes(data, cells)
    clusters = data[groups].astype("category").cat.codes.to_numpy()
    x, y = (data[column].to_numpy(dtype=float) for column in (metric, outcome))
    slope, left_out = _slopes(x, y, codes, clusters)
    count = int(clusters.max()) + 1
    error = float(np.sqrt((count - 1) / count * np.square(left_out - slope).sum()))
    n_cells = int(codes.max()) + 1
    freedom = max(1, count - 1 - cell_families(codes, clusters))
    sd = float(np.sqrt(np.square(x - _means(x, codes)[codes]).mean()))
    reach = float(stats.t.ppf(0.5 + confidence / 2, freedom))
    seen = (reach + float(stats.t.ppf(power, freedom))) * error
    unit = 100 * sd
    return Effect(
        metric=metric,
        outcome=outcome,
        points=slope * unit,
        low=(slope - reach * error) * unit,
        high=(slope + reach * error) * unit,
        p_value=float(2 * stats.t.sf(abs(slope) / error, freedom)) if error > 0 else float(slope == 0),
        sd=sd,
        detectable=seen * unit,
        more_topologies=(seen / abs(slope)) ** 2 if slope else float("inf"),
        n=len(data),
        n_clusters=count,
        n_cells=n_cells,
        per_cell=len(np.unique(np.stack([clusters, codes], axis=1), axis=0)) / n_cells,
        confidence=confidence,
        power=power,
    )


def _means(values: Vector, codes: npt.NDArray[np.int64]) -> Vector:
    return np.asarray(np.bincount(codes, weights=values) / np.bincount(codes))


def _slopes(
    x: Vector, y: Vector, codes: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64]
) -> tuple[float, Vector]:
    """The slope on all rows, and with each cluster left out.

    Leaving a cluster out moves the means of its cells, so sums are kept for each cluster and cell.
    """
    x, y = x - _means(x, codes)[codes], y - _means(y, codes)[codes]  # now sums of squares lose no digits
    pairs, place = np.unique(np.stack([clusters, codes]), axis=1, return_inverse=True)
    moments = [np.bincount(place.ravel(), weights=w).astype(float) for w in (np.ones_like(x), x, y, x * x, x * y)]
    totals = [np.bincount(pairs[1], weights=m).astype(float) for m in moments]

    def within(n: Vector, sx: Vector, sy: Vector, sxx: Vector, sxy: Vector) -> tuple[Vector, Vector]:
        n = np.maximum(n, 1)
        return sxx - sx * sx / n, sxy - sx * sy / n

    all_xx, all_xy = within(*totals)
    rest_xx, rest_xy = within(*(total[pairs[1]] - moment for total, moment in zip(totals, moments, strict=True)))
    # a cluster's cells change, all others stay
    change_xx = np.bincount(pairs[0], weights=rest_xx - all_xx[pairs[1]])
    change_xy = np.bincount(pairs[0], weights=rest_xy - all_xy[pairs[1]])
    xx, xy = float(all_xx.sum()), float(all_xy.sum())
    rest = np.maximum(xx + change_xx, 1e-12 * xx)
    return xy / xx, np.asarray((xy + change_xy) / rest)
