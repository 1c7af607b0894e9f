"""Graphs of igraph, read by way of networkx."""

from __future__ import annotations

from typing import Any

from topograph.errors import InvalidMaskError
from topograph.masks.graphs.networkx_graphs import networkx_source
from topograph.masks.live import ModelKind, root_packages
from topograph.masks.source import Source


def igraph_source(graph: Any) -> Source:
    """The layers of a graph; the vertex attribute ``type`` says the side, ``name`` the name of each neuron."""
    import networkx as nx

    if graph.has_multiple():
        raise InvalidMaskError("the igraph graph: has parallel edges; merge them by graph.simplify()")
    if graph.vcount() and not graph.is_directed() and "type" not in graph.vs.attributes():
        raise InvalidMaskError(
            "the igraph graph: the vertices have no attribute 'type' (False input, True output); set it, or name the "
            "inputs by left= of topograph.BipartiteGraph.from_igraph"
        )
    copy: Any = nx.MultiDiGraph() if graph.is_directed() else nx.MultiGraph()
    attributes = graph.vs.attributes()
    for vertex in graph.vs:
        copy.add_node(vertex.index, **{"label" if a == "name" else a: vertex[a] for a in attributes if a != "label"})
    weights = graph.es["weight"] if "weight" in graph.es.attributes() else [None] * graph.ecount()
    for (source, target), weight in zip(graph.get_edgelist(), weights, strict=True):
        copy.add_edge(source, target, weight=weight)
    return networkx_source(copy, "the igraph graph")


IGRAPH = ModelKind(
    "igraph",
    "igraph.Graph",
    "a graph whose vertices have a type, or a directed one whose edges run from layer to layer",
    recognises=lambda value: "igraph" in root_packages(value) and hasattr(value, "get_edgelist"),
    source=igraph_source,
)
