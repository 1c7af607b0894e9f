"""The registry of metrics: built-in and plugged in, through the entry-point group ``topograph.metrics``.

An entry point names a `Metric`, a sequence of them, or a module that holds them. Columns have the order of the entry
points, ours first, and of the sequence: that of ours is `topograph.metrics.themes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from topograph.errors import InvalidParameterError, UnknownNameError
from topograph.metrics.metric import Metric
from topograph.plugins import named_plugins

if TYPE_CHECKING:
    import pandas as pd

GROUP = "topograph.metrics"


def _metrics() -> dict[str, Metric]:
    """The metrics of one graph or network, by name."""
    return {name: metric for name, metric in named_plugins(GROUP, Metric).items() if metric.needs != "pair"}


def _comparisons() -> dict[str, Metric]:
    """The metrics of two masks, by name."""
    return {name: metric for name, metric in named_plugins(GROUP, Metric).items() if metric.needs == "pair"}


def available_metrics() -> tuple[str, ...]:
    """Names of all metrics, in the order of the table's columns.

    Examples
    --------
    >>> "algebraic_connectivity" in available_metrics()
    True
    """
    return tuple(_metrics())


def get_metric(name: str) -> Metric:
    """Look a metric up by name.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message lists those there are.
    """
    try:
        return _metrics()[name]
    except KeyError:
        groups = dict.fromkeys(["all", "fast", "short", *(metric.group for metric in _metrics().values())])
        raise UnknownNameError.among("metric", name, [*_metrics(), *groups]) from None


SHORT = (
    "n_left",
    "n_right",
    "n_edges",
    "density",
    "left_degree_mean",
    "right_degree_mean",
    "isolated_left",
    "isolated_right",
    "n_components",
    "algebraic_connectivity",
    "normalized_gap",
    "ramanujan_ratio",
)
"""The group ``"short"``, which `measure` computes by default: the columns that answer most questions."""


def select_metrics(names: str | Iterable[str] | None) -> list[Metric]:
    """Metrics by name or by group, in the order asked for, each once; the group ``"fast"`` for None.

    A group is a theme (`Metric.group`), ``"short"`` (a handful), ``"fast"`` (whatever is at most linear in the edges
    beyond the shared spectrum) or ``"all"``.

    Examples
    --------
    >>> [metric.name for metric in select_metrics(["density", "sizes"])]
    ['density', 'n_left', 'n_right', 'n_edges']
    """
    everything = _metrics()
    if names is None:
        names = "fast"
    chosen: dict[str, Metric] = {}
    for name in [names] if isinstance(names, str) else names:
        group = [
            m
            for m in everything.values()
            if name == "all"
            or m.group == name
            or (name == "fast" and m.is_fast)
            or (name == "short" and m.name in SHORT)
        ]
        for metric in group or [get_metric(name)]:
            chosen[metric.name] = metric
    if not chosen:
        raise InvalidParameterError(f"metrics must name at least one of: {', '.join(everything)}")
    return list(chosen.values())


def select_comparisons(names: str | Iterable[str] | None) -> list[Metric]:
    """Comparisons of two masks by name, in the order asked for, each once; ``"fast"`` for None, ``"all"`` for all.

    Examples
    --------
    >>> [comparison.name for comparison in select_comparisons(["nnstd", "overlap"])]
    ['nnstd', 'overlap']
    """
    everything = _comparisons()
    chosen: dict[str, Metric] = {}
    for name in ["fast"] if names is None else [names] if isinstance(names, str) else names:
        group = [c for c in everything.values() if name in ("all", c.name) or (name == "fast" and c.is_fast)]
        if not group:
            raise UnknownNameError.among("comparison", name, [*everything, "all", "fast"])
        chosen |= {comparison.name: comparison for comparison in group}
    if not chosen:
        raise InvalidParameterError(f"metrics must name at least one of: {', '.join(everything)}")
    return list(chosen.values())


def describe_metrics() -> pd.DataFrame:
    """The catalogue: one row per metric, with its summary, formula, range, direction, cost, needs and source.

    ``topograph list metrics`` prints it, and the documentation is made from it.

    Examples
    --------
    >>> describe_metrics().loc["normalized_gap", ["group", "range", "direction", "cost", "needs"]].tolist()
    ['spectral', '[0, 1]', 'higher', 'spectrum', 'graph']
    """
    return _catalogue(_metrics().values(), "metric")


def describe_comparisons() -> pd.DataFrame:
    """The catalogue of what `compare_masks` computes: one row per comparison, with the columns of `describe_metrics`.

    Examples
    --------
    >>> describe_comparisons().loc["nnstd", ["range", "cost"]].tolist()
    ['[0, 1]', 'E m + m³ per layer']
    """
    return _catalogue(_comparisons().values(), "comparison")


def _catalogue(metrics: Iterable[Metric], index: str) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = [
        {
            index: m.name,
            "group": m.group,
            "summary": m.summary,
            "formula": m.formula,
            "range": m.range,
            "direction": m.direction,
            "cost": m.cost,
            "needs": m.needs,
            "fast": m.is_fast,
            "network": m.network or m.needs in ("chain", "pair"),
            "reference": m.reference,
        }
        for m in metrics
    ]
    return pd.DataFrame(rows).set_index(index)
