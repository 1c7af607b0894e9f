"""What lies on a path from an input of a network to an output, and which inputs and outputs a path connects."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.metrics.metric import Value
from topograph.row_sums import row_sums

if TYPE_CHECKING:
    from topograph.graph import BipartiteGraph
    from topograph.topology import Topology

_BLOCK = 1 << 26  # edges of the last layer that are spread out at once

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Effective:
    """Edges on an input-output path, and for each hidden layer the neurons on one."""

    n_edges: int
    hidden: tuple[Flags, ...]


@computed_once
def effective(topology: Topology) -> Effective:
    """What is reached from some input, and reaches some output."""
    ahead: list[Flags] = [np.ones(topology.sizes[0], dtype=bool)]  # neurons that some input reaches
    for graph in topology:
        ahead.append(_reached(graph, ahead[-1]))
    back: list[Flags] = [np.ones(topology.sizes[-1], dtype=bool)]  # neurons from which some output is reached
    for graph in reversed(topology.graphs):
        back.append(_reaching(graph, back[-1]))
    back.reverse()
    n_edges = 0
    for layer, graph in enumerate(topology):
        from_input = np.repeat(ahead[layer], graph.left_degrees)
        n_edges += int(np.count_nonzero(from_input & back[layer + 1][graph.indices]))
    return Effective(n_edges, tuple(a & b for a, b in zip(ahead[1:-1], back[1:-1], strict=True)))


def _reached(graph: BipartiteGraph, chosen: Flags) -> Flags:
    reached = np.zeros(graph.n_right, dtype=bool)
    reached[graph.indices[np.repeat(chosen, graph.left_degrees)]] = True
    return reached


def _reaching(graph: BipartiteGraph, chosen: Flags) -> Flags:
    return np.asarray(row_sums(chosen[graph.indices], graph.indptr))


@computed_once
def connected_pairs(topology: Topology) -> int:
    """Input-output pairs with a path between them: sets of outputs as bits, united layer by layer."""
    from topograph.metrics.kernels import unite_rows

    *earlier, last = topology
    columns = last.biadjacency.tocsc()
    width = 64 * max(1, _BLOCK // 64 // max(topology.sizes[:-1]))
    connected = 0
    for start in range(0, last.n_right, width):
        reached = columns[:, start : start + width].toarray(order="C")
        sets = np.packbits(np.pad(reached, ((0, 0), (0, -reached.shape[1] % 64))), axis=1).view(np.uint64)
        for graph in reversed(earlier):
            united = np.empty((graph.n_left, sets.shape[1]), dtype=np.uint64)
            unite_rows(graph.indptr, graph.indices, sets, united)
            sets = united
        connected += int(np.bitwise_count(sets).sum(dtype=np.int64))
    return connected


def hidden_neurons(count: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Any]) -> Callable[[Topology], Value]:
    """Number of hidden neurons of which ``count(incoming, outgoing)`` holds."""

    def compute(topology: Topology) -> Value:
        pairs = itertools.pairwise(topology)
        return Value(sum(int(np.count_nonzero(count(a.right_degrees, b.left_degrees))) for a, b in pairs))

    return compute
