"""`Components`: the connected pieces of the whole network. The largest is found by sweeps, the rest is written out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.caching import computed_once
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.operators import Flags


@dataclass(frozen=True)
class Components:
    """Number of components, isolated units among them; and the one with the most edges, of equals the larger.

    Parameters
    ----------
    count
        Number of components.
    with_edges
        Number of those that have an edge.
    giant
        Units of the one with the most edges.
    most_units
        Number of units of the one with the most units.
    """

    count: int
    with_edges: int
    giant: Flags
    most_units: int


@computed_once
def components(network: NetworkGraph) -> Components:
    """Components of the undirected graph."""
    degrees = network.degrees
    has_edges = degrees > 0
    isolated = network.n_units - int(np.count_nonzero(has_edges))
    if not has_edges.any():
        return Components(isolated, 0, has_edges, 1)
    first = _piece_of(network, int(np.argmax(degrees)))
    rest = has_edges & ~first
    labels, pieces = _written_out(network, rest)
    giant, most = first, int(np.count_nonzero(first))
    if pieces:
        edges = np.bincount(labels, weights=degrees[rest], minlength=pieces)
        sizes = np.bincount(labels, minlength=pieces)
        most = max(most, int(sizes.max()))
        best = int(np.lexsort((-sizes, -edges))[0])
        if (edges[best], sizes[best]) > (float(degrees[first].sum()), int(np.count_nonzero(first))):
            giant = np.zeros_like(first)
            giant[np.flatnonzero(rest)[labels == best]] = True
    return Components(isolated + 1 + pieces, 1 + pieces, giant, most)


def _piece_of(network: NetworkGraph, unit: int) -> Flags:
    """The component of a unit: sweeps in both directions until nothing is added."""
    x = network.zeros()
    x[unit] = 1.0
    size = 0
    while int(np.count_nonzero(x)) > size:
        size = int(np.count_nonzero(x))
        network.sweep_forward(x)
        network.sweep_backward(x)
    return np.asarray(x > 0)


def _written_out(network: NetworkGraph, chosen: Flags) -> tuple[npt.NDArray[np.int32], int]:
    """Component of each chosen unit, and their number; the chosen units have no edges to others."""
    if not chosen.any():
        return np.zeros(0, dtype=np.int32), 0
    begins, ends = network.edges(chosen.copy())
    places = np.cumsum(chosen) - 1
    size = int(np.count_nonzero(chosen))
    matrix = sp.coo_array((np.ones(begins.size, dtype=bool), (places[begins], places[ends])), shape=(size, size))
    count, labels = sp.csgraph.connected_components(matrix, directed=False)
    return labels, int(count)
