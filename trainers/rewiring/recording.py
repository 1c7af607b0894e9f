"""`record_change`: how many edges are new, and the metrics that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from topograph.graph import BipartiteGraph
from topograph.metrics import measure
from trainers.config import TrainingConfig
from trainers.rewiring.layer import edge_numbers


def metric_names(config: TrainingConfig) -> list[str]:
    """The names in ``rewire_metrics``."""
    return config.rewire_metrics.replace(",", " ").split()


def record_change(
    names: Sequence[str],
    before: Iterable[BipartiteGraph],
    after: Iterable[BipartiteGraph],
    metrics: Sequence[str],
    measured: Any,
) -> dict[str, float]:
    """``turnover``, the share of edges that are new, in all and as ``<layer>_turnover``; then ``<layer>_<metric>``.

    Parameters
    ----------
    names
        Names of the layers.
    before, after
        Their edges.
    metrics
        Names of the metrics.
    measured
        What `topograph.measure` takes for them.
    """
    graphs = list(after)
    new = [
        np.setdiff1d(edge_numbers(graph), edge_numbers(old), assume_unique=True).size
        for old, graph in zip(before, graphs, strict=True)
    ]
    values = {"turnover": sum(new) / max(sum(graph.n_edges for graph in graphs), 1)}
    values |= {
        f"{name}_turnover": count / max(graph.n_edges, 1) for name, count, graph in zip(names, new, graphs, strict=True)
    }
    if metrics:
        table = measure(measured, list(metrics), long=True, workers=1, progress=False)
        for layer, metric, value in zip(table["layer"], table["metric"], table["value"], strict=True):
            values[f"{layer}_{metric}"] = float(value)
    return values
