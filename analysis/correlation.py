"""`correlate`: accuracy with each metric, raw, with density held fixed, and within cells of the design."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from analysis.cells import cell_codes, cell_columns, cell_families
from analysis.guards import check_columns, complete_rows
from topograph.checks import check_integer, check_real
from topograph.errors import InsufficientDataError, InvalidParameterError

METHODS = ("pearson", "spearman", "kendall", "partial", "within_cell")
COLUMNS = ("metric", "method", "estimate", "low", "high", "p_value", "n", "n_clusters", "p_holm", "p_bh")

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Statistic = Callable[[Matrix], Vector]
_CERTAIN = 1 - 1e-12  # beyond this a correlation is 1 but for rounding
_ROUNDING = 1e-12  # variances below this, of columns standardised to 1, are rounding
_BLOCK = 4_000_000  # weights held at a time


def correlate(
    frame: pd.DataFrame,
    outcome: str,
    metrics: str | Iterable[str],
    *,
    control: str | Sequence[str] = (),
    methods: Sequence[str] | None = None,
    groups: str = "topology_id",
    cells: Sequence[str] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate an outcome with metrics.

    ================  ==========================================================================================
    ``pearson``       linear, raw
    ``spearman``      of the ranks, raw
    ``kendall``       τ-b: concordant less discordant pairs, over those not tied; raw, and only when asked for
    ``partial``       Pearson, after both have been freed of what the ``control`` columns explain linearly
    ``within_cell``   Pearson of the deviations from the mean of the cell (same data, trainer, architecture and
                      degrees and settings: only construction and seeds differ), pooled over cells
    ================  ==========================================================================================

    Runs on one topology are not independent, so whole topologies are drawn with replacement (cluster bootstrap). The
    standard error s of z = artanh r over the draws gives the interval tanh(z ± t·s) and the p-value of r = 0. With G
    clusters, t is from Student's distribution on f = G − 2 − controls degrees of freedom, and s is multiplied by
    √(G/f), since the draws vary too little by that. Within cells f = G − 1 − F, of the clusters that share a cell with
    another: F is the number of families of cells, those with a cluster in common being one.

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
        One row a metric and method: ``metric, method, estimate, low, high, p_value, n, n_clusters``, and the p-value
        adjusted for the number of metrics tried by the same method: ``p_holm`` (Holm: chance of any false claim) and
        ``p_bh`` (Benjamini–Hochberg: share of false ones among the claims). A metric that cannot be correlated, since
        it does not vary say, has NaN and its reason in ``table.attrs["reasons"]``.

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
    resamples = check_integer("resamples", resamples, low=100)
    cells = cell_columns(frame) if cells is None else cells
    has_cells = all(column in frame.columns for column in cells)
    if methods is None:
        methods = [
            m for m in METHODS if m != "kendall" and (m != "partial" or controls) and (m != "within_cell" or has_cells)
        ]
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
            data = complete_rows(frame.dropna(subset=held), [outcome, name], groups)
        except InsufficientDataError as error:
            reasons[name] = str(error)
            rows += [_row(name, method, frame) for method in methods]
            continue
        clusters = data[groups].astype("category").cat.codes.to_numpy()
        n_clusters = len(np.unique(clusters))
        for method in methods:
            statistic = _statistic(method, data, outcome, name, held, cells)
            counted, means = n_clusters, 1
            if method == "within_cell":
                counted, means = _comparable(data, cells, groups)
            freedom = counted - means - 1 - (len(held) if method == "partial" else 0)
            row = _row(name, method, data) | {"n_clusters": n_clusters}
            (estimate,) = statistic(np.ones((1, len(data))))
            if np.isnan(estimate):
                reasons[f"{name} ({method})"] = _why(method, name, held)
                rows.append(row)
                continue
            draws = np.concatenate([statistic(weights) for weights in _cluster_draws(clusters, resamples, seed)])
            low, high, p_value = _interval(estimate, draws, confidence, counted, freedom)
            rows.append(row | {"estimate": float(estimate), "low": low, "high": high, "p_value": p_value})
    table = _adjusted(pd.DataFrame(rows, columns=list(COLUMNS)))
    table.attrs["reasons"] = reasons
    return table


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """The table with p-values adjusted for the number of metrics tried by each method."""
    table[["p_holm", "p_bh"]] = table[["p_holm", "p_bh"]].astype(float)
    known = table[table["p_value"].notna()]
    for _, rows in known.groupby("method"):
        table.loc[rows.index, "p_holm"] = _holm(rows["p_value"].to_numpy())
        table.loc[rows.index, "p_bh"] = stats.false_discovery_control(rows["p_value"].to_numpy())
    return table


def _holm(p_values: Vector) -> Vector:
    """Holm's step-down adjustment; that of statsmodels runs the garbage collector at each call."""
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


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
    """The correlation as a function of how often each row counts: one for each row of weights."""
    y, x = (_standard(data[column]) for column in (outcome, name))
    if method == "pearson":
        return lambda weights: partial(y, x, np.ones((len(data), 1)), weights)
    if method == "partial":
        design = np.column_stack([np.ones(len(data)), *(_standard(data[column]) for column in held)])
        return lambda weights: partial(y, x, design, weights)
    if method == "spearman":
        return lambda weights: spearman(y, x, weights)
    if method == "kendall":
        return lambda weights: kendall(y, x, weights)
    codes = cell_codes(data, cells)
    return lambda weights: within(y, x, codes, weights)


def partial(y: Vector, x: Vector, design: Matrix, weights: Matrix) -> Vector:
    """Pearson's correlation of what is left of both after least squares on ``design``, for each row of weights.

    Parameters
    ----------
    y, x
        Shape ``(n,)``, standardised.
    design
        Shape ``(n, p)``, with a column of ones; that alone makes it the plain correlation.
    weights
        Shape ``(draws, n)``.
    """
    columns = np.column_stack([design, y, x])
    size, p = columns.shape[1], design.shape[1]
    upper = np.triu_indices(size)
    moments = np.empty((len(weights), size, size))
    moments[:, upper[0], upper[1]] = weights @ (columns[:, upper[0]] * columns[:, upper[1]])
    moments[:, upper[1], upper[0]] = moments[:, upper[0], upper[1]]
    moments /= weights.sum(axis=1)[:, None, None]
    cross = moments[:, :p, p:]
    rest = moments[:, p:, p:] - np.swapaxes(cross, 1, 2) @ np.linalg.pinv(moments[:, :p, :p], hermitian=True) @ cross
    return _ratio(rest[:, 0, 1], rest[:, 0, 0], rest[:, 1, 1])


def spearman(y: Vector, x: Vector, weights: Matrix) -> Vector:
    """Pearson's correlation of the ranks within each draw; ties share their middle rank."""
    total = weights.sum(axis=1, keepdims=True)
    ranks = []
    for values in (y, x):
        distinct, place = np.unique(values, return_inverse=True)
        counts = weights @ sp.csr_array(
            (np.ones(len(values)), (np.arange(len(values)), place)), (len(values), len(distinct))
        )
        middle = np.cumsum(counts, axis=1) - counts / 2
        ranks.append((middle / total)[:, place] - 0.5)
    parts = [(weights * a * b).sum(axis=1) for a, b in ((ranks[0], ranks[1]), (ranks[0],) * 2, (ranks[1],) * 2)]
    return _ratio(*(part / total[:, 0] for part in parts))


def kendall(y: Vector, x: Vector, weights: Matrix) -> Vector:
    """Kendall's τ-b within each draw; copies of a row are tied pairs."""
    sums = np.zeros((3, len(weights)))
    for columns in np.array_split(np.arange(len(y)), max(1, len(y) ** 2 // _BLOCK)):
        orders = [np.sign(values[:, None] - values[columns]) for values in (y, x)]
        for place, (one, other) in enumerate(((0, 1), (0, 0), (1, 1))):
            sums[place] += ((weights @ (orders[one] * orders[other])) * weights[:, columns]).sum(axis=1)
    pairs = weights.sum(axis=1) ** 2
    return _ratio(sums[0] / pairs, sums[1] / pairs, sums[2] / pairs)


def within(y: Vector, x: Vector, codes: npt.NDArray[np.int64], weights: Matrix) -> Vector:
    """Pearson's correlation of deviations from the cell's mean within each draw, pooled over cells."""
    member = sp.csr_array((np.ones(len(codes)), (np.arange(len(codes)), codes)))
    counts = np.maximum(weights @ member, 1e-300)
    sums = [(weights * values) @ member for values in (y, x)]
    total = weights.sum(axis=1)

    def moment(i: int, j: int) -> Vector:
        both = (y, x)
        return np.asarray((weights @ (both[i] * both[j]) - (sums[i] * sums[j] / counts).sum(axis=1)) / total)

    return _ratio(moment(0, 1), moment(0, 0), moment(1, 1))


def _ratio(covariance: Vector, first: Vector, second: Vector) -> Vector:
    """The correlation; NaN where either variance is nothing but rounding."""
    solid = (first > _ROUNDING) & (second > _ROUNDING)
    product = np.where(solid, first * second, 1.0)
    return np.where(solid, np.clip(covariance / np.sqrt(product), -1, 1), np.nan)


def _standard(values: pd.Series) -> Vector:
    """Mean 0 and variance 1; all 0 where the values do not vary."""
    numbers = values.to_numpy(dtype=float)
    deviations = numbers - numbers.mean()
    scale = deviations.std()
    return deviations / scale if scale > 1e-9 * np.abs(numbers).max() else np.zeros_like(numbers)


def _cluster_draws(clusters: npt.NDArray[np.int64], resamples: int, seed: int) -> Iterator[Matrix]:
    """How often each row counts in each draw: as many clusters as there are, with replacement, each with all its rows.

    In blocks of draws, so that many rows do not need much memory.
    """
    generator = np.random.default_rng(seed)
    _, member = np.unique(clusters, return_inverse=True)
    count = int(member.max()) + 1
    block = max(1, _BLOCK // len(clusters))
    for start in range(0, resamples, block):
        draws = min(block, resamples - start)
        times = generator.multinomial(count, np.full(count, 1 / count), size=draws)
        yield times[:, member].astype(float)


def _comparable(data: pd.DataFrame, cells: Sequence[str], groups: str) -> tuple[int, int]:
    """How many clusters share a cell with another, and how many families of such cells there are."""
    codes = cell_codes(data, cells)
    shared = (data.groupby(codes)[groups].transform("nunique") > 1).to_numpy()
    clusters = pd.factorize(data[groups][shared])[0]
    if not shared.any():
        return 0, 0
    return len(np.unique(clusters)), cell_families(np.unique(codes[shared], return_inverse=True)[1], clusters)


def _interval(
    estimate: float, draws: Vector, confidence: float, n_clusters: int, freedom: int
) -> tuple[float, float, float]:
    """Interval and p-value on Fisher's z scale."""
    values = draws[~np.isnan(draws)]
    if freedom < 1 or values.size < 0.9 * len(draws):
        return float("nan"), float("nan"), float("nan")
    z = np.arctanh(np.clip(estimate, -_CERTAIN, _CERTAIN))
    error = np.arctanh(np.clip(values, -_CERTAIN, _CERTAIN)).std(ddof=1) * np.sqrt(n_clusters / freedom)
    if error == 0:
        return estimate, estimate, 0.0 if estimate else 1.0
    reach = stats.t.ppf(0.5 + confidence / 2, freedom) * error
    p_value = 2 * stats.t.sf(abs(z) / error, freedom)
    return float(np.tanh(z - reach)), float(np.tanh(z + reach)), float(p_value)
