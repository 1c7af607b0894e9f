"""How layers fit each other: whether a neuron with many inputs has many outputs."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.metrics.metric import Metric, Value
from topograph.topology import Topology

_MAO = "after Newman (2002), Assortative mixing in networks, on the two degrees of each hidden neuron"


def _degree_alignment(topology: Topology) -> Value:
    layers = list(topology)
    if len(layers) < 2:
        return Value.undefined("there is no hidden layer")
    found = []
    for before, after in pairwise(layers):
        value = _correlation(before.right_degrees, after.left_degrees)
        if not np.isnan(value):
            found.append(value)
    if not found:
        return Value.undefined("in no hidden layer do both degrees of the neurons vary")
    return Value(float(np.clip(np.mean(found), -1, 1)))


def _correlation(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _lost(topology: Topology) -> Value:
    layers = list(topology)
    if len(layers) < 2:
        return Value.undefined("there is no hidden layer")
    edges = lost = 0
    for before, after in pairwise(layers):
        edges += before.n_edges + after.n_edges
        lost += int(before.right_degrees[after.left_degrees == 0].sum())
        lost += int(after.left_degrees[before.right_degrees == 0].sum())
    return Value(lost / edges) if edges else Value.undefined("the network has no edges")


_alignment = partial(Metric, group="alignment", needs="chain", fast=False, reference=_MAO)

METRICS = (
    _alignment(
        "degree_alignment",
        _degree_alignment,
        summary=(
            "correlation of the number of edges into a hidden neuron with that out of it, the mean over the hidden "
            "layers where both vary"
        ),
        formula=r"\frac{1}{L-1} \sum_l \mathrm{corr}_v(d^{in}_v, d^{out}_v)",
        low=-1,
        high=1,
        direction="higher",
    ),
    _alignment(
        "misaligned_edges",
        _lost,
        summary=(
            "share of the ends of edges at hidden neurons that lead into a neuron without edges on its other side"
        ),
        formula=r"\sum_{v : d^{in}_v d^{out}_v = 0} (d^{in}_v + d^{out}_v) \big/ \sum_v (d^{in}_v + d^{out}_v)",
        low=0,
        high=1,
        direction="lower",
    ),
)
