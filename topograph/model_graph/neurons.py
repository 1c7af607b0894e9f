"""`Neurons`: the outputs of masked layers, channels over all positions and steps, and what leads to and from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.caching import computed_once
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.operators import Contraction, Flags


@dataclass(frozen=True)
class Neurons:
    """For each hidden neuron whether edges come in, whether edges go out, and whether it lies on a path."""

    incoming: Flags
    outgoing: Flags
    active: Flags


@computed_once
def hidden_neurons(network: NetworkGraph) -> Neurons:
    """The neurons that another masked layer could read.

    A neuron is an output of a masked layer, a channel of a convolution; where layers are summed, as in a gate, they
    share it. Edges come in where one of a mask ends at it, or at a neuron or input that reaches it through operations
    without a mask; edges go out the same way to a mask's edge or an output.
    """
    labels, n_labels, hidden = _labels(network)
    up, down = _local_flags(network)
    alive = network.from_inputs & network.to_outputs
    chosen = labels >= 0

    def of_any(flags: npt.NDArray[np.bool_]) -> Flags:
        return np.bincount(labels[chosen], weights=flags[chosen], minlength=n_labels)[hidden] > 0

    return Neurons(of_any(up), of_any(down), of_any(alive))


def _labels(network: NetworkGraph) -> tuple[npt.NDArray[np.int64], int, Flags]:
    """The neuron of each unit (−1: none), their number, and which of them a masked layer could read."""
    first: dict[tuple[str, int], int] = {}
    n_labels = 0
    labels = np.full(network.n_units + 1, -1, dtype=np.int64)
    pairs = [np.zeros((2, 0), dtype=np.int64)]
    read_later = _read_later(network)
    hidden_labels = []
    for operator, later in zip(network.operators, read_later, strict=True):
        if not isinstance(operator, Contraction) or operator.pattern.numbers is None:
            continue
        _, groups, outputs = operator.targets.shape
        key = operator.weight, _first_number(operator)
        if key not in first:
            first[key] = n_labels
            n_labels += groups * outputs
        own = first[key] + np.arange(groups * outputs)
        if later:
            hidden_labels.append(own)
        spread = np.broadcast_to(own, (len(operator.targets.ids), groups * outputs)).ravel()
        ids = operator.targets.ids.ravel()
        other = labels[ids]
        both = other >= 0
        pairs.append(np.unique(np.stack([other[both], spread[both]]), axis=1))
        labels[ids[~both]] = spread[~both]
    a, b = np.concatenate(pairs, axis=1)
    matrix = sp.coo_array((np.ones(a.size), (a, b)), shape=(n_labels, n_labels))
    count, merged = sp.csgraph.connected_components(matrix, directed=False)
    hidden = np.zeros(count, dtype=bool)
    for own in hidden_labels:
        hidden[merged[own]] = True
    labels[labels >= 0] = merged[labels[labels >= 0]]
    return labels, count, hidden


def _first_number(operator: Contraction) -> int:
    """The least number of its weights: parts of one weight, such as queries and keys, have neurons of their own."""
    numbers = operator.pattern.numbers
    assert numbers is not None
    return int(numbers[numbers >= 0].min())


def _read_later(network: NetworkGraph) -> list[bool]:
    """For each operator whether a masked layer comes behind it, whatever the masks."""
    read = np.zeros(network.n_units + 1, dtype=bool)
    found = []
    for operator in reversed(network.operators):
        later = bool(read[operator.targets.ids].any())
        found.append(later)
        if later or operator.weight:
            for reads in operator.reads:
                read[reads.ids] = True
            read[0] = False
    return found[::-1]


def _local_flags(network: NetworkGraph) -> tuple[Flags, Flags]:
    """Units that a mask's edge or an input reaches without passing another mask, and those that so reach one."""
    ones = np.ones(network.n_units + 1)
    ones[0] = 0.0
    up, down = network.zeros(), network.zeros()
    up[network.inputs] = 1.0
    for operator in network.operators:
        values = operator.forward(ones if operator.weight else up)
        ids = operator.targets.ids
        up[ids] = np.maximum(up[ids], values > 0)
    down[network.outputs] = 1.0
    for operator in reversed(network.operators):
        ends = np.ones(operator.targets.shape) if operator.weight else operator.targets.take(down)
        operator.backward(ends, down)
        for read in operator.reads:
            down[read.ids] = np.minimum(down[read.ids], 1.0)
    return up > 0, down > 0
