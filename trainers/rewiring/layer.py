"""`LayerState`: what a rule sees of a layer; `Change`: what it answers; both by edge numbers, never as dense masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


class Gradient(Protocol):
    """∂L/∂θ of one layer, as a backend has it."""

    def dense(self) -> Floats:
        """Of every pair of neurons, edges or not: inputs × outputs."""
        ...

    def at_edges(self, graph: BipartiteGraph) -> Floats:
        """Of the edges, in the order of ``graph.edges()``."""
        ...


@dataclass(frozen=True)
class FactoredGradient:
    """A gradient as a product: of a layer through which a batch went.

    Parameters
    ----------
    values, deltas
        Inputs of the layer, and derivatives of the loss by its outputs before their activation; one row per sample.
    """

    values: Floats
    deltas: Floats

    def dense(self) -> Floats:
        """See `Gradient`. Time and memory of a dense layer."""
        return self.values.T @ self.deltas

    def at_edges(self, graph: BipartiteGraph) -> Floats:
        """See `Gradient`. Time in proportion to the edges."""
        inputs, outputs = graph.edges().T
        result = np.empty(graph.n_edges, dtype=self.values.dtype)
        step = max(1, 2**22 // max(len(self.values), 1))
        for begin in range(0, len(result), step):
            part = slice(begin, begin + step)
            result[part] = np.einsum("se,se->e", self.values[:, inputs[part]], self.deltas[:, outputs[part]])
        return result


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
        Gives the layer's gradient on a batch; called only by rules that read gradients.
    draw
        ``draw(pairs)``: fresh initial weights for pairs of neurons that are not edges yet.
    is_last
        Whether its outputs are the network's.
    groups
        Number of groups, of a grouped convolution: equal runs of inputs and of outputs, which no edge may join to those
        of another group.
    """

    graph: BipartiteGraph
    weights: Floats
    count: int
    generator: np.random.Generator
    options: Mapping[str, Any]
    read_gradient: Callable[[], Gradient]
    draw: Callable[[Integers], Floats]
    is_last: bool = False
    groups: int = 1

    @cached_property
    def pairs(self) -> Integers:
        """The edges as numbers input · n_right + output, ascending."""
        return edge_numbers(self.graph)

    @cached_property
    def dense_gradient(self) -> Floats:
        """∂L/∂θ of every pair of neurons, edges or not: inputs × outputs. Time and memory of a dense layer."""
        return self.read_gradient().dense()

    @cached_property
    def edge_gradient(self) -> Floats:
        """∂L/∂θ of the edges, in the order of ``graph.edges()``, in time proportional to them."""
        return self.read_gradient().at_edges(self.graph)

    @property
    def room(self) -> int:
        """Number of pairs that can be edges: those within a group."""
        return self.graph.n_left * self.graph.n_right // self.groups

    @cached_property
    def barred(self) -> npt.NDArray[np.bool_] | None:
        """Which pairs join two groups, inputs × outputs; None where there is one group."""
        return None if self.groups == 1 else between_groups(self.graph.shape, self.groups)

    def places(self, pairs: Integers) -> Integers:
        """Pairs within a group, input · n_right + output, as ascending numbers below `room`."""
        if self.groups == 1:
            return pairs
        width = self.graph.n_right
        inputs, outputs = np.divmod(pairs, width)
        return np.asarray(inputs * (width // self.groups) + outputs % (width // self.groups))

    def pairs_at(self, places: Integers) -> Integers:
        """The inverse of `places`."""
        if self.groups == 1:
            return places
        n, m = self.graph.shape
        inputs, column = np.divmod(places, m // self.groups)
        return np.asarray(inputs * m + inputs // (n // self.groups) * (m // self.groups) + column)


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


def between_groups(shape: tuple[int, int], groups: int) -> npt.NDArray[np.bool_]:
    """Which pairs join two of the groups into which inputs and outputs fall in equal runs."""
    first, second = (np.arange(size) // (size // groups) for size in shape)
    return np.asarray(first[:, None] != second)


def settled(state: LayerState, dropped: Integers, grown: Integers) -> Change:
    """A change to new edges of weight 0; an edge that would go and come back at once stays as it is."""
    back = np.isin(state.pairs[dropped], grown)
    fresh = grown[~np.isin(grown, state.pairs[dropped])]
    return Change(dropped[~back], fresh, np.zeros(len(fresh), dtype=state.weights.dtype))
