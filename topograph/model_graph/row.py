"""The row ``"network"`` of the graph of any model: which metrics have a meaning for it, and what they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from topograph.errors import UnsupportedModelError
from topograph.masks.options import Reading
from topograph.metrics.measured import Record
from topograph.metrics.measuring import network_records
from topograph.metrics.metric import Metric, Value
from topograph.model_graph.components import components
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.making import graph_of_model
from topograph.model_graph.neurons import Neurons, hidden_neurons
from topograph.model_graph.operators import Flags
from topograph.model_graph.path_counts import log_path_count, log_path_spread, path_count_cv
from topograph.model_graph.reachability import reachability
from topograph.model_graph.spectrum import QUANTITIES, network_estimate


def _count(choose: Callable[[Neurons], Flags]) -> Callable[[NetworkGraph], Value]:
    return lambda network: Value(int(np.count_nonzero(choose(hidden_neurons(network)))))


def _spectral(name: str) -> Callable[[NetworkGraph], Value]:
    return lambda network: network_estimate(network, name)


COMPUTED: Mapping[str, Callable[[NetworkGraph], Value]] = {
    "n_edges": lambda network: Value(network.n_edges),
    "density": lambda network: Value(network.n_edges / network.room),
    "effective_density": lambda network: Value(network.effective_edges / network.room),
    "removable_connections": lambda network: Value(network.n_edges - network.effective_edges),
    "dead_neurons": _count(lambda neurons: ~neurons.incoming & ~neurons.outgoing),
    "source_neurons": _count(lambda neurons: ~neurons.incoming & neurons.outgoing),
    "sink_neurons": _count(lambda neurons: neurons.incoming & ~neurons.outgoing),
    "inactive_neurons": _count(lambda neurons: ~neurons.active),
    "collapsed_layers": lambda network: Value(sum(layer.n_edges == 0 for layer in network.layers)),
    "reachability": reachability,
    "log_path_count": log_path_count,
    "path_count_cv": path_count_cv,
    "log_path_spread": log_path_spread,
    "n_components": lambda network: Value(components(network).count),
    "giant_share": lambda network: Value(components(network).most_units / network.n_units),
    **{name: _spectral(name) for name in QUANTITIES},
}
"""Metrics of the graph of any model, by name."""

_LAYERS_ONLY = "defined for a layer, not for a network"
_CHAINS_ONLY = "computed for a chain of dense layers, not for the graph of any model"


def model_records(model: Any, example: Any, reading: Reading, metrics: Sequence[Metric]) -> list[Record]:
    """Records of the row ``"network"`` of a live model; undefined, with the reason, where it is not read as edges."""
    try:
        network = graph_of_model(model, example, reading)
    except UnsupportedModelError as error:
        return [("network", metric.name, math.nan, math.nan, str(error)) for metric in metrics]
    return graph_records(network, metrics)


def graph_records(network: NetworkGraph, metrics: Sequence[Metric]) -> list[Record]:
    """Records of the row ``"network"``; those of its `Topology` where the model is a chain."""
    topology = network.as_topology
    if topology is not None:
        return network_records(topology, metrics)
    records: list[Record] = []
    for metric in metrics:
        compute = COMPUTED.get(metric.name)
        if compute is not None:
            value = compute(network)
        else:
            value = Value.undefined(_CHAINS_ONLY if metric.network or metric.needs == "chain" else _LAYERS_ONLY)
        records.append(("network", metric.name, float(value.value), float(value.residual), value.reason))
    return records
