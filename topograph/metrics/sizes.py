"""Sizes and density."""

from __future__ import annotations

import math
from functools import partial

from topograph.metrics.metric import Metric, Value

_size = partial(Metric, high=math.inf, group="sizes", integer=True)

METRICS = (
    _size("n_left", lambda g: Value(g.n_left), summary="number of inputs", formula="n", low=1),
    _size("n_right", lambda g: Value(g.n_right), summary="number of outputs", formula="m", low=1),
    _size("n_edges", lambda g: Value(g.n_edges), summary="number of edges", formula="|E|", low=0, network=True),
    Metric(
        "density",
        lambda g: Value(g.density),
        summary="share of the possible edges that exist",
        formula=r"|E| / (nm)",
        low=0,
        high=1,
        group="sizes",
    ),
)
