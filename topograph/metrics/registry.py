"""The registry of metrics: built-in and plugged in, through the entry-point group ``topograph.metrics``.

An entry point names a `Metric`, or a sequence of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pandas as pd

from topograph.errors import InvalidParameterError, PluginError, UnknownNameError
from topograph.metrics.metric import Metric
from topograph.plugins import load_plugin, registered

GROUP = "topograph.metrics"
# the order of columns; other themes follow by name
_THEMES = (
    "sizes", "degrees", "structure", "spectral", "ramanujan", "imdb", "expansion", "weighted",
    "paths", "motifs", "robustness", "communities", "network",
)  # fmt: skip


@cache
def _metrics() -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    entries = registered(GROUP)
    for theme in sorted(entries, key=lambda name: (_THEMES.index(name) if name in _THEMES else len(_THEMES), name)):
        loaded = load_plugin(entries[theme])
        for metric in [loaded] if isinstance(loaded, Metric) else list(loaded):
            if not isinstance(metric, Metric):
                raise PluginError(
                    f"the plug-in {theme!r} ({entries[theme].value}) holds {metric!r}, which is no Metric"
                )
            if metric.name in found:
                raise PluginError(f"the plug-in {theme!r} names a metric {metric.name!r}, which exists already")
            found[metric.name] = metric
    return found


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
        groups = dict.fromkeys(["all", "fast", *(metric.group for metric in _metrics().values())])
        raise UnknownNameError.among("metric", name, [*_metrics(), *groups]) from None


def select_metrics(names: str | Iterable[str] | None) -> list[Metric]:
    """Metrics by name or by group, in the order asked for, each once; the group ``"fast"`` for None.

    A group is a theme (`Metric.group`), ``"fast"`` (whatever is at most linear in the edges beyond the shared spectrum)
    or ``"all"``.

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
        group = [m for m in everything.values() if name == "all" or m.group == name or (name == "fast" and m.is_fast)]
        for metric in group or [get_metric(name)]:
            chosen[metric.name] = metric
    if not chosen:
        raise InvalidParameterError(f"metrics must name at least one of: {', '.join(everything)}")
    return list(chosen.values())


def metric_table() -> pd.DataFrame:
    """The catalogue: one row a metric, with its definition, formula, range, direction, cost, needs and source.

    ``topograph list metrics`` prints it, and the documentation is made from it.

    Examples
    --------
    >>> metric_table().loc["normalized_gap", ["group", "range", "direction", "cost", "needs"]].tolist()
    ['spectral', '[0, 1]', 'higher', 'spectrum', 'graph']
    """
    rows = [
        {
            "metric": m.name,
            "group": m.group,
            "definition": m.summary,
            "formula": m.formula,
            "range": m.range,
            "direction": m.direction,
            "cost": m.cost,
            "needs": m.needs,
            "fast": m.is_fast,
            "network": m.network or m.needs == "chain",
            "reference": m.reference,
        }
        for m in _metrics().values()
    ]
    return pd.DataFrame(rows).set_index("metric")
