from __future__ import annotations

import pickle

import igraph
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import topograph as tg
from topograph import BipartiteGraph
from topograph.errors import InvalidMaskError, TopographError

MASKS = npst.arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8)))


@given(MASKS)
def test_every_door_leads_to_the_same_graph(mask):
    graph = BipartiteGraph.from_mask(mask)
    doors = [
        BipartiteGraph.from_mask(mask.astype(float) * -0.5),
        BipartiteGraph.from_mask(mask.tolist()),
        BipartiteGraph.from_mask(pd.DataFrame(mask)),
        *(BipartiteGraph.from_mask(getattr(sp, f"{kind}_array")(mask)) for kind in ("csr", "csc", "coo", "lil", "bsr")),
        BipartiteGraph.from_mask(sp.csr_matrix(mask)),
        BipartiteGraph.from_edges(np.argwhere(mask)[::-1], *mask.shape),
        BipartiteGraph.from_networkx(graph.to_networkx()),
        BipartiteGraph.from_igraph(graph.to_igraph()),
        graph.transpose().T,
        pickle.loads(pickle.dumps(graph)),
    ]
    for other in doors:
        assert other == graph
        assert other.content_hash == graph.content_hash
        assert hash(other) == hash(graph)
    assert (graph.to_mask() == mask).all()
    assert (graph.biadjacency.toarray() == mask).all()


@given(MASKS)
def test_degrees_and_density(mask):
    graph = BipartiteGraph.from_mask(mask)
    assert graph.left_degrees.tolist() == mask.sum(axis=1).tolist()
    assert graph.right_degrees.tolist() == mask.sum(axis=0).tolist()
    assert graph.n_edges == mask.sum()
    assert graph.density == pytest.approx(mask.mean())


@given(MASKS)
def test_components_match_networkx(mask):
    graph = BipartiteGraph.from_mask(mask)
    expected = list(nx.connected_components(graph.to_networkx()))
    assert graph.n_components == len(expected)
    assert graph.is_connected == (len(expected) == 1)
    found = {frozenset(np.flatnonzero(graph.component_labels == c).tolist()) for c in range(graph.n_components)}
    assert found == {frozenset(nodes) for nodes in expected}
    if graph.n_edges:
        giant = graph.giant_component()
        assert giant.is_connected
        assert giant.n_edges == max(graph.to_networkx().subgraph(nodes).number_of_edges() for nodes in expected)


def test_edges_are_sorted_and_match_igraph():
    graph = BipartiteGraph.from_edges([(1, 0), (0, 2), (0, 1)], 2, 3)
    assert graph.edges().tolist() == [[0, 1], [0, 2], [1, 0]]
    other = graph.to_igraph()
    assert isinstance(other, igraph.Graph)
    assert other.is_bipartite()
    assert other.ecount() == 3


def test_networkx_with_named_nodes_and_given_side():
    other = nx.Graph([("a", "x"), ("a", "y"), ("b", "y")])
    graph = BipartiteGraph.from_networkx(other, left=["b", "a"])
    assert graph.to_mask().astype(int).tolist() == [[0, 1], [1, 1]]


def test_equality_is_about_content_and_shape():
    graph = BipartiteGraph.from_mask(np.eye(3))
    assert graph != BipartiteGraph.from_mask(np.eye(3, 4))
    assert graph != "graph"
    assert graph == BipartiteGraph.from_mask(2.5 * np.eye(3))
    assert len({graph, BipartiteGraph.from_mask(np.eye(3))}) == 1


def test_frozen_and_apart_from_the_callers_arrays():
    mask = sp.csr_array(np.array([[1.0, 0.0], [2.0, 3.0]]))
    graph = BipartiteGraph.from_mask(mask)
    mask.indices[:] = 0
    assert graph.to_mask().astype(int).tolist() == [[1, 0], [1, 1]]
    with pytest.raises(ValueError, match="read-only"):
        graph.indices[0] = 1
    with pytest.raises(AttributeError):
        graph.n_left = 5
    copy = pickle.loads(pickle.dumps(graph))
    with pytest.raises(ValueError, match="read-only"):
        copy.indices[0] = 1


def test_sparse_masks_are_not_changed_at_the_door():
    coo = sp.coo_array((np.array([1.0, 1.0, 0.0]), (np.array([0, 0, 1]), np.array([1, 1, 0]))), shape=(2, 2))
    before = coo.nnz
    graph = BipartiteGraph.from_mask(coo)
    assert graph.n_edges == 1  # duplicates merge, an explicit zero is no edge
    assert coo.nnz == before


def test_content_hash_is_the_same_on_every_machine():
    # the digest is part of every run's id: a change would orphan every store
    graph = BipartiteGraph.from_mask([[1, 0], [1, 1]])
    assert graph.content_hash == "6abc6c3d8f96fe4ec50b51051444057ada23924ee58799a1688572e71d9fe92f"


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones(3), "two dimensions"),
        (np.ones((2, 2, 2)), "two dimensions"),
        (np.array([[1.0, np.nan]]), "NaN"),
        (sp.csr_array(np.array([[1.0, np.inf]])), "infinity"),
        (np.zeros((0, 3)), "at least one node"),
        (np.array([["a"]]), "dtype"),
        (np.array([[1j]]), "dtype"),
        ([[1], [1, 2]], "cannot read"),
        (None, "got NoneType"),
    ],
)
def test_bad_masks_are_refused_in_words(mask, words):
    with pytest.raises(InvalidMaskError, match=words) as caught:
        BipartiteGraph.from_mask(mask)
    assert isinstance(caught.value, TopographError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("edges", "sizes", "words"),
    [
        ([(0, 0), (0, 0)], (1, 1), "twice"),
        ([(0, 5)], (1, 2), "within 0..1"),
        ([(-1, 0)], (1, 2), "within"),
        ([(0.5, 1)], (1, 2), "whole numbers"),
        ([(0, 1, 2)], (1, 3), "pairs"),
        ([], (None, 2), "n_left must be given"),
        ([(0, 0)], (-1, 2), "at least one node"),
        ([(0, 0)], (1.5, 2), "whole number"),
        ([(-1, 0)], (None, None), "numbered from 0, but got -1"),
        (np.array([[0, 1, 2], [0, 1, 1]]), (None, None), r"numpy.transpose\(edges\)"),
        (np.nonzero(np.eye(2)), (None, None), r"numpy.array\(edges\) or numpy.transpose\(edges\)"),
        ([("a", "b", 0.5)], (None, None), "leave out the third column"),
    ],
)
def test_bad_edges_are_refused_in_words(edges, sizes, words):
    with pytest.raises(InvalidMaskError, match=words):
        BipartiteGraph.from_edges(edges, *sizes)


@pytest.mark.parametrize(
    ("indptr", "indices"),
    [
        ([0, 1], [0]),
        ([0, 2, 1], [0]),
        ([0, 1, 2], [0, 9]),
        ([0, 1, 2], [0, -1]),
        ([0, 2, 2], [1, 0]),
        ([0, 2, 2], [1, 1]),
        ([0, 1, 3], [0, 1]),
        ([0.0, 1.0, 2.0], [0, 1]),
    ],
)
def test_a_broken_pattern_is_refused(indptr, indices):
    with pytest.raises(InvalidMaskError):
        BipartiteGraph(2, 3, np.array(indptr), np.array(indices))


def test_bad_foreign_graphs_are_refused_in_words():
    with pytest.raises(InvalidMaskError, match="undirected"):
        BipartiteGraph.from_networkx(nx.DiGraph([(0, 1)]))
    with pytest.raises(InvalidMaskError, match="attribute bipartite"):
        BipartiteGraph.from_networkx(nx.path_graph(3))
    with pytest.raises(InvalidMaskError, match="within one side"):
        BipartiteGraph.from_networkx(nx.path_graph(3), left=[0, 1])
    with pytest.raises(InvalidMaskError, match="lacks"):
        BipartiteGraph.from_networkx(nx.path_graph(3), left=["z"])
    with pytest.raises(InvalidMaskError, match="type"):
        BipartiteGraph.from_igraph(igraph.Graph(edges=[(0, 1)]))
    with pytest.raises(InvalidMaskError, match="within one side"):
        BipartiteGraph.from_igraph(igraph.Graph(edges=[(0, 1), (1, 2)]), left=[0, 1])
    half_coloured = igraph.Graph(n=3, edges=[(0, 2)], vertex_attrs={"type": [False, None, True]})
    with pytest.raises(InvalidMaskError, match="1 vertices have no attribute type=False or True, first 1"):
        BipartiteGraph.from_igraph(half_coloured)
    with pytest.raises(InvalidMaskError, match="no giant"):
        BipartiteGraph.from_mask([[0]]).giant_component()


@pytest.mark.parametrize("graph", [None, np.eye(2), "graph"])
def test_what_is_not_a_graph_is_refused_by_its_type(graph):
    with pytest.raises(InvalidMaskError, match=f"need a networkx.Graph, but got {type(graph).__name__}"):
        BipartiteGraph.from_networkx(graph)
    with pytest.raises(InvalidMaskError, match=f"need an igraph.Graph, but got {type(graph).__name__}"):
        BipartiteGraph.from_igraph(graph)


def test_sides_that_are_not_lists_of_nodes_are_refused():
    with pytest.raises(InvalidMaskError, match="left must list the inputs, but got 5"):
        BipartiteGraph.from_networkx(nx.path_graph(3), left=5)
    with pytest.raises(InvalidMaskError, match="left must list the inputs, but got 5"):
        BipartiteGraph.from_igraph(igraph.Graph(edges=[(0, 1)]), left=5)
    with pytest.raises(InvalidMaskError, match="by their numbers, but got \\['a'\\]"):
        BipartiteGraph.from_igraph(igraph.Graph(edges=[(0, 1)]), left=["a"])
    with pytest.raises(InvalidMaskError, match="left must be a list of names, but got 3"):
        BipartiteGraph.from_edges([("a", "b")], left=3)


def test_igraph_is_told_in_its_own_words_what_to_do():
    with pytest.raises(InvalidMaskError, match="no attribute 'type'"):
        tg.load(igraph.Graph(edges=[(0, 1)]))
    with pytest.raises(InvalidMaskError, match=r"graph.simplify\(\)"):
        tg.load(igraph.Graph(edges=[(0, 1), (0, 1)], vertex_attrs={"type": [False, True]}))


def test_reprs():
    graph = BipartiteGraph.from_mask([[1, 1, 0], [0, 1, 1]])
    assert repr(graph) == "BipartiteGraph(2 × 3, 4 edges, density 66.7 %, left degrees 2, right degrees 1..2)"
    assert "<table>" in graph._repr_html_()
    assert "66.7 %" in graph._repr_html_()


def test_spectral_gap_names_its_convention():
    graph = BipartiteGraph.from_mask(np.ones((2, 3)))
    assert graph.spectral_gap() == graph.spectral_gap("normalized") == pytest.approx(1)
    assert graph.spectral_gap("adjacency") == pytest.approx(6**0.5)
    assert graph.spectral_gap("laplacian") == pytest.approx(2)
    with pytest.raises(TopographError, match="normalized, laplacian, adjacency"):
        graph.spectral_gap("gap")
    empty = BipartiteGraph.from_mask([[0]])
    assert np.isnan(empty.spectral_gap())
    assert empty.spectral_gap("adjacency") == 0
