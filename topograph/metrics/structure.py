"""How the graph hangs together."""

from __future__ import annotations

import math

import numpy as np

from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value


def _giant_share(graph: BipartiteGraph) -> Value:
    return Value(float(np.bincount(graph.component_labels).max()) / graph.n_nodes)


METRICS = (
    Metric(
        "n_components",
        lambda g: Value(g.n_components),
        "number of connected components; an isolated node is one",
        "c",
        1,
        math.inf,
        "structure",
        network=True,
        integer=True,
    ),
    Metric(
        "giant_share",
        _giant_share,
        "share of the nodes in the component with the most nodes",
        r"\max_C |C| / (n + m)",
        0,
        1,
        "structure",
        network=True,
    ),
)
