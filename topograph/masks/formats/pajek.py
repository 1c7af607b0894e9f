"""Pajek's .net files, parsed here: two-mode networks, and directed ones whose arcs run from layer to layer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from topograph.errors import InvalidMaskError
from topograph.limits import check_nodes
from topograph.masks.formats.format import Format
from topograph.masks.source import Source

_TOKEN = re.compile(r'"([^"]*)"|(\S+)')


@contextmanager
def open_pajek(path: Path) -> Iterator[Source]:
    """The layer, or the layers of a directed network; see `topograph.masks.graphs.networkx_graphs`."""
    from topograph.masks.graphs.networkx_graphs import networkx_source

    yield networkx_source(_parse(path), str(path), path.stem)


def _parse(path: Path) -> Any:
    import networkx as nx

    text = path.read_text(encoding="utf-8-sig")
    sections = [section for section in re.split(r"^[ \t]*\*", text, flags=re.MULTILINE)[1:] if section.strip()]
    graph: Any = nx.MultiDiGraph() if any(s[:4].lower() == "arcs" for s in sections) else nx.MultiGraph()
    known = False
    for section in sections:
        head, *lines = section.splitlines()
        kind, *sizes = head.lower().split()
        rows = [[a or b for a, b in _TOKEN.findall(line)] for line in lines if not line.lstrip().startswith("%")]
        rows = [row for row in rows if row]
        if kind == "vertices":
            _add_vertices(graph, sizes, rows, path.stat().st_size)
            known = True
        elif kind in ("edges", "arcs", "edgeslist", "arcslist"):
            if not known:
                raise InvalidMaskError(f"has *{kind} before *Vertices")
            _add_edges(graph, rows, as_list=kind.endswith("list"))
        elif kind != "network":
            raise InvalidMaskError(
                f"has a section *{kind}; can read *Vertices, *Edges, *Arcs, *Edgeslist and *Arcslist"
            )
    if not known:
        raise InvalidMaskError("has no section *Vertices")
    return graph


def _add_vertices(graph: Any, sizes: list[str], rows: list[list[str]], file_bytes: int) -> None:
    """Numbers and names; a second size says how many of the vertices are the first mode, which are the inputs."""
    if not sizes or len(sizes) > 2 or not all(size.isdecimal() and len(size) < 11 for size in sizes):
        raise InvalidMaskError(f"*Vertices must say how many there are, but says {' '.join(sizes)!r}")
    total = int(sizes[0])
    check_nodes((total,), file_bytes)
    graph.add_nodes_from(range(1, total + 1))
    if len(sizes) == 2:
        for node in graph:
            graph.nodes[node]["bipartite"] = int(node > int(sizes[1]))
    names = {_vertex(graph, row[0]): row[1] for row in rows if len(row) > 1}
    if len(names) == total:
        for node, name in names.items():
            graph.nodes[node]["label"] = name


def _add_edges(graph: Any, rows: list[list[str]], *, as_list: bool) -> None:
    for row in rows:
        if as_list:
            source, *targets = (_vertex(graph, cell) for cell in row)
            graph.add_edges_from((source, target) for target in targets)
            continue
        if len(row) < 2:
            raise InvalidMaskError(f"a line of an edge names two vertices, but is {' '.join(row)!r}")
        attributes = {}
        if len(row) > 2:
            try:
                attributes["weight"] = float(row[2])
            except ValueError:
                raise InvalidMaskError(f"the weight of an edge must be a number, but is {row[2]!r}") from None
        graph.add_edge(_vertex(graph, row[0]), _vertex(graph, row[1]), **attributes)


def _vertex(graph: Any, text: str) -> int:
    if not text.isdecimal() or int(text) not in graph:
        raise InvalidMaskError(f"names the vertex {text!r}, but they are numbered 1 to {len(graph)}")
    return int(text)


def _write_samples(folder: Path) -> None:
    (folder / "graph.net").write_text('*Vertices 3 2\n1 "a"\n2 "b"\n3 "y"\n*Edges\n1 3 0.5\n2 3 1\n')
    (folder / "arcs.net").write_text("*Vertices 4\n*Arcs\n1 3\n2 3\n3 4\n")


FORMAT = Format("pajek", (".net",), "a two-mode network, or arcs from layer to layer", open_pajek, _write_samples)
