"""How a network lies in memory: flat arrays over all neurons and all edges, which the compiled code walks.

Neurons are numbered through, inputs first; so are edges, layer by layer. Within a layer one side *owns* the
edges: a segment holds an owner's edges to one block of neurons of the other side, blocks so small that
their rows stay in the first cache. Segments are ordered by block, then owner.

Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.topology import Topology
from trainers.numpy_sparse.arranging import compress, count_nonzero, sort_edges
from trainers.numpy_sparse.lanes import LANES

Float = npt.NDArray[np.floating[Any]]
Unsigned = npt.NDArray[np.unsignedinteger[Any]]

# the columns of Plan.layers, one row per layer
FIRST_INPUT, INPUTS, FIRST_OUTPUT, OUTPUTS, FIRST_SEGMENT, BLOCKS, KIND = range(7)
BY_OUTPUT, BY_INPUT, WHOLE = range(3)  # whole: by input, and with every edge there is

_BLOCK_BYTES = 40_000  # of the other side's rows, for most of a first-level data cache
_FEW = 64  # outputs, up to which a hidden layer's edges are owned by their inputs
_SEGMENT = 32  # edges that make the visit of an owner worth its while


class Plan(NamedTuple):
    """The edges of a network, arranged; nothing in it changes while training."""

    layers: npt.NDArray[np.int64]
    starts: Unsigned
    other: Unsigned


class State(NamedTuple):
    """What is learnt, and what the optimizer remembers of it: on the edges and the neurons only."""

    weights: Float
    gradient: Float
    velocity: Float
    second: Float
    bias: Float
    bias_gradient: Float
    bias_velocity: Float
    bias_second: Float


class Work(NamedTuple):
    """What a tile of samples needs: values and gradients of all neurons, active inputs, dropout."""

    values: Float
    deltas: Float
    active: Unsigned
    marked: Unsigned
    kept: npt.NDArray[np.bool_]


class Samples(NamedTuple):
    """Samples as rows, or, where most entries are 0, as the features and entries that are not."""

    sparse: bool
    rows: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]
    features: Unsigned
    entries: npt.NDArray[np.float32]


class Setting(NamedTuple):
    """What the network computes: activations and loss by number, dropout, and where logarithms are cut."""

    activation: int
    output_activation: int
    loss: int
    dropout_input: float
    dropout_hidden: float
    tiny: Any
    below_one: Any


class Rule(NamedTuple):
    """How it steps; what has type Any has the network's dtype, since a wider number would widen all arithmetic."""

    adam: bool
    nesterov: bool
    bias: bool
    rate: Any
    momentum: Any
    second: float
    epsilon: Any
    weight_decay: Any


def arrange(topology: Topology, itemsize: int, skip_inputs: bool) -> tuple[Plan, list[Unsigned]]:
    """The plan of a topology, and for each layer where each edge of ``graph.edges()`` lies within the layer.

    Parameters
    ----------
    topology
        The edges.
    itemsize
        Bytes of a number.
    skip_inputs
        Whether the inputs own the first layer's edges, so that inputs that are 0 can be passed over. In the
        other layers they do where the outputs are few: those stay in cache while the inputs' gradients are summed.
    """
    unsigned: Any = np.uint32 if topology.n_edges < 2**32 else np.uint64
    rows: list[list[int]] = []
    first_neuron = first_edge = first_segment = 0
    all_starts, all_other, places = [], [], []
    for number, graph in enumerate(topology):
        by_input = skip_inputs if number == 0 else graph.n_right <= _FEW
        owners, others = (graph.n_left, graph.n_right) if by_input else (graph.n_right, graph.n_left)
        block = block_size(graph, others, _BLOCK_BYTES // (LANES * itemsize))
        blocks = -(-others // block)
        starts = np.zeros(owners * blocks + 1, dtype=unsigned)
        other = np.empty(graph.n_edges, dtype=np.uint32)
        place = np.empty(graph.n_edges, dtype=unsigned)
        sort_edges(graph.indptr, graph.indices, by_input, block, owners, starts, other, place)
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
        places.append(place)
        first_neuron, first_edge = first_output, first_edge + graph.n_edges
        first_segment += len(starts)
    return Plan(np.array(rows), np.concatenate(all_starts), np.concatenate(all_other)), places


def block_size(graph: BipartiteGraph, others: int, cached: int) -> int:
    """Neurons of the other side in a block: as many as stay in cache, but enough for a segment to be worth a visit."""
    wanted = max(cached, round(_SEGMENT / max(graph.density, 1e-12)))
    blocks = max(1, round(others / wanted))
    return -(-others // blocks)


def lanes(neurons: int, dtype: np.dtype[Any]) -> Float:
    """Zeros, a row per neuron, that begin with a cache line: a row that straddles lines costs twice as much."""
    row = LANES * dtype.itemsize
    memory = np.zeros((neurons + 1) * row, np.uint8)
    offset = -memory.ctypes.data % row
    return memory[offset : offset + neurons * row].view(dtype).reshape(neurons, LANES)


def frozen(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view: arrays that may or may not be written to are two types to numba, and compiled for twice."""
    view = values.view()
    view.flags.writeable = False
    return view


def gather_samples(x: npt.NDArray[np.float32]) -> Samples:
    """Samples in rows, kept as they are or, where at least half of the entries are 0, as those that are not."""
    x = frozen(x)
    counts = count_nonzero(x)
    features = np.uint16 if x.shape[1] <= 2**16 else np.uint32
    if counts.sum() > x.size / 2:
        return Samples(False, x, np.zeros(1, np.int64), np.zeros(0, features), np.zeros(0, np.float32))
    starts = np.concatenate([[0], np.cumsum(counts)])
    samples = Samples(True, x[:0], starts, np.empty(starts[-1], features), np.empty(starts[-1], np.float32))
    compress(x, samples.starts, samples.features, samples.entries)
    return samples
