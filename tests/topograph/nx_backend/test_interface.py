"""The backend of networkx against networkx itself, LAPACK and formulas."""

from __future__ import annotations

import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
import scipy.linalg

import topograph as tg
from topograph.nx_backend import interface
from topograph.nx_backend.converted import convert_graph, two_sides
from topograph.nx_backend.info import FUNCTIONS, get_info

SPECTRAL = ("algebraic_connectivity", "fiedler_vector", "spectral_ordering", "spectral_bisection")


def weighted(graph: nx.Graph, seed: int = 0) -> nx.Graph:
    rng = np.random.default_rng(seed)
    for u, v in graph.edges:
        graph[u][v]["weight"] = float(rng.normal()) + 0.1
    return graph


def random_graph(n: int = 40, m: int = 30, density: float = 0.15, seed: int = 0) -> nx.Graph:
    return tg.construct("erdos_renyi", n, m, density=density, seed=seed).to_networkx()


GRAPHS = {
    "random": random_graph(),
    "large": random_graph(300, 200, 0.03),
    "wide": random_graph(30, 400, 0.2),
    "weighted": weighted(random_graph(300, 200, 0.05)),
    "path": nx.path_graph(700),
    "cycle": nx.cycle_graph(400),
    "star": nx.star_graph(350),
    "complete": nx.complete_bipartite_graph(200, 150),
    "grid": nx.grid_2d_graph(20, 20),
    "names": nx.relabel_nodes(random_graph(), {0: "a", 1: ("a", "tuple"), 2: frozenset({2})}),
    "multi": nx.MultiGraph([(0, 1), (0, 1), (1, 2), (2, 3), (3, 0), (3, 4), (4, 4)]),
}


def absolute(graph: nx.Graph) -> nx.Graph:
    """What networkx makes of weights: parallel edges summed, absolute values, no self-loops."""
    result = nx.Graph()
    result.add_nodes_from(graph)
    for u, v, weight in graph.edges(data="weight", default=1):
        if u != v:
            before = result[u][v]["weight"] if result.has_edge(u, v) else 0
            result.add_edge(u, v, weight=before + abs(weight))
    return result


def laplacian(graph: nx.Graph, normalized: bool) -> np.ndarray:
    matrix = nx.to_numpy_array(absolute(graph), nodelist=list(graph))
    degrees = matrix.sum(axis=0)
    result = np.diag(degrees) - matrix
    return result / np.sqrt(np.outer(degrees, degrees)) if normalized else result


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("name", GRAPHS)
def test_the_second_eigenvalue_and_its_vector_are_those_of_lapack(name, normalized):
    graph = GRAPHS[name].subgraph(max(nx.connected_components(GRAPHS[name]), key=len)).copy()
    matrix = laplacian(graph, normalized)
    expected = scipy.linalg.eigvalsh(matrix, subset_by_index=[1, 1])[0]
    value = nx.algebraic_connectivity(graph, normalized=normalized, backend="topograph")
    assert value == pytest.approx(expected, rel=1e-7, abs=1e-12)
    assert type(value) is float
    interface_graph = interface.convert_from_nx(graph, edge_attrs={"weight": 1})
    vector = interface.fiedler_vector(interface_graph, normalized=normalized)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert np.abs(matrix @ vector - expected * vector).sum() <= 1e-7 * np.abs(matrix).sum(axis=0).max()
    assert vector[np.abs(vector) > 1e-9][0] < 0


def test_a_weight_of_zero_is_not_an_edge_and_another_attribute_is_another_graph():
    graph = nx.Graph()
    graph.add_edge("a", "b", weight=0, cost=-2)
    graph.add_edge("b", "c", cost=3)
    assert nx.algebraic_connectivity(graph, backend="topograph") == 0
    with pytest.raises(nx.NetworkXError, match="not connected"):
        nx.fiedler_vector(graph.copy(), backend="topograph")
    expected = np.linalg.eigvalsh([[2, -2, 0], [-2, 5, -3], [0, -3, 3]])[1]
    assert nx.algebraic_connectivity(graph.copy(), weight="cost", backend="topograph") == pytest.approx(expected)
    assert nx.algebraic_connectivity(graph.copy(), weight=None, backend="topograph") == pytest.approx(1)


def test_a_disconnected_graph_has_connectivity_exactly_zero():
    graph = nx.disjoint_union(nx.complete_bipartite_graph(3, 4), nx.path_graph(4))
    assert nx.algebraic_connectivity(graph, backend="topograph") == 0.0


@pytest.mark.parametrize("name", SPECTRAL[:2])
def test_too_few_nodes_and_unknown_methods_are_networkx_errors(name):
    function = getattr(nx, name)
    with pytest.raises(nx.NetworkXError, match="less than two nodes"):
        function(nx.empty_graph(1), backend="topograph")
    with pytest.raises(nx.NetworkXError, match="unknown method 'magic'"):
        function(nx.path_graph(4), method="magic", backend="topograph")
    with pytest.raises(nx.NetworkXNotImplemented):
        function(nx.DiGraph([(0, 1)]), backend="topograph")


@pytest.mark.parametrize(
    "graph", [nx.complete_graph(5), nx.Graph([(0, 1), (1, 2), (2, 0), (3, 4)])], ids=["complete", "with a triangle"]
)
@pytest.mark.parametrize("name", ["algebraic_connectivity", "global_efficiency"])
def test_a_graph_that_is_not_bipartite_is_networkx_own(name, graph):
    function = getattr(nx, name)
    with pytest.raises(NotImplementedError) as caught:
        function(graph.copy(), backend="topograph")
    assert "not bipartite" in f"{caught.value} {caught.value.__cause__}"
    with nx.config.backend_priority(algos=["topograph"]):
        assert function(graph.copy()) == pytest.approx(function(graph.copy()))


@pytest.mark.parametrize("weight", ["heavy", float("nan"), float("inf"), None])
def test_weights_that_are_not_finite_numbers_are_left_to_networkx(weight):
    graph = nx.path_graph(4)
    graph[0][1]["weight"] = weight
    with pytest.raises(NotImplementedError) as caught:
        nx.algebraic_connectivity(graph, backend="topograph")
    assert "finite numbers" in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("name", ["random", "names", "path", "star", "grid", "multi"])
def test_distances_and_clustering_are_those_of_networkx(name):
    graph = GRAPHS[name].subgraph(max(nx.connected_components(GRAPHS[name]), key=len)).copy()
    functions = [
        nx.average_shortest_path_length,
        nx.diameter,
        nx.wiener_index,
        nx.global_efficiency,
        nx.bipartite.robins_alexander_clustering,
        nx.bipartite.latapy_clustering,
        nx.bipartite.average_clustering,
    ]
    if name == "multi":  # its self-loop is not bipartite
        functions = functions[:4]
    for function in functions:
        ours, theirs = function(graph.copy(), backend="topograph"), function(graph)
        assert ours == pytest.approx(theirs, rel=1e-12), function
        assert type(ours) is type(theirs) or (type(ours), type(theirs)) in {(float, int), (int, float)}


def test_disconnected_graphs_have_networkx_answers():
    graph = nx.disjoint_union(nx.complete_bipartite_graph(3, 4), nx.path_graph(4))
    graph.add_node("alone")
    assert nx.wiener_index(graph, backend="topograph") == float("inf")
    assert nx.global_efficiency(graph.copy(), backend="topograph") == pytest.approx(nx.global_efficiency(graph))
    for function in (nx.average_shortest_path_length, nx.diameter):
        with pytest.raises(nx.NetworkXError, match="not connected"):
            function(graph.copy(), backend="topograph")


def test_graphs_without_an_edge_have_networkx_answers():
    for graph in (nx.empty_graph(0), nx.empty_graph(1), nx.empty_graph(3)):
        for function in (nx.global_efficiency, nx.bipartite.robins_alexander_clustering):
            assert function(graph.copy(), backend="topograph") == function(graph)
    assert nx.average_shortest_path_length(nx.empty_graph(1), backend="topograph") == 0
    for function in (nx.average_shortest_path_length, nx.wiener_index):
        with pytest.raises(nx.NetworkXPointlessConcept):
            function(nx.empty_graph(0), backend="topograph")
    assert nx.bipartite.latapy_clustering(nx.empty_graph(2), backend="topograph") == {0: 0.0, 1: 0.0}


def test_clustering_of_a_graph_that_is_not_bipartite_is_an_error_of_networkx():
    for function in (nx.bipartite.latapy_clustering, nx.bipartite.average_clustering):
        with pytest.raises(nx.NetworkXError, match="not bipartite"):
            function(nx.complete_graph(3), backend="topograph")
        with pytest.raises(nx.NetworkXError, match="mode"):
            function(nx.path_graph(3), mode="mean", backend="topograph")


def test_the_ordering_goes_component_by_component():
    graph = nx.Graph()
    nx.add_path(graph, "abcdef")
    nx.add_path(graph, range(4))
    graph.add_edge("x", "y")
    order = nx.spectral_ordering(graph, backend="topograph")
    assert order == ["a", "b", "c", "d", "e", "f", 0, 1, 2, 3, "x", "y"]


def test_the_bisection_cuts_at_the_one_edge_between_two_halves():
    graph = nx.disjoint_union(nx.complete_bipartite_graph(4, 4), nx.complete_bipartite_graph(4, 4))
    graph.add_edge(0, 12)
    assert nx.spectral_bisection(graph, backend="topograph") == (set(range(8)), set(range(8, 16)))


def test_a_small_graph_is_not_worth_converting_and_a_directed_one_cannot_be():
    small, large = nx.path_graph(5), nx.path_graph(500)
    assert "fewer than" in interface.should_run("diameter", (small,), {})
    assert interface.should_run("diameter", (), {"G": large}) is True
    assert interface.can_run("diameter", (nx.DiGraph(),), {}) == "the graph is directed"
    with pytest.raises(NotImplementedError):
        interface.convert_from_nx(nx.DiGraph([(0, 1)]))


def test_a_converted_graph_runs_without_networkx_graphs_and_comes_back():
    graph = weighted(random_graph())
    graph[next(iter(graph.edges))[0]][next(iter(graph.edges))[1]]["weight"] = 0.0
    converted = interface.convert_from_nx(graph, edge_attrs={"weight": 1})
    assert nx.algebraic_connectivity(converted) == pytest.approx(nx.algebraic_connectivity(graph), rel=1e-6)
    back = interface.convert_to_nx(converted)
    assert list(back) == list(graph)
    assert {frozenset(edge) for edge in back.edges} == {frozenset(edge) for edge in graph.edges}
    for u, v, weight in graph.edges(data="weight"):
        assert back[u][v]["weight"] == pytest.approx(abs(weight))
    assert interface.convert_to_nx(3.5) == 3.5


def test_sides_are_found_where_there_are_any():
    for name, graph in GRAPHS.items():
        converted = convert_graph(graph, {})
        sides = converted.sides
        entries = converted.adjacency.tocoo()
        assert (sides[entries.row] != sides[entries.col]).all(), name
    for graph in (nx.cycle_graph(7), nx.petersen_graph()):
        assert two_sides(convert_graph(graph, {}).adjacency) is None


def test_every_function_that_networkx_is_told_about_exists_there_and_here():
    registered = nx.utils.backends._registered_algorithms
    for name in FUNCTIONS:
        assert name in registered
        assert callable(getattr(interface, name))
    assert nx.utils.backends.backend_info["topograph"] == get_info()


def test_importing_networkx_imports_nothing_heavy_of_ours():
    code = (
        "import sys, networkx; "
        "assert 'topograph.nx_backend.info' in sys.modules, 'not registered'; "
        "print([name for name in ('numba', 'pandas', 'scipy', 'numpy', 'igraph') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
