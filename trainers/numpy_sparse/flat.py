"""`FlatNetwork`: a network's layout in memory, as flat arrays over all neurons and all edges.

The compiled code walks them. Neurons are numbered consecutively, inputs first; so are edges, layer by layer. Within a
layer one side *owns* the edges: a segment holds an owner's edges to one block of neurons of the other side, with blocks
so small that their rows stay in the first-level cache. Segments are ordered by block, then owner.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.tiles import LANES
from topograph.topology import Topology
from trainers.numpy_sparse.kernels import sort_edges

Float = npt.NDArray[np.floating[Any]]
Unsigned = npt.NDArray[np.unsignedinteger[Any]]

# the columns of FlatNetwork.layers, one row per layer
FIRST_INPUT, INPUTS, FIRST_OUTPUT, OUTPUTS, FIRST_SEGMENT, BLOCKS, KIND = range(7)
BY_OUTPUT, BY_INPUT, WHOLE = range(3)  # whole: by input, and with every edge there is
SIGMOID, TANH, RELU, LEAKY_RELU, LINEAR, SOFTMAX = range(6)
MSE, CROSS_ENTROPY = range(2)

_BLOCK_BYTES = 40_000  # of the other side's rows, for most of a first-level data cache
_FEW = 64  # outputs, up to which a hidden layer's edges are owned by their inputs
_SEGMENT = 32  # edges per visit of an owner that are worth the visit


class FlatNetwork(NamedTuple):
    """The edges of a network, in segments; constant while training.

    Parameters
    ----------
    layers
        One row per layer, with the columns ``FIRST_INPUT`` … ``KIND``.
    starts
        Where each segment begins, and the end of each layer's last.
    other
        For each edge, the neuron that does not own it.
    """

    layers: npt.NDArray[np.int64]
    starts: Unsigned
    other: Unsigned


class State(NamedTuple):
    """What is learnt, and the optimizer's memory: one number per edge or neuron."""

    weights: Float
    gradient: Float
    velocity: Float
    second: Float
    bias: Float
    bias_gradient: Float
    bias_velocity: Float
    bias_second: Float


class Work(NamedTuple):
    """Scratch arrays for a tile of samples: values and gradients of all neurons, active inputs, dropout.

    ``losses`` is each worker's sum over its samples.
    """

    values: Float
    deltas: Float
    active: Unsigned
    marked: Unsigned
    kept: npt.NDArray[np.bool_]
    losses: npt.NDArray[np.float64]


class Setting(NamedTuple):
    """What the network computes: activations and loss as numbers, dropout, bounds for logarithms, a slope.

    The scales of dropout, 1 / (1 − rate), are taken here: compilers may divide by 1 − rate where they see it.
    """

    activation: int
    output_activation: int
    loss: int
    dropout_input: float
    dropout_hidden: float
    scale_input: Any
    scale_hidden: Any
    tiny: Any
    below_one: Any
    leak: Any


class Rule(NamedTuple):
    """How the optimizer steps. Fields of type Any have the network's dtype: a wider one would widen all arithmetic."""

    adam: bool
    nesterov: bool
    bias: bool
    rate: Any
    momentum: Any
    second: float
    epsilon: Any
    weight_decay: Any


def flatten(topology: Topology, itemsize: int, skip_inputs: bool) -> tuple[FlatNetwork, list[Unsigned]]:
    """The layout of a topology, and for each layer the position of each edge of ``graph.edges()`` within the layer.

    Parameters
    ----------
    topology
        Topology of the network.
    itemsize
        Bytes per number.
    skip_inputs
        Whether the inputs own the first layer's edges, so that inputs that are 0 can be skipped. In the other layers
        they do where the outputs are few: those stay in cache while the inputs' gradients are summed.
    """
    unsigned: Any = np.uint32 if topology.n_edges < 2**32 else np.uint64
    rows: list[list[int]] = []
    first_neuron = first_edge = first_segment = 0
    all_starts, all_other, positions = [], [], []
    for number, graph in enumerate(topology):
        by_input = skip_inputs if number == 0 else graph.n_right <= _FEW
        owners, others = (graph.n_left, graph.n_right) if by_input else (graph.n_right, graph.n_left)
        block = block_size(graph, others, _BLOCK_BYTES // (LANES * itemsize))
        blocks = -(-others // block)
        starts = np.zeros(owners * blocks + 1, dtype=unsigned)
        other = np.empty(graph.n_edges, dtype=np.uint32)
        position = np.empty(graph.n_edges, dtype=unsigned)
        sort_edges(graph.indptr, graph.indices, by_input, block, owners, starts, other, position)
        first_output = first_neuron + graph.n_left
        other += np.uint32(first_output if by_input else first_neuron)
        whole = by_input and graph.density == 1 and blocks == 1
        kind = WHOLE if whole else BY_INPUT if by_input else BY_OUTPUT
        rows.append([
            first_neuron, graph.n_left, first_output, graph.n_right,
            first_segment, blocks, kind,
        ])  # fmt: skip
        all_starts.append(starts + unsigned(first_edge))
        all_other.append(other)
        positions.append(position)
        first_neuron, first_edge = first_output, first_edge + graph.n_edges
        first_segment += len(starts)
    return FlatNetwork(np.array(rows), np.concatenate(all_starts), np.concatenate(all_other)), positions


def block_size(graph: BipartiteGraph, others: int, cached: int) -> int:
    """Neurons of the other side in a block: as many as stay in cache, but enough for a segment to be worth a visit."""
    wanted = max(cached, round(_SEGMENT / max(graph.density, 1e-12)))
    blocks = max(1, round(others / wanted))
    return -(-others // blocks)


def aligned_rows(neurons: int, dtype: np.dtype[Any]) -> Float:
    """Zeros, one row per neuron, aligned to cache lines: a row that straddles lines costs twice as much."""
    row = LANES * dtype.itemsize
    memory = np.zeros((neurons + 1) * row, np.uint8)
    offset = -memory.ctypes.data % row
    return memory[offset : offset + neurons * row].view(dtype).reshape(neurons, LANES)
