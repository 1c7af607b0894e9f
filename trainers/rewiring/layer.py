"""`LayerState`: what a rule sees of a layer; `Change`: what it answers; both by edge numbers, never as dense masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LayerState:
    """One layer at the moment of a change.

    Parameters
    ----------
    graph
        Its edges.
    weights
        Their weights, in the order of ``graph.edges()``.
    count
        Number of edges to replace: at least 1, and at most what is empty.
    generator
        Generator of all draws of this layer at this step.
    options
        Every option of the rule, with its value.
    read_gradient
        Inputs of the layer and derivatives of the loss by its outputs before their activation, one row per sample of
        the batch; called only by rules that read gradients.
    draw
        ``draw(pairs)``: fresh initial weights for pairs of neurons that are not edges yet.
    is_last
        Whether its outputs are the network's.
    """

    graph: BipartiteGraph
    weights: Floats
    count: int
    generator: np.random.Generator
    options: Mapping[str, Any]
    read_gradient: Callable[[], tuple[Floats, Floats]]
    draw: Callable[[Integers], Floats]
    is_last: bool = False

    @cached_property
    def pairs(self) -> Integers:
        """The edges as numbers input · n_right + output, ascending."""
        return edge_numbers(self.graph)

    @cached_property
    def dense_gradient(self) -> Floats:
        """∂L/∂θ of every pair of neurons, edges or not: inputs × outputs. Time and memory of a dense layer."""
        values, deltas = self.read_gradient()
        return values.T @ deltas

    @cached_property
    def edge_gradient(self) -> Floats:
        """∂L/∂θ of the edges, in the order of ``graph.edges()``, in time proportional to them."""
        values, deltas = self.read_gradient()
        inputs, outputs = self.graph.edges().T
        result = np.empty(self.graph.n_edges, dtype=values.dtype)
        step = max(1, 2**22 // max(len(values), 1))
        for begin in range(0, len(result), step):
            part = slice(begin, begin + step)
            result[part] = np.einsum("se,se->e", values[:, inputs[part]], deltas[:, outputs[part]])
        return result


@dataclass(frozen=True)
class Change:
    """Edges that go and edges that come.

    Parameters
    ----------
    dropped
        Positions, in ``graph.edges()``, of the edges that go.
    grown
        The edges that come, as numbers input · n_right + output; none that is left.
    weights
        Weights of those, which begin with velocity 0.
    """

    dropped: Integers
    grown: Integers
    weights: Floats


def edge_numbers(graph: BipartiteGraph) -> Integers:
    """The edges of a graph as numbers input · n_right + output, ascending."""
    inputs = np.repeat(np.arange(graph.n_left, dtype=np.int64), np.diff(graph.indptr))
    return inputs * graph.n_right + graph.indices


def settled(state: LayerState, dropped: Integers, grown: Integers) -> Change:
    """A change to new edges of weight 0; an edge that would go and come back at once stays as it is."""
    back = np.isin(state.pairs[dropped], grown)
    fresh = grown[~np.isin(grown, state.pairs[dropped])]
    return Change(dropped[~back], fresh, np.zeros(len(fresh), dtype=state.weights.dtype))
