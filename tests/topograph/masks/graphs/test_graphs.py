"""Graphs of networkx and igraph, and their files, measured as they are."""

import igraph
import networkx as nx
import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError

MASK = np.random.default_rng(5).random((7, 5)) < 0.5
GRAPH = tg.BipartiteGraph.from_mask(MASK).labelled([f"in {i}" for i in range(7)], [f"out {j}" for j in range(5)])
PATHWAY = [("TP53", "death"), ("EGFR", "growth"), ("EGFR", "death"), ("death", "y"), ("growth", "y")]


def named():
    """The graph as others build it: nodes are names."""
    graph = nx.Graph()
    graph.add_nodes_from(GRAPH.left_labels, bipartite=0)
    graph.add_nodes_from(GRAPH.right_labels, bipartite=1)
    graph.add_edges_from(GRAPH.edge_table().to_numpy().tolist())
    return graph


def write_pajek(path):
    lines = [f"*Vertices {GRAPH.n_nodes} {GRAPH.n_left}"]
    lines += [f'{i} "{name}"' for i, name in enumerate((*GRAPH.left_labels, *GRAPH.right_labels), start=1)]
    lines += ["*Edges", *(f"{i + 1} {j + 1 + GRAPH.n_left}" for i, j in GRAPH.edges())]
    path.write_text("\n".join(lines))
    return path


SOURCES = {
    "networkx": lambda folder: GRAPH.to_networkx(),
    "names": lambda folder: named(),
    "multigraph": lambda folder: nx.MultiGraph(named()),
    "igraph": lambda folder: GRAPH.to_igraph(),
    "graphml": lambda folder: nx.write_graphml(GRAPH.to_networkx(), folder / "g.graphml") or folder / "g.graphml",
    "graphml of names": lambda folder: nx.write_graphml(named(), folder / "g.graphml") or folder / "g.graphml",
    "igraph's graphml": lambda folder: (
        GRAPH.to_igraph().write_graphml(str(folder / "g.graphml")) or folder / "g.graphml"
    ),
    "gexf": lambda folder: nx.write_gexf(named(), folder / "g.gexf") or folder / "g.gexf",
    "pajek": lambda folder: write_pajek(folder / "g.net"),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.filterwarnings("ignore:.*Could not add vertex ids:RuntimeWarning")
def test_the_same_graph_with_its_names(tmp_path, name):
    (graph,) = tg.load(SOURCES[name](tmp_path)).values()
    assert graph == GRAPH
    assert (graph.left_labels, graph.right_labels) == (GRAPH.left_labels, GRAPH.right_labels)


@pytest.mark.parametrize("name", ["names", "igraph", "gexf", "pajek"])
def test_measured_like_the_mask(tmp_path, name):
    table = tg.measure(SOURCES[name](tmp_path), ["sizes", "algebraic_connectivity"])
    assert table.iloc[0, :5].tolist() == tg.measure(MASK, ["sizes", "algebraic_connectivity"]).iloc[0, :5].tolist()


def test_numbers_come_back_without_names(tmp_path):
    plain = GRAPH.labelled()
    nx.write_graphml(plain.to_networkx(), tmp_path / "g.graphml")
    for source in (plain.to_networkx(), plain.to_igraph(), tmp_path / "g.graphml"):
        (graph,) = tg.load(source).values()
        assert graph == plain
        assert graph.left_labels is None


def test_weights_of_edges_are_weights(tmp_path):
    graph = named()
    weights = {edge: 0.1 * (n + 1) for n, edge in enumerate(graph.edges())}
    nx.set_edge_attributes(graph, weights, "weight")
    nx.write_gexf(graph, tmp_path / "g.gexf")
    matrix = nx.bipartite.biadjacency_matrix(graph, GRAPH.left_labels, GRAPH.right_labels)
    expected = tg.measure(matrix, "weighted").iloc[0, :4].tolist()
    for source in (graph, tmp_path / "g.gexf"):
        assert tg.measure(source, "weighted").iloc[0, :4].tolist() == pytest.approx(expected)
    assert next(iter(tg.load(graph, threshold=1.0).values())).n_edges == (matrix.data > 1).sum()


@pytest.mark.parametrize("kind", ["networkx", "igraph", "graphml", "pajek"])
def test_a_directed_graph_is_a_network_of_layers(tmp_path, kind):
    graph = nx.DiGraph(PATHWAY)
    source = graph
    if kind == "igraph":
        source = igraph.Graph.TupleList(PATHWAY, directed=True)
    elif kind == "graphml":
        nx.write_graphml(graph, tmp_path / "p.graphml")
        source = tmp_path / "p.graphml"
    elif kind == "pajek":
        names = list(graph)
        lines = ["*Vertices 5", *(f'{i} "{n}"' for i, n in enumerate(names, 1)), "*Arcs"]
        lines += [f"{names.index(a) + 1} {names.index(b) + 1}" for a, b in PATHWAY]
        source = tmp_path / "p.net"
        source.write_text("\n".join(lines))
    masks = tg.load(source)
    assert masks.to_topology() == tg.Topology.from_edges(PATHWAY)
    assert masks["l1"].left_labels == ("TP53", "EGFR")
    assert tg.measure(source, "n_edges").index.tolist() == ["l1", "l2", "network"]


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        (nx.Graph([("a", "x")]), "no attribute bipartite"),
        (nx.MultiGraph([("a", "x"), ("a", "x")]), "parallel edges"),
        (nx.DiGraph([("a", "b"), ("b", "c"), ("a", "c")]), "skips a layer"),
        (nx.DiGraph([("a", "b"), ("b", "a")]), "cycle"),
    ],
)
def test_graphs_without_layers_are_refused(graph, says):
    with pytest.raises(InvalidMaskError, match=says):
        tg.measure(graph)


def test_a_node_alone_is_in_no_layer():
    graph = nx.DiGraph([("a", "b")])
    graph.add_node("c")
    with pytest.raises(InvalidMaskError, match="1 nodes have no edge and no attribute bipartite, first 'c'"):
        tg.measure(graph)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("g.graphml", "<!DOCTYPE a [<!ENTITY b 'c'>]><graphml/>", "declares a document type"),
        ("g.graphml", "<graphml>", "not well-formed XML"),
        ("g.gexf", "nothing", "not well-formed XML"),
        ("g.net", "*Edges\n1 2\n", r"\*edges before \*Vertices"),
        ("g.net", "*Vertices 2\n*Edges\n1 3\n", "names the vertex '3', but they are numbered 1 to 2"),
        ("g.net", "*Vertices many\n", "must say how many"),
        ("g.net", "*Vertices 2\n*Matrix\n0 1\n", r"a section \*matrix"),
        ("g.net", "*Vertices 999999999\n", "nodes on a side"),
    ],
)
def test_broken_files_are_refused_and_named(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidMaskError, match=says) as caught:
        tg.load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
