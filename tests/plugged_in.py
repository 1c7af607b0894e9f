"""Metrics as somebody else's package would bring them, for tests of the entry points."""

import math
from functools import partial

from topograph.metrics import Metric, Value

_mine = partial(Metric, low=0, high=math.inf, group="mine")

METRICS = (
    _mine("even_edges", lambda g: Value(1 - g.n_edges % 2), summary="1 for an even number", formula="e", network=True),
    _mine("deep_paths", lambda t: Value(len(t)), summary="layers", formula="L", needs="chain"),
)
NOT_A_METRIC = ("a name",)
SECOND_DENSITY = _mine("density", lambda g: Value(0), summary="another", formula="d")
