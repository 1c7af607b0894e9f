"""Sizes and density."""

from __future__ import annotations

import math

from topograph.metrics.metric import Metric, Value

METRICS = (
    Metric("n_left", lambda g: Value(g.n_left), "number of inputs", "n", 1, math.inf, "sizes", integer=True),
    Metric("n_right", lambda g: Value(g.n_right), "number of outputs", "m", 1, math.inf, "sizes", integer=True),
    Metric(
        "n_edges",
        lambda g: Value(g.n_edges),
        "number of connections",
        "|E|",
        0,
        math.inf,
        "sizes",
        network=True,
        integer=True,
    ),
    Metric(
        "density", lambda g: Value(g.density), "share of possible connections that exist", r"|E| / (nm)", 0, 1, "sizes"
    ),
)
