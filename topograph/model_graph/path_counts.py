"""How many paths lead from the inputs of a network to its outputs; sums that would overflow carry exponents."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.metrics.metric import Value
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.references import Ids, Numbers

_LARGE = 1e290
_MOST_WORK = 3e10  # multiplications for all input-output pairs
_NO_PATH = "no input is connected to an output"


def log_counts(network: NetworkGraph, units: Ids, *, backward: bool = False) -> Numbers:
    """For each unit the natural logarithm of the number of paths from the given units to it, itself among them.

    With ``backward``, of paths from it to the given units.
    """
    x = network.zeros()
    x[units] = 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        for operator in reversed(network.operators) if backward else network.operators:
            if backward:
                operator.backward(operator.targets.take(x), x)
            else:
                x[operator.targets.ids] += operator.forward(x)
    exponents: Any = 0
    if not (x <= _LARGE).all():
        x, exponents = _scaled_counts(network, units, backward)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(x) + exponents * math.log(2))


def _scaled_counts(network: NetworkGraph, units: Ids, backward: bool) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Counts as numbers in [½, 1) with an exponent of two for each unit."""
    x, exponents = network.zeros(), np.zeros(network.n_units + 1, dtype=np.int64)
    x[units], exponents[units] = 0.5, 1
    scratch = network.zeros()
    for operator in reversed(network.operators) if backward else network.operators:
        reads = np.unique(np.concatenate([read.ids.ravel() for read in operator.reads]))
        reads, targets = reads[reads > 0], operator.targets.ids.ravel()
        sources, ends = (targets, reads) if backward else (reads, targets)
        there = x[sources] > 0
        if not there.any():
            continue
        top = int(exponents[sources[there]].max())
        scratch[sources] = np.ldexp(x[sources], np.maximum(exponents[sources] - top, -2000))
        if backward:
            scratch[reads] = 0.0
            operator.backward(operator.targets.take(scratch), scratch)
            values = scratch[reads]
        else:
            values = operator.forward(scratch).ravel()
        both = np.where(x[ends] > 0, np.maximum(exponents[ends], top), top)
        before = np.ldexp(x[ends], np.maximum(exponents[ends] - both, -2000))
        x[ends], powers = np.frexp(np.ldexp(values, np.maximum(top - both, -2000)) + before)
        exponents[ends] = both + powers
    return x, exponents


@computed_once
def _from_all_inputs(network: NetworkGraph) -> Numbers:
    return log_counts(network, network.inputs)


def log_counts_around(network: NetworkGraph) -> Numbers:
    """For each unit the logarithm of the number of paths from an input to an output that lead through it."""
    return np.asarray(_from_all_inputs(network) + log_counts(network, network.outputs, backward=True))


def log_path_count(network: NetworkGraph) -> Value:
    """Logarithm of the number of paths from all inputs to all outputs."""
    logs = _from_all_inputs(network)[network.outputs]
    top = float(logs.max(initial=-math.inf))
    if top == -math.inf:
        return Value.undefined(_NO_PATH)
    return Value(top + math.log(float(np.exp(logs - top).sum())))


@computed_once
def _moments(network: NetworkGraph) -> tuple[Value, Value]:
    """Coefficient of variation of the path counts over all pairs, and spread of their logarithms."""
    backward = network.outputs.size < network.inputs.size
    begins, ends = (network.outputs, network.inputs) if backward else (network.inputs, network.outputs)
    if begins.size * network.cost > _MOST_WORK:
        pairs = f"{network.inputs.size} × {network.outputs.size} input-output pairs"
        reason = f"{pairs} are too many to count the paths of each; give a smaller example="
        return Value.undefined(reason), Value.undefined(reason)
    each = (log_counts(network, begins[i : i + 1], backward=backward)[ends] for i in range(begins.size))
    logs = np.concatenate(list(each))
    there = logs[np.isfinite(logs)]
    if not there.size:
        return Value.undefined(_NO_PATH), Value.undefined(_NO_PATH)
    scaled = np.exp(there - there.max())
    mean = float(scaled.sum()) / logs.size
    variance = max(float(np.square(scaled).sum()) / logs.size - mean**2, 0.0)
    if variance < 1e-13 * mean**2:
        variance = 0.0  # below the rounding of the sums
    return Value(math.sqrt(variance) / mean), Value(float(np.std(there - there[0])))


def path_count_cv(network: NetworkGraph) -> Value:
    """Standard deviation of the path counts over their mean."""
    return _moments(network)[0]


def log_path_spread(network: NetworkGraph) -> Value:
    """Standard deviation of the logarithms of the path counts."""
    return _moments(network)[1]
