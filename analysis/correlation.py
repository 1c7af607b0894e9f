"""`correlate`: accuracy with each metric, raw, with density held fixed, and within cells of the design."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from analysis.frame import CELL
from analysis.guards import check_columns, complete_rows
from topograph.checks import check_integer, check_real
from topograph.errors import InsufficientDataError, InvalidParameterError

METHODS = ("pearson", "spearman", "partial", "within_cell")
COLUMNS = ("metric", "method", "estimate", "low", "high", "p_value", "n", "n_clusters")

Vector = npt.NDArray[np.float64]
Statistic = Callable[[npt.NDArray[np.int64]], float]
_CERTAIN = 1 - 1e-12  # beyond this a correlation is 1 but for rounding


def correlate(
    frame: pd.DataFrame,
    outcome: str,
    metrics: str | Iterable[str],
    *,
    control: str | Sequence[str] = (),
    methods: Sequence[str] | None = None,
    groups: str = "topology_id",
    cells: Sequence[str] = CELL,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate an outcome with metrics.

    ================  ==========================================================================================
    ``pearson``       linear, raw
    ``spearman``      of the ranks, raw
    ``partial``       Pearson, after both have been freed of what the ``control`` columns explain linearly
    ``within_cell``   Pearson of the deviations from the mean of the cell (same data, trainer, architecture and
                      degrees: only construction and seeds differ), pooled over cells
    ================  ==========================================================================================

    Runs on one topology are not independent, so whole topologies are drawn with replacement (cluster bootstrap). The
    standard error s of z = artanh r over the draws gives the interval tanh(z ± t·s) and the p-value of r = 0, with
    t from Student's distribution on (clusters − 1 − controls) degrees of freedom.

    Parameters
    ----------
    frame
        One row a run, as from `analysis.load_frame`.
    outcome
        The column to be explained, such as ``"test_accuracy"``.
    metrics
        The columns that may explain it.
    control
        Columns held fixed, such as ``["l1_log_density"]``.
    methods
        By default all that can be computed: ``partial`` needs ``control``, ``within_cell`` the cell columns.
    groups
        The column that names the clusters.
    cells
        The columns that together name a cell.
    confidence
        Coverage of the intervals, in (0, 1).
    resamples
        Number of bootstrap draws, at least 100.
    seed
        Of the draws.

    Returns
    -------
    pandas.DataFrame
        One row a metric and method: ``metric, method, estimate, low, high, p_value, n, n_clusters``. A metric that
        cannot be correlated, since it does not vary say, has NaN and its reason in ``table.attrs["reasons"]``.

    Raises
    ------
    UnknownNameError, InvalidParameterError
        For columns or methods that do not exist.
    InsufficientDataError
        When the outcome itself does not vary, or there are fewer than 4 rows or 3 clusters.

    References
    ----------
    Cameron, Gelbach & Miller (2008), Bootstrap-based improvements for inference with clustered errors.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=60)
    >>> frame = pd.DataFrame({"gap": x, "test_accuracy": x + rng.normal(size=60), "topology_id": np.arange(60)})
    >>> correlate(frame, "test_accuracy", "gap", methods=["pearson"])[["metric", "method", "n"]].values.tolist()
    [['gap', 'pearson', 60]]
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    controls = [control] if isinstance(control, str) else list(control)
    check_columns(frame, [outcome, *names, *controls])
    check_real("confidence", confidence, low=0, high=1, include_low=False, include_high=False)
    check_integer("resamples", resamples, low=100)
    has_cells = all(column in frame.columns for column in cells)
    if methods is None:
        methods = [m for m in METHODS if (m != "partial" or controls) and (m != "within_cell" or has_cells)]
    for method in methods:
        if method not in METHODS:
            raise InvalidParameterError(f"methods must be among {', '.join(METHODS)}, but got {method!r}")
    if "partial" in methods and not controls:
        raise InvalidParameterError("method 'partial' needs control=, the columns to be held fixed")
    if "within_cell" in methods and not has_cells:
        raise InvalidParameterError(f"method 'within_cell' needs the columns {', '.join(cells)}, or cells=")
    complete_rows(frame, [outcome], groups)

    rows: list[dict[str, Any]] = []
    reasons: dict[str, str] = {}
    for name in names:
        held = [column for column in controls if column != name]
        try:
            data = complete_rows(frame, [outcome, name], groups)
        except InsufficientDataError as error:
            reasons[name] = str(error)
            rows += [_row(name, method, frame) for method in methods]
            continue
        data = frame.loc[data.index].dropna(subset=held)
        clusters = data[groups].astype("category").cat.codes.to_numpy()
        draws = _cluster_draws(clusters, resamples, seed)
        for method in methods:
            statistic = _statistic(method, data, outcome, name, held, cells)
            freedom = len(np.unique(clusters)) - 1 - (len(held) if method == "partial" else 0)
            row = _row(name, method, data) | {"n_clusters": len(np.unique(clusters))}
            estimate = statistic(np.arange(len(data)))
            if np.isnan(estimate):
                reasons[f"{name} ({method})"] = _why(method, name, held)
                rows.append(row)
                continue
            low, high, p_value = _interval(estimate, [statistic(draw) for draw in draws], confidence, freedom)
            rows.append(row | {"estimate": estimate, "low": low, "high": high, "p_value": p_value})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["reasons"] = reasons
    return table


def _row(name: str, method: str, data: pd.DataFrame) -> dict[str, Any]:
    nothing = dict.fromkeys(("estimate", "low", "high", "p_value"), np.nan)
    return {"metric": name, "method": method, **nothing, "n": len(data), "n_clusters": 0}


def _why(method: str, name: str, held: Sequence[str]) -> str:
    if method == "partial":
        return f"with {', '.join(held)} held fixed nothing of {name}, or of the outcome, is left to vary"
    return f"within cells {name}, or the outcome, does not vary"


def _statistic(
    method: str, data: pd.DataFrame, outcome: str, name: str, held: Sequence[str], cells: Sequence[str]
) -> Statistic:
    """The correlation as a function of the rows drawn."""
    y, x = (data[column].to_numpy(dtype=float) for column in (outcome, name))
    if method == "pearson":
        return lambda rows: pearson(y[rows], x[rows])
    if method == "spearman":
        return lambda rows: pearson(stats.rankdata(y[rows]), stats.rankdata(x[rows]))
    if method == "partial":
        design = np.column_stack([np.ones(len(data)), *(data[column].to_numpy(dtype=float) for column in held)])
        return lambda rows: partial(y[rows], x[rows], design[rows])
    codes = data.groupby(list(cells), sort=False).ngroup().to_numpy()
    return lambda rows: pearson(_deviations(y[rows], codes[rows]), _deviations(x[rows], codes[rows]), y[rows], x[rows])


def pearson(y: Vector, x: Vector, y_scale: Vector | None = None, x_scale: Vector | None = None) -> float:
    """Pearson's correlation; NaN where either does not vary, judged against the size of the scales."""
    dy, dx = y - y.mean(), x - x.mean()
    for deviation, scale in ((dy, y if y_scale is None else y_scale), (dx, x if x_scale is None else x_scale)):
        if np.abs(deviation).max() <= 1e-9 * max(1e-300, np.abs(scale).max()):
            return float("nan")
    return float(np.clip(dy @ dx / np.sqrt((dy @ dy) * (dx @ dx)), -1, 1))


def partial(y: Vector, x: Vector, design: npt.NDArray[np.float64]) -> float:
    """Pearson's correlation of what is left of both after least squares on the columns of ``design``."""
    basis, scale = np.linalg.qr(design)
    solid = np.abs(np.diag(scale)) > 1e-10 * np.abs(scale).max()
    basis = basis[:, solid]
    return pearson(y - basis @ (basis.T @ y), x - basis @ (basis.T @ x), y - y.mean(), x - x.mean())


def _deviations(values: Vector, codes: npt.NDArray[np.int64]) -> Vector:
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=values) / np.maximum(counts, 1)
    return np.asarray(values - means[codes])


def _cluster_draws(clusters: npt.NDArray[np.int64], resamples: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Row numbers of each draw: as many clusters as there are, with replacement, each with all its rows."""
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(clusters == code) for code in np.unique(clusters)]
    choices = generator.integers(len(members), size=(resamples, len(members)))
    return [np.concatenate([members[i] for i in choice]) for choice in choices]


def _interval(estimate: float, draws: Sequence[float], confidence: float, freedom: int) -> tuple[float, float, float]:
    """Interval and p-value on Fisher's z scale."""
    values = np.asarray(draws)
    values = values[~np.isnan(values)]
    if freedom < 1 or values.size < 0.9 * len(draws):
        return float("nan"), float("nan"), float("nan")
    z = np.arctanh(np.clip(estimate, -_CERTAIN, _CERTAIN))
    error = np.arctanh(np.clip(values, -_CERTAIN, _CERTAIN)).std(ddof=1)
    if error == 0:
        return estimate, estimate, 0.0 if estimate else 1.0
    reach = stats.t.ppf(0.5 + confidence / 2, freedom) * error
    p_value = 2 * stats.t.sf(abs(z) / error, freedom)
    return float(np.tanh(z - reach)), float(np.tanh(z + reach)), float(p_value)
