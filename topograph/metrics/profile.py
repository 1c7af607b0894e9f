"""`measure`: any mask in, a table of metrics out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

import numpy as np
import pandas as pd
from tqdm import tqdm

from topograph.graph import BipartiteGraph
from topograph.masks.layers import read_layers
from topograph.masks.loading import open_source
from topograph.masks.maskset import nothing_read
from topograph.masks.reading import Reading, ReadingOptions
from topograph.metrics.metric import Metric, Value
from topograph.metrics.registry import select_metrics
from topograph.topology import Topology

LONG_COLUMNS = ("layer", "metric", "value", "residual", "reason")
Record = tuple[str, str, float, float, str | None]


def measure(
    source: Any,
    metrics: str | Iterable[str] | None = None,
    *,
    long: bool = False,
    progress: bool | None = None,
    **options: Unpack[ReadingOptions],
) -> pd.DataFrame:
    """Compute graph metrics of anything that holds masks.

    Files and models are read one layer at a time, and each graph is dropped once it is measured: the memory needed is
    that of the largest layer, not of the model.

    Parameters
    ----------
    source
        A `BipartiteGraph`, a `Topology`, a `MaskSet`, a mask (dense array or SciPy sparse matrix, rows are inputs), a
        mapping from names to masks, a list of graphs, a live PyTorch or Keras model, a state dict, or the path of a
        file or a folder; see `topograph.load`.
    metrics
        Names of metrics or of groups (``"degrees"``, ``"spectral"``, …); all of them by default.
    long
        A tidy table instead: one row a layer and metric, with the value's residual and reason.
    progress
        Whether to show a bar over the layers; by default in a terminal, when it takes more than two seconds.
    **options
        What is an edge, which layers, how convolutions unfold: the fields of `topograph.masks.Reading`.

    Returns
    -------
    pandas.DataFrame
        One row a layer and, for a topology, a row ``"network"`` for all its neurons as one graph. One column a metric,
        and ``reason``: why a value is NaN, empty when none is. What the source holds but is no mask has a row too.
        From a file or a model there is also ``read_as``: the orientation, unfolding and edge rule of each layer; the
        tidy table has the same as ``attrs["read_as"]``.

    Raises
    ------
    InvalidMaskError, InvalidParameterError, UnknownNameError

    Examples
    --------
    >>> measure([[1, 1, 0], [0, 1, 1]], metrics=["n_edges", "algebraic_connectivity"]).round(3)
           n_edges  algebraic_connectivity reason
    layer
    graph        4                   0.382
    """
    reading = Reading.of(options)
    chosen = select_metrics(metrics)
    records: list[Record] = []
    left_out: dict[str, str] = {}
    read_as: dict[str, str] = {}
    chain: list[BipartiteGraph] = []
    with open_source(source) as opened:
        layers = read_layers(opened, reading)
        bar = tqdm(
            layers, total=len(opened.entries), unit="layer", delay=2, disable=None if progress is None else not progress
        )
        for layer in bar:
            if layer.graph is None:
                left_out[layer.name] = layer.reason
                continue
            records += _layer_records(layer.name, layer.graph, chosen)
            if layer.read_as:
                read_as[layer.name] = layer.read_as
            if opened.is_chain:
                chain.append(layer.graph)
        if not records:
            raise nothing_read(opened.label, left_out)
    if chain and len(chain) == len(opened.entries):
        records += network_records(Topology(chain), chosen)
    records += [(name, m.name, np.nan, np.nan, f"left out: {why}") for name, why in left_out.items() for m in chosen]
    table = pd.DataFrame(records, columns=list(LONG_COLUMNS))
    if long:
        table.attrs["read_as"] = read_as
        return table
    wide = _wide(table, chosen)
    if read_as:
        wide["read_as"] = pd.Series(read_as, dtype=object).reindex(wide.index, fill_value="")
    return wide


def _layer_records(name: str, graph: BipartiteGraph, metrics: Sequence[Metric]) -> list[Record]:
    values = ((metric, metric.compute(graph)) for metric in metrics)
    return [(name, metric.name, value.value, value.residual, value.reason) for metric, value in values]


def network_records(topology: Topology, metrics: Sequence[Metric]) -> list[Record]:
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
