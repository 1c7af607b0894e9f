"""Which inputs and outputs of a network a path connects: pairs through a hub at once, the others one by one."""

from __future__ import annotations

import numpy as np

from topograph.caching import computed_once
from topograph.metrics.metric import Value
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.path_counts import log_counts_around

_MOST_WORK = 2e11  # multiplications


@computed_once
def reachability(network: NetworkGraph) -> Value:
    """Share of the input-output pairs that a path connects.

    Most paths of a network run through one unit or another that most inputs reach: all pairs before and behind it are
    connected. Each input and output that is left takes one sweep.
    """
    pairs = network.inputs.size * network.outputs.size
    begins = network.inputs[network.to_outputs[network.inputs]]
    ends = network.outputs[network.from_inputs[network.outputs]]
    if not begins.size or not ends.size:
        return Value(0.0)
    hub = int(np.argmax(log_counts_around(network)))
    before, behind = network.behind(np.array([hub])), network.ahead_of(np.array([hub]))
    left_over, missed = begins[~before[begins]], ends[~behind[ends]]
    if left_over.size + missed.size > min(begins.size, ends.size):  # the hub is none: all from one side
        before, behind = np.zeros_like(before), np.zeros_like(behind)
        left_over, missed = (begins, ends[:0]) if begins.size <= ends.size else (begins[:0], ends)
    sweeps = left_over.size + missed.size
    if sweeps * network.cost > _MOST_WORK:
        return Value.undefined(
            f"{network.inputs.size} × {network.outputs.size} input-output pairs are too many for a network of this "
            "size; give a smaller example="
        )
    connected = int(np.count_nonzero(before[begins])) * int(np.count_nonzero(behind[ends]))
    for unit in left_over:
        connected += int(np.count_nonzero(network.ahead_of(np.array([unit]))[ends]))
    rest = begins if not before.any() else begins[before[begins]]
    for unit in missed:
        connected += int(np.count_nonzero(network.behind(np.array([unit]))[rest]))
    return Value(connected / pairs)
