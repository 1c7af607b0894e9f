"""Where rewiring rules lead the graphs, in a table and in words."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.drifting import drift
from analysis.frame.names import is_layer, split_name
from analysis.naming import listed
from topograph.errors import InsufficientDataError

_EXPANSION = ("normalized_gap", "algebraic_connectivity")


def drifts_of_rules(runs: pd.DataFrame) -> pd.DataFrame:
    """How the expansion of each layer changed under each rule: one row per rule and metric, see `analysis.drift`."""
    rewired = runs[runs["variant"] == "plain"]
    names = [
        name for name in map(str, runs.columns)
        if is_layer(split_name(name)[0]) and split_name(name)[1] in _EXPANSION and f"final_{name}" in runs.columns
    ]  # fmt: skip
    tables = {}
    for name in names:
        try:
            tables[name] = drift(rewired, name, by="method")
        except InsufficientDataError:
            continue
    if not tables:
        return pd.DataFrame()
    return pd.concat(tables, names=["metric"]).swaplevel().sort_index(level=0, sort_remaining=False)


def drift_sentences(drifts: pd.DataFrame) -> Iterator[str]:
    """One sentence per rule: where it drifts, layer by layer."""
    if drifts.empty:
        return
    for method, block in drifts.groupby(level=0, sort=False):
        rows = block.droplevel(0)
        said = {
            frozenset({"up"}): "drifts towards better expanders",
            frozenset({"down"}): "drifts away from better expanders",
            frozenset(): "is not seen to drift",
        }.get(frozenset(set(rows["direction"]) - {"cannot be told"}), "drifts both ways")
        by_metric = rows.groupby([split_name(name)[1] for name in rows.index], sort=False)
        parts = [_metric_drift(str(metric), one) for metric, one in by_metric]
        yield f"{method} {said}, over {int(rows['n_topologies'].max())} first topologies: {'; '.join(parts)}."


def _metric_drift(metric: str, rows: pd.DataFrame) -> str:
    """One metric's directions by layer, and the first layer's means."""
    told = []
    for word, said in (("up", "up"), ("down", "down"), ("cannot be told", "unclear")):
        layers = [split_name(name)[0].removeprefix("l") for name in rows.index[rows["direction"] == word]]
        if layers:
            told.append(f"{said} in layer{'s' * (len(layers) > 1)} {listed(layers)}")
    first = rows.iloc[0]
    layer = split_name(rows.index[0])[0].removeprefix("l")
    return f"{metric.replace('_', ' ')} {', '.join(told)} (layer {layer}: {first['first']:.3g} → {first['last']:.3g})"
