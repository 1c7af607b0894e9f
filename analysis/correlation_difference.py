"""`compare_correlations`: whether one metric is correlated more with an outcome than another."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.correlation import make_sample, read_methods
from analysis.frame.names import column_phrase, column_words
from analysis.guards import check_columns, complete_rows
from analysis.leaving_out import plain_interval
from analysis.within import compared
from topograph.checks import check_real
from topograph.errors import InsufficientDataError, UnknownNameError


@dataclass(frozen=True)
class CorrelationDifference:
    """The difference of two correlations with one outcome, on the same runs.

    Parameters
    ----------
    outcome, first, second, method
        The columns, and the method of `analysis.correlate`.
    estimates
        The two correlations.
    difference
        The first less the second; of their magnitudes where ``magnitudes`` is True.
    low, high
        Its confidence interval.
    p_value
        p-value of no difference.
    n, n_clusters
        Runs and clusters that both were computed from.
    magnitudes
        True where magnitudes were compared.
    confidence
        As asked for.
    """

    outcome: str
    first: str
    second: str
    method: str
    estimates: tuple[float, float]
    difference: float
    low: float
    high: float
    p_value: float
    n: int
    n_clusters: int
    magnitudes: bool
    confidence: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return bool(self.low > 0 or self.high < 0)

    def __str__(self) -> str:
        size = "in magnitude, " if self.magnitudes else ""
        clear = "distinguishable" if self.is_clear else "not distinguishable"
        return (
            f"{self.method} with {column_phrase(self.outcome)}: {column_words(self.first)} {self.estimates[0]:+.2f}; "
            f"{column_words(self.second)} {self.estimates[1]:+.2f}; {size}difference {self.difference:+.2f} "
            f"({100 * self.confidence:g} % CI {self.low:+.2f} … {self.high:+.2f}): {clear} from zero."
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def compare_correlations(
    frame: pd.DataFrame,
    outcome: str,
    first: str,
    second: str,
    *,
    method: str = "pearson",
    control: str | Sequence[str] = (),
    cells: Sequence[str] | None = None,
    groups: str = "topology_id",
    magnitudes: bool = False,
    confidence: float = 0.95,
) -> CorrelationDifference:
    """Estimate how much more one metric is correlated with an outcome than another.

    Both correlations are computed from the runs where both metrics are known, with the same clusters left out
    in turn: two intervals that overlap say little about a difference, since the two rise and fall together.

    Parameters
    ----------
    frame
        One row per run.
    outcome, first, second
        The columns.
    method
        A method of `analysis.correlate`.
    control, cells, groups
        As for `analysis.correlate`.
    magnitudes
        Whether to compare magnitudes: which metric tells more, whatever its sign.
    confidence
        Coverage of the interval, in (0, 1).

    Raises
    ------
    InsufficientDataError
        When one of the correlations is not defined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame(rng.normal(size=(80, 2)), columns=["good", "bad"]).assign(topology_id=range(80))
    >>> frame["y"] = frame["good"] + rng.normal(size=80)
    >>> compare_correlations(frame, "y", "good", "bad").is_clear
    True
    """
    controls = [control] if isinstance(control, str) else list(control)
    check_columns(frame, [outcome, first, second, *controls])
    if groups not in frame.columns:
        raise UnknownNameError.among("column", groups, map(str, frame.columns))
    check_real("confidence", confidence, low=0, high=1, include_low=False, include_high=False)
    _, used_cells, _ = read_methods(frame, [method], controls, cells)
    data = complete_rows(frame, [outcome, first, second], groups, also=controls)
    within = compared(data, used_cells, outcome, groups) if method.startswith("within_cell") else None
    samples = []
    for name in (first, second):
        held = [column for column in dict.fromkeys(controls) if column != name]
        sample, reason = make_sample(method, data, within, outcome, name, held, groups)
        if sample is None or np.isnan(sample.statistic(np.ones((1, sample.n)))[0]):
            raise InsufficientDataError(f"{name}: {reason}")
        samples.append(sample)
    estimates = [float(sample.statistic(np.ones((1, sample.n)))[0]) for sample in samples]
    without = [sample.without() for sample in samples]
    sizes = [np.array(estimates), *without]
    if magnitudes:
        sizes = [np.abs(values) for values in sizes]
    count, freedom = samples[0].n_clusters, min(sample.freedom for sample in samples)
    difference = float(sizes[0][0] - sizes[0][1])
    low, high, p_value = plain_interval(difference, sizes[1] - sizes[2], confidence, count, freedom)
    return CorrelationDifference(
        outcome=outcome,
        first=first,
        second=second,
        method=method,
        estimates=(estimates[0], estimates[1]),
        difference=difference,
        low=low,
        high=high,
        p_value=p_value,
        n=samples[0].n,
        n_clusters=count,
        magnitudes=magnitudes,
        confidence=confidence,
    )
