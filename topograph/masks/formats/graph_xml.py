"""GraphML and GEXF, as networkx, igraph, yEd, Cytoscape and Gephi write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from topograph.errors import InvalidMaskError
from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.source import Source


def _parse(path: Path, reader: str) -> Any:
    import networkx as nx

    plain = path.read_bytes().replace(b"\0", b"").lower()  # as ASCII, also where it is UTF-16
    if b"<!doctype" in plain or b"<!entity" in plain:
        raise InvalidMaskError("declares a document type or an entity, which no graph needs; save it without")
    try:
        graph = getattr(nx, reader)(path)
    except SyntaxError as error:  # what the XML parser raises
        raise InvalidMaskError(f"is not well-formed XML: {error}") from error
    if reader == "read_graphml":  # ids are texts; those of a graph whose nodes were numbers become numbers again
        texts = [str(node) for node in graph]
        if texts == [str(number) for number in range(len(texts))]:
            graph = nx.relabel_nodes(graph, {text: int(text) for text in texts})
    return graph


@contextmanager
def open_graphml(path: Path) -> Iterator[Source]:
    """The layer, or the layers of a directed network; see `topograph.masks.graphs.networkx_graphs`."""
    from topograph.masks.graphs.networkx_graphs import networkx_source

    yield networkx_source(_parse(path, "read_graphml"), str(path), path.stem)


@contextmanager
def open_gexf(path: Path) -> Iterator[Source]:
    """The layer, or the layers of a directed network; see `topograph.masks.graphs.networkx_graphs`."""
    from topograph.masks.graphs.networkx_graphs import networkx_source

    yield networkx_source(_parse(path, "read_gexf"), str(path), path.stem)


def _sample() -> Any:
    from topograph.graph import BipartiteGraph

    return BipartiteGraph.from_mask(SAMPLE).to_networkx()


def _write_graphml(folder: Path) -> None:
    import networkx as nx

    nx.write_graphml_xml(_sample(), folder / "graph.graphml")


def _write_gexf(folder: Path) -> None:
    import networkx as nx

    nx.write_gexf(_sample(), folder / "graph.gexf")


GRAPHML = Format(
    "graphml",
    (".graphml",),
    "a graph with two sides (node attribute bipartite or type), or a directed network",
    open_graphml,
    _write_graphml,
)
GEXF = Format(
    "gexf",
    (".gexf",),
    "a graph with two sides (node attribute bipartite or type), or a directed network",
    open_gexf,
    _write_gexf,
)
