"""Null models: random graphs that share with given ones the degrees, or only the number of edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from topograph.constructions import available_constructions, construct
from topograph.constructions.rows import from_entries, uniform_entries
from topograph.design.rewiring import rewire
from topograph.errors import UnknownNameError
from topograph.graph import BipartiteGraph

Draw = Callable[[Sequence[BipartiteGraph], np.random.Generator], list[BipartiteGraph]]
"""Graphs with the sizes of those given, in their order."""


def _rewired(graphs: Sequence[BipartiteGraph], generator: np.random.Generator) -> list[BipartiteGraph]:
    return [rewire(graph, seed=generator) for graph in graphs]


def _layerwise(graphs: Sequence[BipartiteGraph], generator: np.random.Generator) -> list[BipartiteGraph]:
    return [_uniform(graph, graph.n_edges, generator) for graph in graphs]


def _erdos_renyi(graphs: Sequence[BipartiteGraph], generator: np.random.Generator) -> list[BipartiteGraph]:
    """All edges of the network over all places of the network: how many fall into a layer is drawn, too."""
    places = np.array([graph.n_left * graph.n_right for graph in graphs])
    edges, counts = sum(graph.n_edges for graph in graphs), []
    rest = int(places.sum())
    for room in places.tolist():  # a multivariate hypergeometric draw, one layer after the other
        rest -= room
        counts.append(_share(room, rest, edges, generator))
        edges -= counts[-1]
    return [_uniform(graph, count, generator) for graph, count in zip(graphs, counts, strict=True)]


def _share(room: int, rest: int, edges: int, generator: np.random.Generator) -> int:
    """How many of ``edges`` fall among ``room`` places, when ``rest`` others are as likely."""
    if not rest:
        return edges
    if max(room, rest) < 10**9:  # what NumPy's exact draw takes
        return int(generator.hypergeometric(room, rest, edges)) if edges else 0
    share = room / (room + rest)
    spread = np.sqrt(edges * share * (1 - share) * (1 - edges / (room + rest)))
    return int(np.clip(round(generator.normal(edges * share, spread)), max(0, edges - rest), min(edges, room)))


def _uniform(graph: BipartiteGraph, edges: int, generator: np.random.Generator) -> BipartiteGraph:
    entries = uniform_entries(graph.n_left * graph.n_right, edges, generator)
    return from_entries(entries, graph.n_left, graph.n_right)


NULLS: dict[str, tuple[Draw, str]] = {
    "rewired": (_rewired, "the degree of every neuron stays, edges are otherwise at random"),
    "layerwise": (_layerwise, "the number of edges of every layer stays, every choice equally likely"),
    "erdos_renyi": (_erdos_renyi, "the number of edges of the whole network stays, every choice equally likely"),
}
"""Null models by name, and what they keep."""


def get_null(null: Any) -> tuple[Draw, str]:
    """A null model by name, by the name of a construction, or as a function of a graph and a generator.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message lists those there are.
    """
    if isinstance(null, str):
        if null in NULLS:
            return NULLS[null]
        if null not in available_constructions():
            raise UnknownNameError.among("null model", null, [*NULLS, *available_constructions()])

        def constructed(graphs: Sequence[BipartiteGraph], generator: np.random.Generator) -> list[BipartiteGraph]:
            return [construct(null, g.n_left, g.n_right, edges=g.n_edges, seed=generator) for g in graphs]

        return constructed, f"the number of edges of every layer stays, in a {null} graph"
    if not callable(null):
        raise UnknownNameError.among("null model", null, [*NULLS, *available_constructions()])
    return (lambda graphs, generator: [null(graph, generator) for graph in graphs]), "what the function given keeps"
