"""`NetworkGraph`: the units of a whole network, the operators between them, and sweeps over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from topograph.graph import BipartiteGraph
from topograph.model_graph.operators import Contraction, Edges, Flags, Operator
from topograph.model_graph.references import Ids, Numbers
from topograph.topology import Topology


@dataclass(frozen=True)
class WeightedLayer:
    """A masked layer of the model, as `topograph.load` names it: its edges, and how many it could have."""

    name: str
    n_edges: int
    room: int


@dataclass(frozen=True, eq=False)
class NetworkGraph:
    """A directed acyclic graph of units, held as operators in the order in which the model runs them.

    Vectors over units have ``n_units + 1`` entries; the first is always 0.

    Parameters
    ----------
    n_units
        Number of units, 1 … n.
    inputs, outputs
        Units of the inputs and of the outputs.
    operators
        Every operator reads only inputs and what the operators before it write. Several may write one unit, which is
        then their sum.
    layers
        The masked layers, as `topograph.load` names them.
    n_weights
        How many weights the patterns number.
    """

    n_units: int
    inputs: Ids
    outputs: Ids
    operators: tuple[Operator, ...]
    layers: tuple[WeightedLayer, ...]
    n_weights: int = 0

    # ------------------------------------------------------------------ sweeps

    def zeros(self) -> Numbers:
        """A vector over units."""
        return np.zeros(self.n_units + 1)

    def ahead_of(self, begins: Ids) -> Flags:
        """Units to which a path leads from one of the given units, these among them."""
        x = self.zeros()
        x[begins] = 1.0
        x[0] = 0.0
        self.sweep_forward(x)
        return np.asarray(x > 0)

    def behind(self, ends: Ids) -> Flags:
        """Units from which a path leads to one of the given units, these among them."""
        x = self.zeros()
        x[ends] = 1.0
        x[0] = 0.0
        self.sweep_backward(x)
        return np.asarray(x > 0)

    def sweep_forward(self, x: Numbers) -> None:
        """Set, in place, the flag of all that flagged units lead to."""
        for operator in self.operators:
            ids = operator.targets.ids
            x[ids] = np.maximum(x[ids], operator.forward(x) > 0)

    def sweep_backward(self, x: Numbers) -> None:
        """Set, in place, the flag of all that leads to flagged units."""
        for operator in reversed(self.operators):
            flags = (operator.targets.take(x) > 0).astype(np.float64)
            if not flags.any():
                continue
            operator.backward(flags, x)
            for read in operator.reads:
                x[read.ids] = np.minimum(x[read.ids], 1.0)

    @cached_property
    def from_inputs(self) -> Flags:
        """Units that some input reaches."""
        return self.ahead_of(self.inputs)

    @cached_property
    def to_outputs(self) -> Flags:
        """Units that reach some output."""
        return self.behind(self.outputs)

    # ------------------------------------------------------------------ as an undirected graph

    def adjacent(self, x: Numbers) -> Numbers:
        """The product of the adjacency matrix with ``x``; parallel edges count each."""
        y = self.zeros()
        for operator in self.operators:
            y[operator.targets.ids] += operator.forward(x)
            operator.backward(operator.targets.take(x), y)
        return y

    @cached_property
    def degrees(self) -> Numbers:
        """Number of edges at each unit."""
        ones = np.ones(self.n_units + 1)
        ones[0] = 0.0
        return self.adjacent(ones)

    @cached_property
    def cost(self) -> int:
        """Multiplications of one sweep."""
        return sum(operator.cost for operator in self.operators)

    def edges(self, chosen: Flags | None = None) -> Edges:
        """Sources and targets of all edges that begin at a chosen unit, by default of all: the graph written out."""
        if chosen is None:
            chosen = np.ones(self.n_units + 1, dtype=bool)
        chosen[0] = False
        parts = [operator.edges(chosen) for operator in self.operators]
        nothing = np.zeros(0, dtype=np.int64)
        return (
            np.concatenate([nothing, *(begins for begins, _ in parts)]),
            np.concatenate([nothing, *(ends for _, ends in parts)]),
        )

    # ------------------------------------------------------------------ the masked weights

    @cached_property
    def effective_edges(self) -> int:
        """Weights under a mask's ones that lie on a path from an input to an output, at any place or step."""
        used = np.zeros(self.n_weights, dtype=bool)
        ahead, back = self.from_inputs.astype(np.float64), self.to_outputs.astype(np.float64)
        for operator in self.operators:
            if isinstance(operator, Contraction) and operator.pattern.numbers is not None:
                numbers = operator.pattern.numbers[operator.used(ahead, back)]
                used[numbers[numbers >= 0]] = True
        return int(np.count_nonzero(used))

    @property
    def n_edges(self) -> int:
        """Weights under a mask's ones."""
        return sum(layer.n_edges for layer in self.layers)

    @property
    def room(self) -> int:
        """Weights that could be an edge."""
        return sum(layer.room for layer in self.layers)

    @cached_property
    def as_topology(self) -> Topology | None:
        """The network as a chain of its layers; None where it is more than that."""
        reached = np.asarray(self.inputs)
        graphs = []
        for operator in self.operators:
            if not isinstance(operator, Contraction) or operator.pattern.numbers is None:
                return None
            if operator.sources.shape[:2] != (1, 1) or not np.array_equal(operator.sources.ids.ravel(), reached):
                return None  # several places or groups share the layer, or something else is read
            reached = operator.targets.ids.ravel()
            graphs.append(BipartiteGraph.from_mask(operator.pattern.edges[0]))
        whole = graphs and np.array_equal(reached, self.outputs) and len(graphs) == len(self.layers)
        return Topology(graphs) if whole else None

    def __repr__(self) -> str:
        return (
            f"NetworkGraph({self.inputs.size} inputs, {self.outputs.size} outputs, {self.n_units} units, "
            f"{len(self.operators)} operators, {len(self.layers)} masked layers)"
        )
