"""`measure`: any mask in, a table of metrics out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from topograph.graph import BipartiteGraph
from topograph.masks.files import load, masks_from_arrays
from topograph.masks.maskset import MaskSet
from topograph.metrics.metric import Metric, Value
from topograph.metrics.registry import select_metrics
from topograph.topology import Topology

LONG_COLUMNS = ("layer", "metric", "value", "residual", "reason")


def measure(source: Any, metrics: str | Iterable[str] | None = None, *, long: bool = False) -> pd.DataFrame:
    """Compute graph metrics of anything that holds masks.

    Parameters
    ----------
    source
        A `BipartiteGraph`, a `Topology`, a `MaskSet`, a mask (dense array or SciPy sparse matrix, rows are inputs), a
        mapping from names to masks, a list of graphs, or the path of a mask file.
    metrics
        Names of metrics or of groups (``"degrees"``, ``"spectral"``, …); all of them by default.
    long
        A tidy table instead: one row a layer and metric, with the value's residual and reason.

    Returns
    -------
    pandas.DataFrame
        One row a layer and, for a topology, a row ``"network"`` for all its neurons as one graph. One column a metric,
        and ``reason``: why a value is NaN, empty when none is. What the source holds but is no mask has a row too.

    Raises
    ------
    InvalidMaskError, UnknownNameError

    Examples
    --------
    >>> measure([[1, 1, 0], [0, 1, 1]], metrics=["n_edges", "algebraic_connectivity"]).round(3)
           n_edges  algebraic_connectivity reason
    layer
    graph        4                   0.382
    """
    masks = as_mask_set(source)
    chosen = select_metrics(metrics)
    records = [
        (layer, metric.name, value.value, value.residual, value.reason)
        for layer, graph in masks.items()
        for metric, value in ((metric, metric.compute(graph)) for metric in chosen)
    ]
    if masks.is_chain:
        records += network_records(masks.to_topology(), chosen)
    records += [
        (name, m.name, np.nan, np.nan, f"left out: {why}") for name, why in masks.left_out.items() for m in chosen
    ]
    table = pd.DataFrame(records, columns=list(LONG_COLUMNS))
    return table if long else _wide(table, chosen)


def network_records(topology: Topology, metrics: Sequence[Metric]) -> list[tuple[str, str, float, float, str | None]]:
    """Records of the row ``"network"``."""
    whole = topology.as_graph()
    records = []
    for metric in metrics:
        if metric.name == "density":  # the one notion of size that the graph of all neurons cannot know
            value = Value(topology.density)
        elif metric.network:
            value = metric.compute(whole)
        else:
            value = Value.undefined("defined for a layer pair, not for a network")
        records.append(("network", metric.name, value.value, value.residual, value.reason))
    return records


def as_mask_set(source: Any) -> MaskSet:
    """Whatever `measure` accepts, as a `MaskSet`."""
    if isinstance(source, MaskSet):
        return source
    if isinstance(source, Topology):
        return MaskSet.from_topology(source)
    if isinstance(source, (str, os.PathLike)):
        return load(source)
    if isinstance(source, Mapping):
        return masks_from_arrays(source)
    if isinstance(source, (list, tuple)) and source and all(isinstance(item, BipartiteGraph) for item in source):
        return MaskSet({str(number): graph for number, graph in enumerate(source)})
    return MaskSet({"graph": BipartiteGraph.from_mask(source)})


def _wide(table: pd.DataFrame, chosen: list[Metric]) -> pd.DataFrame:
    names = [metric.name for metric in chosen]
    layers = list(dict.fromkeys(table["layer"]))
    values = table.pivot(index="layer", columns="metric", values="value").loc[layers, names]
    values.columns.name = None
    whole = [metric.name for metric in chosen if metric.integer and values[metric.name].notna().all()]
    values = values.astype(dict.fromkeys(whole, "int64"))
    values["reason"] = _reasons(table).reindex(layers, fill_value="")
    return values


def _reasons(table: pd.DataFrame) -> pd.Series:
    """One text a layer: each reason once, with the metrics it holds for."""
    texts = {}
    for layer, rows in table.dropna(subset="reason").groupby("layer", sort=False):
        grouped = rows.groupby("reason", sort=False)["metric"].agg(", ".join)
        texts[layer] = "; ".join(
            reason if len(names.split(", ")) == table["metric"].nunique() else f"{names}: {reason}"
            for reason, names in grouped.items()
        )
    return pd.Series(texts, dtype=object)
