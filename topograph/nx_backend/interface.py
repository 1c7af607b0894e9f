"""The functions of the backend, each with networkx' name, arguments, results and errors.

A graph or an argument that is not for this backend raises `NotImplementedError`, as networkx asks: with a priority of
backends networkx then goes on to the next one, and in the end to itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable
from typing import Any, ParamSpec, TypeVar

import networkx as nx
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.caching import computed_once
from topograph.errors import TopographError
from topograph.nx_backend.converted import ConvertedGraph, Sides, convert_graph
from topograph.spectral.pattern import Vector

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_METHODS = ("tracemin", "tracemin_pcg", "tracemin_lu", "lanczos", "lobpcg")
_FEW = 32  # nodes below which networkx itself answers in a millisecond or two
_ZERO = 1e-9  # entries of a vector of norm 1 that have no sign

# ---------------------------------------------------------------------- what networkx asks of a backend


def convert_from_nx(
    graph: Any, *, edge_attrs: dict[Hashable, Any] | None = None, name: str | None = None, **others: Any
) -> ConvertedGraph:
    """A graph of networkx as the functions take it."""
    if graph.is_directed():
        raise NotImplementedError("the graph is directed")
    return convert_graph(graph, edge_attrs or {})


def convert_to_nx(result: Any, *, name: str | None = None) -> Any:
    """A result, which is plain Python or NumPy; a converted graph becomes one of networkx again."""
    if not isinstance(result, ConvertedGraph):
        return result
    graph: Any = nx.Graph()
    graph.add_nodes_from(result.nodes)
    upper = sp.triu(result.adjacency, format="coo")
    ends = [(result.nodes[u], result.nodes[v]) for u, v in zip(upper.row.tolist(), upper.col.tolist(), strict=True)]
    graph.add_edges_from(ends)
    for weight, values in result.weights.items():
        if values is not None:
            entries = sp.csr_array((values + 1.0, result.adjacency.indices, result.adjacency.indptr))
            numbers = sp.triu(entries, format="coo").data - 1.0  # an edge of weight 0 must not get lost
            nx.set_edge_attributes(graph, dict(zip(ends, numbers.tolist(), strict=True)), weight)
    return graph


def can_run(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool | str:
    """True, or why not, as far as it shows before the graph is converted."""
    graph = args[0] if args else kwargs.get("G")
    return "the graph is directed" if graph is not None and graph.is_directed() else True


def should_run(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool | str:
    """True, or why networkx itself is as fast."""
    graph = args[0] if args else kwargs.get("G")
    return True if graph is None or len(graph) >= _FEW else f"the graph has fewer than {_FEW} nodes"


def _ours(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """What topograph cannot reach is not implemented, as far as networkx is concerned."""

    @functools.wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except TopographError as error:
            raise NotImplementedError(str(error)) from error

    return call


def _sides_of(converted: ConvertedGraph) -> npt.NDArray[np.bool_]:
    if converted.sides is None:
        raise NotImplementedError("the graph is not bipartite")
    return converted.sides


@computed_once
def _unweighted(converted: ConvertedGraph) -> Sides:
    """The sides of a graph that has an edge."""
    return Sides.of(converted.adjacency, _sides_of(converted))


# ---------------------------------------------------------------------- spectra


def _components(matrix: sp.csr_array) -> tuple[int, npt.NDArray[Any]]:
    from scipy.sparse import csgraph

    count, labels = csgraph.connected_components(matrix, directed=False)
    return int(count), labels


def _check_method(method: str) -> None:
    if method not in _METHODS:
        raise nx.NetworkXError(f"unknown method {method!r}; the methods are {', '.join(_METHODS)}")


def _checked(G: ConvertedGraph, weight: Hashable | None) -> tuple[sp.csr_array, bool, npt.NDArray[np.bool_], bool]:
    """The weighted adjacency, whether weights differ from 1, the sides, and whether the graph is connected."""
    if len(G) < 2:
        raise nx.NetworkXError("graph has less than two nodes: it has no second eigenvalue")
    matrix, is_weighted = G.weighted_by(weight)
    return matrix, is_weighted, _sides_of(G), _components(matrix)[0] == 1


@_ours
def algebraic_connectivity(
    G: ConvertedGraph,
    weight: Hashable | None = "weight",
    normalized: bool = False,
    tol: float = 1e-8,
    method: str = "tracemin_pcg",
    seed: Any = None,
) -> float:
    """Second smallest eigenvalue of the Laplacian; see `networkx.algebraic_connectivity`."""
    from topograph.spectral import compute_spectrum

    matrix, is_weighted, is_output, is_connected = _checked(G, weight)
    if not is_connected:
        return 0.0
    if len(G) == 2:
        return 2.0 if normalized else 2.0 * float(matrix.data[0])
    _check_method(method)
    sides = Sides.of(matrix, is_output, is_weighted)
    quantity = "normalized_gap" if normalized else "algebraic_connectivity"
    tolerance = min(max(float(tol), 1e-12), 1e-3)
    spectrum = compute_spectrum(sides.graph, quantities=[quantity], tolerance=tolerance, weights=sides.weights)
    return float(spectrum[quantity].value)


@_ours
def fiedler_vector(
    G: ConvertedGraph,
    weight: Hashable | None = "weight",
    normalized: bool = False,
    tol: float = 1e-8,
    method: str = "tracemin_pcg",
    seed: Any = None,
) -> Vector:
    """Eigenvector of the second smallest eigenvalue; see `networkx.fiedler_vector`."""
    matrix, is_weighted, is_output, is_connected = _checked(G, weight)
    if not is_connected:
        raise nx.NetworkXError("graph is not connected: its second eigenvalue is 0, and its vectors show components")
    if len(G) == 2:
        return np.array([1.0, -1.0])
    _check_method(method)
    return _vector(matrix, is_weighted, is_output, normalized, tol)


def _vector(
    matrix: sp.csr_array, is_weighted: bool, is_output: npt.NDArray[np.bool_], normalized: bool, tol: float
) -> Vector:
    """The vector of a connected graph of three nodes or more, the first node that is not near 0 being negative."""
    from topograph.spectral.component import Component
    from topograph.spectral.fiedler import fiedler_vector as vector_of

    sides = Sides.of(matrix, is_output, is_weighted)
    component = Component(sides.graph, sides.weights)
    vector = sides.in_order(vector_of(component, normalized=normalized, tolerance=tol))
    first = int(np.argmax(np.abs(vector) > _ZERO))
    return -vector if vector[first] > 0 else vector


@_ours
def spectral_ordering(
    G: ConvertedGraph,
    weight: Hashable | None = "weight",
    normalized: bool = False,
    tol: float = 1e-8,
    method: str = "tracemin_pcg",
    seed: Any = None,
) -> list[Any]:
    """The nodes by their entries in the Fiedler vector of their component; see `networkx.spectral_ordering`."""
    if len(G) == 0:
        raise nx.NetworkXError("graph is empty: there is no node to order")
    _check_method(method)
    matrix, is_weighted = G.weighted_by(weight)
    is_output = _sides_of(G)
    labels = _components(matrix)[1]
    order: list[int] = []
    for label in dict.fromkeys(labels.tolist()):  # in the order of their first nodes, as networkx finds them
        members = np.flatnonzero(labels == label)
        if members.size > 2:
            part = sp.csr_array(matrix[members][:, members])
            vector = _vector(part, is_weighted, is_output[members], normalized, tol)
            members = members[np.argsort(vector, kind="stable")]
        order += members.tolist()
    return [G.nodes[number] for number in order]


@_ours
def spectral_bisection(
    G: ConvertedGraph,
    weight: Hashable | None = "weight",
    normalized: bool = False,
    tol: float = 1e-8,
    method: str = "tracemin_pcg",
    seed: Any = None,
) -> tuple[set[Any], set[Any]]:
    """The nodes with negative entries in the Fiedler vector, and the others; see `networkx.spectral_bisection`."""
    vector = fiedler_vector(G, weight, normalized, tol, method, seed)
    negative: set[Any] = set()
    other: set[Any] = set()
    for node, value in zip(G.nodes, vector.tolist(), strict=True):
        (other if value >= 0 else negative).add(node)
    return negative, other


# ---------------------------------------------------------------------- distances


@computed_once
def _distance_counts(converted: ConvertedGraph) -> npt.NDArray[np.int64]:
    """How many ordered pairs of different nodes lie at each distance from 0 on; unreachable pairs are not counted."""
    from topograph.metrics.paths import count_distances

    if not converted.adjacency.nnz:
        return np.zeros(1, dtype=np.int64)
    return count_distances(_unweighted(converted).graph)


def _check_unweighted(weight: Any) -> None:
    if weight is not None:
        raise NotImplementedError("distances are computed without weights")


@_ours
def average_shortest_path_length(G: ConvertedGraph, weight: Any = None, method: str | None = None) -> float:
    """Mean distance of two nodes; see `networkx.average_shortest_path_length`."""
    _check_unweighted(weight)
    if method not in (None, "unweighted"):
        raise NotImplementedError(f"the method {method!r} is networkx' own")
    n = len(G)
    if n == 0:
        raise nx.NetworkXPointlessConcept("the null graph has no paths, thus there is no average shortest path length")
    if n == 1:
        return 0
    counts = _connected_counts(G)
    return int(counts @ np.arange(counts.size)) / (n * (n - 1))


def _connected_counts(G: ConvertedGraph) -> npt.NDArray[np.int64]:
    if _components(G.adjacency)[0] > 1:
        raise nx.NetworkXError("Graph is not connected: some distances are infinite.")
    return _distance_counts(G)


@_ours
def diameter(G: ConvertedGraph, e: Any = None, usebounds: bool = False, weight: Any = None) -> int:
    """Longest distance of two nodes; see `networkx.diameter`."""
    _check_unweighted(weight)
    if e is not None or len(G) < 2:
        raise NotImplementedError("the eccentricities are given, or the graph has fewer than two nodes")
    return int(_connected_counts(G).size - 1)


@_ours
def wiener_index(G: ConvertedGraph, weight: Any = None) -> float:
    """Sum of the distances of all pairs of nodes; see `networkx.wiener_index`."""
    _check_unweighted(weight)
    if len(G) == 0:
        raise nx.NetworkXPointlessConcept("Connectivity is undefined for the null graph.")
    if _components(G.adjacency)[0] > 1:
        return float("inf")
    counts = _distance_counts(G)
    return int(counts @ np.arange(counts.size)) / 2


@_ours
def global_efficiency(G: ConvertedGraph) -> float:
    """Mean of the inverse distance of two nodes; see `networkx.global_efficiency`."""
    n = len(G)
    if n < 2:
        return 0
    counts = _distance_counts(G)[1:]
    return float((counts / np.arange(1, counts.size + 1)).sum()) / (n * (n - 1))


# ---------------------------------------------------------------------- clustering


def _without_loops(converted: ConvertedGraph) -> None:
    if converted.has_loops:
        raise NotImplementedError("the graph has self-loops, so it is not bipartite")


@_ours
def robins_alexander_clustering(G: ConvertedGraph) -> float:
    """Four times the 4-cycles over the paths of three edges; see `networkx.bipartite.robins_alexander_clustering`."""
    from topograph.metrics.motifs import robins_alexander

    _without_loops(G)
    if not G.adjacency.nnz:
        return 0
    value = robins_alexander(_unweighted(G).graph)
    return 0 if value.reason is not None else float(value.value)


@_ours
def latapy_clustering(G: ConvertedGraph, nodes: Iterable[Any] | None = None, mode: str = "dot") -> dict[Any, float]:
    """Mean overlap of each node with those two steps away; see `networkx.bipartite.latapy_clustering`."""
    from topograph.metrics.motifs import mean_overlaps

    if G.has_loops or G.sides is None:
        raise nx.NetworkXError("Graph is not bipartite")
    if mode not in ("dot", "min", "max"):
        raise nx.NetworkXError(f"unknown mode {mode!r}; the modes of bipartite clustering are dot, min and max")
    if mode != "dot":
        raise NotImplementedError(f"the mode {mode!r} is networkx' own")
    values = np.zeros(len(G))
    if G.adjacency.nnz:
        sides = _unweighted(G)
        values = sides.in_order(mean_overlaps(sides.graph))
    table = dict(zip(G.nodes, values.tolist(), strict=True))
    return table if nodes is None else {node: table[node] for node in nodes}


@_ours
def bipartite_average_clustering(G: ConvertedGraph, nodes: Any = None, mode: str = "dot") -> float:
    """Mean of `latapy_clustering` over nodes; see `networkx.bipartite.average_clustering`."""
    chosen = G.nodes if nodes is None else nodes
    values = latapy_clustering(G, chosen, mode)
    return sum(values[node] for node in chosen) / len(chosen)
