"""Metrics as somebody else's package would bring them, for tests of the entry points."""

import math

from topograph.metrics import Metric, Value

METRICS = (
    Metric("even_edges", lambda g: Value(1 - g.n_edges % 2), "1 for an even number", "e", 0, 1, "mine", network=True),
    Metric("deep_paths", lambda t: Value(len(t)), "layers", "L", 1, math.inf, "mine", needs="chain"),
)
NOT_A_METRIC = ("a name",)
SECOND_DENSITY = Metric("density", lambda g: Value(0), "another", "d", 0, 1, "mine")
