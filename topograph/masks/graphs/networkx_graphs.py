"""Graphs of networkx: a layer by the sides of its nodes, or a whole network by the direction of its edges."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from topograph.doors import coloured_left
from topograph.errors import InvalidMaskError
from topograph.labels import Labels
from topograph.layering import layers_of
from topograph.masks.layout import keras_layout
from topograph.masks.live import ModelKind, root_packages
from topograph.masks.source import Entry, Source

if TYPE_CHECKING:
    import networkx as nx


def networkx_source(graph: nx.Graph[Any], label: str = "the networkx graph", name: str = "graph") -> Source:
    """The layers of a graph.

    The node attribute ``bipartite`` (or igraph's ``type``) says the side of each node. Without it the edges of a
    directed graph run from layer to layer, and the layers ``l1``, ``l2``, … follow from them. The edge attribute
    ``weight`` gives the weights; the node attribute ``label`` or ``name``, or else the
    nodes, the names of the neurons.

    Raises
    ------
    InvalidMaskError
        When the sides are unclear, edges are parallel, or one stays within a side or skips a layer.
    """
    if graph.is_multigraph():
        ends = {edge[:2] if graph.is_directed() else frozenset(edge[:2]) for edge in graph.edges()}
        if len(ends) < graph.number_of_edges():
            raise InvalidMaskError(f"{label}: has parallel edges; merge them, such as by networkx.Graph(graph)")
    if not graph.is_directed() or _has_sides(graph):
        left = coloured_left(graph)
        rows = set(left)
        layers = [left, [node for node in graph if node not in rows]]
        words = "sides by the nodes' attribute"
    else:
        alone = [node for node in graph if not graph.degree(node)]
        if alone:
            raise InvalidMaskError(
                f"{label}: {len(alone)} nodes have no edge and no attribute bipartite, first {alone[0]!r}, so no "
                "layer is theirs; set bipartite=0 (input) or 1 (output) for all nodes, or remove them"
            )
        layers = layers_of([(source, target) for source, target, *_ in graph.edges()])
        words = "layers by the direction of the edges"
    if min(map(len, layers)) < 1:
        raise InvalidMaskError(f"{label}: a side has no node")
    matrices = _between(graph, layers)
    names = _names(graph, layers)
    entries = [
        Entry(
            name if len(matrices) == 1 else f"l{number + 1}",
            lambda matrix=matrix: matrix,  # type: ignore[misc]
            keras_layout(2, words=words),
            labels=(names[number], names[number + 1]),
        )
        for number, matrix in enumerate(matrices)
    ]
    return Source(label, tuple(entries), is_chain=len(entries) > 1)


def _has_sides(graph: Any) -> bool:
    return any(value is not None for _, value in graph.nodes(data="bipartite")) or all(
        isinstance(value, bool) for _, value in graph.nodes(data="type")
    )


def _between(graph: Any, layers: Sequence[Sequence[Hashable]]) -> list[sp.coo_array]:
    """The weights, or mere edges, between each two consecutive layers."""
    place = {node: (layer, number) for layer, nodes in enumerate(layers) for number, node in enumerate(nodes)}
    ends: list[list[tuple[int, int]]] = [[] for _ in layers[1:]]
    weights: list[list[float]] = [[] for _ in layers[1:]]
    has_weights = False
    for source, target, attributes in graph.edges(data=True):
        first, second = sorted((place[source], place[target]))
        if second[0] != first[0] + 1:
            kind = "stays within one side" if first[0] == second[0] else "skips a layer"
            raise InvalidMaskError(f"the edge {source!r} – {target!r} {kind}")
        weight = attributes.get("weight")
        has_weights |= weight is not None
        try:
            weights[first[0]].append(1.0 if weight is None else float(weight))
        except (TypeError, ValueError):
            raise InvalidMaskError(f"the weight of {source!r} – {target!r} is {weight!r}, not a number") from None
        ends[first[0]].append((first[1], second[1]))
    return [
        sp.coo_array(
            (
                np.array(values, dtype=np.float64) if has_weights else np.ones(len(values), dtype=bool),
                np.array(pairs, dtype=np.int64).reshape(-1, 2).T,
            ),
            shape=(len(left), len(right)),
        )
        for pairs, values, left, right in zip(ends, weights, layers, layers[1:], strict=False)
    ]


def _names(graph: Any, layers: Sequence[Sequence[Hashable]]) -> list[Labels | None]:
    """The names of each layer; None throughout where they are mere numbers, as in `to_networkx`."""
    labels = {node: node for node in graph}
    for attribute in ("label", "name"):
        values = dict(graph.nodes(data=attribute))
        if None not in values.values() and len(set(map(str, values.values()))) == len(values):
            labels = values
            break
    names = [tuple(str(labels[node]) for node in nodes) for nodes in layers]
    if [name for layer in names for name in layer] == [str(number) for number in range(len(graph))]:
        return [None] * len(layers)
    return list(names)


NETWORKX = ModelKind(
    "networkx",
    "networkx.Graph",
    "a graph with two sides, or a directed one whose edges run from layer to layer",
    recognises=lambda value: "networkx" in root_packages(value) and hasattr(value, "nodes"),
    source=networkx_source,
)
