"""From named edges of a whole feed-forward network to its layers."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

import numpy.typing as npt

from topograph.errors import InvalidMaskError, TopologyMismatchError
from topograph.graph import BipartiteGraph
from topograph.labels import numbers, texts

Name = TypeVar("Name", bound=Hashable)


def layered_graphs(
    edges: Iterable[Sequence[Hashable]] | npt.ArrayLike, layers: Iterable[Iterable[Hashable]] | None
) -> list[BipartiteGraph]:
    """The graph between each two consecutive layers; see `topograph.Topology.from_edges`."""
    pairs = _as_names(edges)
    names = layers_of(pairs) if layers is None else [[str(name) for name in layer] for layer in layers]
    if len(names) < 2:
        raise InvalidMaskError(f"a network has at least two layers of neurons, but got {len(names)}")
    numbers([name for layer in names for name in layer], "the names of all layers")
    place = {name: number for number, layer in enumerate(names) for name in layer}
    between: list[list[tuple[str, str]]] = [[] for _ in names[1:]]
    for source, target in pairs:
        for name in (source, target):
            if name not in place:
                raise InvalidMaskError(f"no layer holds {name!r}, which the edge {source!r} → {target!r} uses")
        if place[target] != place[source] + 1:
            raise TopologyMismatchError(
                f"the edge {source!r} → {target!r} runs from layer {place[source]} of neurons to layer "
                f"{place[target]}, but edges join consecutive layers (inputs are layer 0); put a neuron for each layer "
                "that it skips, or leave the edge out"
            )
        between[place[source]].append((source, target))
    return [
        BipartiteGraph.from_edges(layer, left=left, right=right)
        for layer, (left, right) in zip(between, itertools.pairwise(names), strict=True)
    ]


def _as_names(edges: Any) -> list[tuple[str, str]]:
    rows = edges.to_numpy().tolist() if hasattr(edges, "to_numpy") else list(edges)
    pairs: list[Sequence[Hashable]] = []
    for row in rows:
        if isinstance(row, (str, bytes)) or len(row) != 2:
            raise InvalidMaskError(f"edges are pairs (source, target), but got {row!r}")
        pairs.append(row)
    if not pairs:
        raise InvalidMaskError("there are no edges to make a network from")
    sources, targets = zip(*pairs, strict=True)
    return list(zip(texts(sources, "the sources of edges"), texts(targets, "the targets of edges"), strict=True))


def layers_of(pairs: Sequence[tuple[Name, Name]]) -> list[list[Name]]:
    """Each neuron one layer behind the furthest of its sources, in the order of appearance."""
    sources: dict[Name, list[Name]] = {name: [] for pair in pairs for name in pair}
    for source, target in pairs:
        sources[target].append(source)
    depth: dict[Name, int] = {}
    try:
        for name in TopologicalSorter(sources).static_order():
            depth[name] = 1 + max((depth[source] for source in sources[name]), default=-1)
    except CycleError as error:
        cycle = " → ".join(map(str, reversed(error.args[1])))
        raise InvalidMaskError(f"the edges form a cycle, {cycle}, so they have no layers") from None
    layers: list[list[Name]] = [[] for _ in range(1 + max(depth.values()))]
    for name in sources:
        layers[depth[name]].append(name)
    return layers
