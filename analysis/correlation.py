"""`correlate`: an outcome with each metric, raw, with density held fixed, and within cells of the design."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from analysis.cells import cell_families, check_cells, held_columns
from analysis.coefficients import Deviations, kendall, spearman, spearman_without
from analysis.frame.names import DENSITY_WORDS, name_words
from analysis.guards import check_columns, complete_rows, finite_values
from analysis.leaving_out import Statistic, fisher_interval, holm, leave_each_out
from analysis.within import Compared, compared
from topograph.checks import check_real
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError

METHODS = ("pearson", "spearman", "kendall", "partial", "within_cell", "within_cell_partial")
COLUMNS = ("metric", "method", "estimate", "low", "high", "p_value", "n", "n_clusters", "p_holm", "p_bh")
_ON_REQUEST = ("kendall", "within_cell_partial")
_WITHIN = ("within_cell", "within_cell_partial")
_WITH_CONTROL = ("partial", "within_cell_partial")


@dataclass(frozen=True, eq=False)
class Sample:
    """A statistic with the clusters to leave out and the degrees of freedom that they leave.

    ``from_sums`` computes the statistic without each cluster faster than from weights, where it can be.
    """

    statistic: Statistic
    clusters: npt.NDArray[np.int64]
    freedom: int
    n: int
    from_sums: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]] | None = None

    def without(self) -> npt.NDArray[np.float64]:
        """The statistic without each cluster in turn."""
        if self.from_sums is not None:
            return self.from_sums(self.clusters)
        return leave_each_out(self.statistic, self.clusters)

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return int(np.count_nonzero(np.bincount(self.clusters)))


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
) -> pd.DataFrame:
    """Correlate an outcome with metrics.

    =======================  ===========================================================================================
    ``pearson``              linear, raw
    ``spearman``             of the ranks, raw
    ``kendall``              τ-b: concordant less discordant pairs, over those not tied; raw, and only when asked for
    ``partial``              Pearson, after both have been freed of what the ``control`` columns explain linearly
    ``within_cell``          Pearson of the deviations from the mean of the cell (same data, trainer, architecture,
                             degrees and settings: only construction and seeds differ), pooled over cells
    ``within_cell_partial``  the same, after both have been freed of what the ``control`` columns explain within cells;
                             only when asked for
    =======================  ===========================================================================================

    Runs on one topology are not independent, so whole topologies are left out in turn (the jackknife). With G clusters
    and z = artanh r, the error s of z has s² = (G − 1)/f · Σ (z without one − z)², and gives the interval tanh(z ± t·s)
    and the p-value of r = 0; t is from Student's distribution on f = G − 2 − controls degrees of freedom. More than
    1,000 clusters are left out in 250 groups. Within cells f = G − 1 − F − controls, of the clusters that share a
    cell with another: F is the number of families of cells, those with a cluster in common being one. Cells in which
    the outcome has one value, as where nothing was learnt, are left out within cells.

    Parameters
    ----------
    frame
        One row per run, as from `analysis.load_frame`.
    outcome
        Column to be explained, such as ``"test_accuracy"``.
    metrics
        Columns that may explain it.
    control
        Columns held fixed, such as ``["l1_log_density"]``.
    methods
        Methods to use; by default ``pearson``, ``spearman`` and what else can be computed of ``partial``, which needs
        ``control``, and ``within_cell``, which needs to know the cells.
    groups
        Column that names the clusters.
    cells
        Columns that together name a cell: by default data set, trainer, architecture, degrees and the training
        settings that vary.
    confidence
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    pandas.DataFrame
        One row per metric and method: ``metric, method, estimate, low, high, p_value, n, n_clusters`` (within cells,
        the runs and clusters that share a cell with another cluster), and the p-value
        adjusted for the number of metrics tried by the same method: ``p_holm`` (Holm: chance of any false claim) and
        ``p_bh`` (Benjamini–Hochberg: share of false ones among the claims). A metric that cannot be correlated, since
        it does not vary say, has NaN and its reason in ``table.attrs["reasons"]``; a method that was not used, in
        ``table.attrs["not_computed"]``; what was left out, in ``table.attrs["notes"]``.

    Raises
    ------
    UnknownNameError, InvalidParameterError
        For columns or methods that do not exist.
    InsufficientDataError
        When the outcome itself does not vary, or there are fewer than 4 rows or 3 clusters.

    References
    ----------
    Efron & Stein (1981), The jackknife estimate of variance; Cameron & Miller (2015), A practitioner's guide to
    cluster-robust inference.

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
    if groups not in frame.columns:
        raise UnknownNameError.among("column", groups, map(str, frame.columns))
    check_real("confidence", confidence, low=0, high=1, include_low=False, include_high=False)
    methods, used_cells, not_computed = read_methods(frame, methods, controls, cells)
    complete_rows(frame, [outcome], groups)
    is_within = bool(set(methods) & set(_WITHIN))
    values = frame[list(dict.fromkeys([outcome, *names, *controls, groups, *(used_cells if is_within else ())]))]
    values = finite_values(values.reset_index(drop=True), [outcome, *names, *controls])
    values.attrs = {}  # pandas would copy them at each step

    rows: list[dict[str, Any]] = []
    reasons: dict[str, str] = {}
    notes: dict[str, None] = {}
    cells_of_rows: dict[bytes, Compared] = {}  # most metrics are known in the same rows
    for name in names:
        held = [column for column in dict.fromkeys(controls) if column != name]
        try:
            data = complete_rows(values, [outcome, name], groups, also=held)
        except InsufficientDataError as error:
            reasons[name] = str(error)
            rows += [_row(name, method, 0, 0) for method in methods]
            continue
        within = None
        if is_within:
            known = data.index.to_numpy().tobytes()
            if known not in cells_of_rows:
                cells_of_rows[known] = compared(data, used_cells, outcome, groups)
            within = cells_of_rows[known]
        for method in methods:
            if method in _WITHIN and within is not None:
                notes |= dict.fromkeys(within.notes)
            sample, reason = make_sample(method, data, within, outcome, name, held, groups)
            estimate = float("nan") if sample is None else float(sample.statistic(np.ones((1, sample.n)))[0])
            if sample is None or np.isnan(estimate):
                reasons[f"{name} ({method})"] = reason
                rows.append(_row(name, method, 0 if sample is None else sample.n, 0))
                continue
            without = sample.without()
            low, high, p_value = fisher_interval(estimate, without, confidence, sample.n_clusters, sample.freedom)
            row = _row(name, method, sample.n, sample.n_clusters)
            rows.append(row | {"estimate": estimate, "low": low, "high": high, "p_value": p_value})
    table = _adjusted(pd.DataFrame(rows, columns=list(COLUMNS)))
    table.attrs["reasons"] = reasons
    table.attrs["not_computed"] = not_computed
    table.attrs["notes"] = list(notes)
    table.attrs["outcome"] = outcome
    table.attrs["control"] = controls
    table.attrs["cells"] = list(held_columns(frame, used_cells))
    table.attrs["holds_density"] = {
        method: any(DENSITY_WORDS & set(name_words(column)) for column in columns)
        for method, columns in (("partial", controls), ("within_cell", used_cells))
    }
    return table


def read_methods(
    frame: pd.DataFrame, methods: Sequence[str] | None, controls: Sequence[str], cells: Sequence[str] | None
) -> tuple[list[str], tuple[str, ...], Mapping[str, str]]:
    """The methods to use, the cells, and why a method that goes without saying is not used."""
    for method in methods or ():
        if method not in METHODS:
            raise InvalidParameterError(f"methods must be among {', '.join(METHODS)}, but got {method!r}")
        if method in _WITH_CONTROL and not controls:
            raise InvalidParameterError(f"method {method!r} needs control=, the columns to be held fixed")
    not_computed = {}
    if methods is None and not controls:
        not_computed["partial"] = "no column is held fixed; name them with control=[...]"
    used: tuple[str, ...] = ()
    if methods is None or set(methods) & set(_WITHIN):
        try:
            used = check_cells(frame, cells)
        except (UnknownNameError, InsufficientDataError) as error:
            if cells is not None:
                raise
            if methods is not None:
                raise InvalidParameterError(f"method 'within_cell' needs to know the cells: {error}") from error
            not_computed["within_cell"] = str(error)
    chosen = [m for m in METHODS if m not in (*_ON_REQUEST, *not_computed)] if methods is None else list(methods)
    return chosen, used, not_computed


def make_sample(
    method: str,
    data: pd.DataFrame,
    within: Compared | None,
    outcome: str,
    name: str,
    held: Sequence[str],
    groups: str,
) -> tuple[Sample | None, str]:
    """The statistic of a method on its rows; and the reason for the case that it is not defined."""
    families = 1
    if method in _WITHIN and within is not None:
        data, codes, clusters = within.data, within.codes, within.clusters
        if within.n_clusters < 3:
            left = f" ({'; '.join(within.notes)})" if within.notes else ""
            return None, f"{within.n_clusters} clusters share a cell with another{left}, and at least 3 are needed"
        families = cell_families(codes, clusters)
    else:
        codes, clusters = np.zeros(len(data), dtype=np.int64), pd.factorize(data[groups])[0]
    controls = held if method in _WITH_CONTROL else []
    if method in _WITH_CONTROL and not held:
        return None, f"{name} is the only control: with itself held fixed nothing of it is left"
    y, x = (data[column].to_numpy(dtype=float) for column in (outcome, name))
    freedom = int(np.count_nonzero(np.bincount(clusters))) - families - 1
    if method == "spearman":
        return (
            Sample(
                lambda weights: spearman(y, x, weights),
                clusters,
                freedom,
                len(data),
                lambda clusters: spearman_without(y, x, clusters),
            ),
            _why(method, name, ()),
        )
    if method == "kendall":
        return Sample(lambda weights: kendall(y, x, weights), clusters, freedom, len(data)), _why(method, name, ())
    columns = Deviations(y, x, data[list(controls)].to_numpy(dtype=float), codes)
    sample = Sample(columns.correlation, clusters, freedom - columns.rank, len(data), columns.without)
    return sample, _why(method, name, controls)


def _why(method: str, name: str, held: Sequence[str]) -> str:
    where = "within cells " if method in _WITHIN else ""
    if held:
        return f"{where}with {', '.join(held)} held fixed nothing of {name}, or of the outcome, is left to vary"
    return f"{where}{name}, or the outcome, does not vary"


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """The table with p-values adjusted for the number of metrics tried by each method."""
    table[["p_holm", "p_bh"]] = table[["p_holm", "p_bh"]].astype(float)
    known = table[table["p_value"].notna()]
    for _, rows in known.groupby("method"):
        table.loc[rows.index, "p_holm"] = holm(rows["p_value"].to_numpy())
        table.loc[rows.index, "p_bh"] = stats.false_discovery_control(rows["p_value"].to_numpy())
    return table


def _row(name: str, method: str, n: int, n_clusters: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("estimate", "low", "high", "p_value"), np.nan)
    return {"metric": name, "method": method, **nothing, "n": n, "n_clusters": n_clusters}
