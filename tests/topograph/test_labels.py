"""Names of neurons, through every door."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, TopologyMismatchError

GENES = ("TP53", "EGFR", "MYC")
PATHWAYS = ("apoptosis", "growth")
EDGES = [("EGFR", "growth"), ("TP53", "apoptosis"), ("EGFR", "apoptosis")]
GRAPH = tg.BipartiteGraph.from_edges(EDGES, left=GENES, right=PATHWAYS)


def labels(graph):
    return graph.left_labels, graph.right_labels


def same(graph):
    return graph == GRAPH and labels(graph) == labels(GRAPH)


def test_edges_of_names_are_numbered_as_the_sides_say():
    assert GRAPH.to_mask().astype(int).tolist() == [[1, 0], [1, 1], [0, 0]]  # MYC has no edge
    assert labels(GRAPH) == (GENES, PATHWAYS)


def test_without_sides_names_are_numbered_as_they_appear():
    graph = tg.BipartiteGraph.from_edges(EDGES)
    assert labels(graph) == (("EGFR", "TP53"), ("growth", "apoptosis"))
    assert graph.to_mask().astype(int).tolist() == [[1, 1], [0, 1]]


def test_one_name_may_stand_on_both_sides():
    graph = tg.BipartiteGraph.from_edges([("a", "a"), ("b", "a")])
    assert labels(graph) == (("a", "b"), ("a",))


@pytest.mark.parametrize(
    "through",
    [
        lambda g: tg.BipartiteGraph.from_networkx(g.to_networkx()),
        lambda g: tg.BipartiteGraph.from_igraph(g.to_igraph()),
        lambda g: tg.BipartiteGraph.from_mask(g.to_frame()),
        lambda g: tg.BipartiteGraph.from_edges(g.edge_table(), left=g.left_labels, right=g.right_labels),
        lambda g: tg.BipartiteGraph.from_edges(g.edge_table().to_numpy().tolist(), left=GENES, right=PATHWAYS),
        lambda g: g.transpose().transpose(),
        lambda g: g.subgraph(np.ones(3, bool), np.arange(2)),
        lambda g: tg.design.rewire(g, swaps=0),
        lambda g: __import__("pickle").loads(__import__("pickle").dumps(g)),
    ],
    ids=["networkx", "igraph", "frame", "edge table", "edge list", "transpose", "subgraph", "rewire", "pickle"],
)
def test_labels_are_kept_through(through):
    assert same(through(GRAPH))


def test_labels_are_kept_in_files(tmp_path):
    topology = tg.Topology([GRAPH, tg.BipartiteGraph.from_edges([("apoptosis", "y"), ("growth", "y")])])
    topology.save(tmp_path / "t.npz")
    masks = tg.load(tmp_path / "t.npz")
    for graphs in (tg.Topology.load(tmp_path / "t.npz"), masks.to_topology(), tg.load(tmp_path / "t.npz").values()):
        first, second = graphs
        assert same(first)
        assert labels(second) == (PATHWAYS, ("y",))
    tg.MaskSet({"genes": GRAPH, "plain": GRAPH.labelled()}).save(tmp_path / "m.npz")
    again = tg.load(tmp_path / "m.npz")
    assert same(again["genes"])
    assert labels(again["plain"]) == (None, None)


def test_networkx_nodes_are_names_unless_they_are_mere_numbers():
    graph = nx.Graph()
    graph.add_nodes_from(GENES, bipartite=0)
    graph.add_nodes_from(PATHWAYS, bipartite=1)
    graph.add_edges_from(EDGES)
    assert same(tg.BipartiteGraph.from_networkx(graph))
    plain = GRAPH.labelled()
    assert labels(tg.BipartiteGraph.from_networkx(plain.to_networkx())) == (None, None)


def test_labels_are_not_what_a_graph_is():
    assert GRAPH.labelled() == GRAPH
    assert GRAPH.content_hash == GRAPH.labelled().content_hash
    pd.testing.assert_frame_equal(tg.measure(GRAPH), tg.measure(GRAPH.labelled()))


def test_a_part_keeps_the_names_of_its_neurons():
    assert GRAPH.giant_component().left_labels == ("TP53", "EGFR")
    assert GRAPH.subgraph([1], [0, 1]).left_labels == ("EGFR",)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: GRAPH.labelled(["a", "b"]), "one name for each of 3 neurons, but got 2"),
        (lambda: GRAPH.labelled(["a", "b", "a"]), "'a' stands there twice"),
        (
            lambda: tg.BipartiteGraph.from_edges(EDGES, left=GENES[:1]),
            "left lacks 1 names that edges use, first 'EGFR'",
        ),
        (lambda: tg.BipartiteGraph.from_edges(EDGES, 3, 2), "take their sizes from left= and right="),
        (lambda: tg.BipartiteGraph.from_edges([("a", "x"), ("a", "x")]), "given twice"),
        (lambda: tg.BipartiteGraph.from_edges([("a", "x"), ("a", "x", "z")]), "all of two entries"),
        (lambda: tg.BipartiteGraph.from_edges([(0.5, 1.5)]), "whole numbers or of names"),
    ],
)
def test_labels_that_do_not_fit_are_refused(make, says):
    with pytest.raises(InvalidMaskError, match=says):
        make()


# ---------------------------------------------------------------------- whole networks of names

PATHWAY = [
    ("TP53", "apoptosis"),
    ("EGFR", "growth"),
    ("EGFR", "apoptosis"),
    ("apoptosis", "death"),
    ("growth", "death"),
    ("growth", "division"),
]


def test_a_network_of_names_finds_its_layers():
    topology = tg.Topology.from_edges(PATHWAY)
    assert topology.sizes == (2, 2, 2)
    assert labels(topology[0]) == (("TP53", "EGFR"), ("apoptosis", "growth"))
    assert labels(topology[1]) == (("apoptosis", "growth"), ("death", "division"))
    assert topology[1].to_mask().astype(int).tolist() == [[1, 0], [1, 1]]


def test_layers_may_be_said_and_hold_neurons_without_an_edge():
    layers = [["MYC", "EGFR", "TP53"], ["growth", "apoptosis"], ["division", "death"]]
    topology = tg.Topology.from_edges(pd.DataFrame(PATHWAY), layers)
    assert topology.sizes == (3, 2, 2)
    assert topology[0].left_degrees.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("edges", "layers", "error", "says"),
    [
        (
            [*PATHWAY, ("TP53", "death")],
            None,
            TopologyMismatchError,
            "'TP53' → 'death' runs from layer 0 .* to layer 2",
        ),
        ([("a", "b"), ("b", "a")], None, InvalidMaskError, "form a cycle"),
        ([("a", "b")], [["a"], ["c"]], InvalidMaskError, "no layer holds 'b'"),
        ([("a", "b")], [["a"], ["a", "b"]], InvalidMaskError, "'a' stands there twice"),
        ([], None, InvalidMaskError, "no edges"),
        (["ab"], None, InvalidMaskError, "but got 'ab'"),
    ],
)
def test_edges_without_layers_are_refused(edges, layers, error, says):
    with pytest.raises(error, match=says):
        tg.Topology.from_edges(edges, layers)


def test_layers_whose_names_do_not_meet_are_refused():
    with pytest.raises(TopologyMismatchError, match="'apoptosis' meets 'growth'"):
        tg.Topology([GRAPH, tg.BipartiteGraph.from_edges([("growth", "y"), ("apoptosis", "y")])])
    tg.Topology([GRAPH, tg.BipartiteGraph.from_edges([("growth", "y"), ("apoptosis", "y")]).labelled()])


def test_igraphs_sides_are_read_from_networkx_too():
    graph = nx.Graph([("a", "x"), ("b", "x")])
    nx.set_node_attributes(graph, {"a": False, "b": False, "x": True}, "type")
    assert labels(tg.BipartiteGraph.from_networkx(graph)) == (("a", "b"), ("x",))


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_missing_name_is_not_a_neuron(missing):
    pairs = [("TP53", "growth"), (missing, "growth")]
    frame = pd.DataFrame({"gene": ["TP53", missing], "pathway": ["growth", "growth"]}, dtype=object)
    for edges in (pairs, frame):
        with pytest.raises(InvalidMaskError, match=r"left ends of edges must be names, but number \d+ is missing"):
            tg.BipartiteGraph.from_edges(edges)
        with pytest.raises(InvalidMaskError, match=r"sources of edges must be names, but number \d+ is missing"):
            tg.Topology.from_edges(edges)
    with pytest.raises(InvalidMaskError, match="the index must be names"):
        tg.BipartiteGraph.from_mask(pd.DataFrame(np.eye(2), index=["TP53", missing]))


def test_a_table_is_loaded_with_its_names():
    frame = GRAPH.to_frame()
    assert same(tg.load(frame)["graph"])
    assert same(tg.load({"genes": frame})["genes"])


def test_names_of_a_table_that_repeat_are_told():
    masks = tg.load({"genes": pd.DataFrame(np.eye(3), index=["TP53", "TP53", "MYC"])})
    assert labels(masks["genes"]) == (None, None)
    assert masks.read_as["genes"] == "without names: the index must all be different, but 'TP53' stands there twice"
