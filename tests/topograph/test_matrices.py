"""One rule for all doors: what an array, a sparse matrix or a graph with weights holds."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import topograph as tg
from topograph.errors import InvalidMaskError

KEPT = np.random.default_rng(0).random((20, 12)) < 0.3
WEIGHTS = np.where(KEPT, np.random.default_rng(1).normal(size=KEPT.shape), 0)


def doors(value):
    """The graph of a value through each door that takes it."""
    return [tg.BipartiteGraph.from_mask(value), tg.load(value)["graph"], tg.load({"a": value})["a"]]


@pytest.mark.parametrize("kind", [sp.coo_array, sp.coo_matrix])
@pytest.mark.parametrize("layout", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
def test_every_sparse_format_of_scipy(kind, layout):
    assert doors(kind(WEIGHTS).asformat(layout)) == [tg.BipartiteGraph.from_mask(KEPT)] * 3


def test_masked_entries_are_pruned():
    dense = np.random.default_rng(1).normal(size=KEPT.shape)
    assert doors(np.ma.masked_array(dense, mask=~KEPT)) == [tg.BipartiteGraph.from_mask(KEPT)] * 3
    assert [graph.n_edges for graph in doors(np.ma.masked_array(dense))] == [KEPT.size] * 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16])
def test_repeated_entries_do_not_wrap_around(dtype):
    half = np.iinfo(dtype).max // 2 + 1 if dtype != np.int8 else -128
    matrix = sp.coo_array((np.array([half, half, 1], dtype), ([0, 0, 1], [0, 0, 1])), shape=(2, 2))
    for graph in doors(matrix):
        assert graph.edges().tolist() == [[0, 0], [1, 1]]


def test_repeated_entries_of_a_tensor_do_not_wrap_around():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    values = torch.tensor([128, 128, 1], dtype=torch.uint8)
    tensor = torch.sparse_coo_tensor([[0, 0, 1], [0, 0, 1]], values, (2, 2), check_invariants=True)
    assert [graph.n_edges for graph in doors(tensor)] == [2] * 3


def test_tensors_of_every_kind():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for tensor in (torch.nn.Linear(3, 4).weight, torch.ones(4, 3).bfloat16(), torch.ones(4, 3).to(torch.float8_e4m3fn)):
        assert tg.BipartiteGraph.from_mask(tensor).shape == (4, 3)
    with pytest.raises(InvalidMaskError, match="meta"):
        tg.BipartiteGraph.from_mask(torch.ones(2, 2, device="meta"))
    with pytest.raises(InvalidMaskError, match="complex"):
        tg.BipartiteGraph.from_mask(torch.ones(2, 2, dtype=torch.complex64))


def test_an_edge_of_weight_zero_is_not_an_edge_at_any_door():
    stored = sp.csr_array((np.array([0.0, 2.0]), np.array([0, 1]), np.array([0, 2, 2])), shape=(2, 2))
    graph = nx.Graph()
    graph.add_nodes_from([0, 1], bipartite=0)
    graph.add_nodes_from([2, 3], bipartite=1)
    graph.add_weighted_edges_from([(0, 2, 0.0), (0, 3, 2.0)])
    igraph = tg.BipartiteGraph.from_mask(np.ones((1, 2))).to_igraph()
    igraph.es["weight"] = [0.0, 2.0]
    assert [one.n_edges for one in doors(stored)] == [1] * 3
    assert tg.BipartiteGraph.from_networkx(graph).edges().tolist() == [[0, 1]]
    assert tg.BipartiteGraph.from_igraph(igraph).edges().tolist() == [[0, 1]]


def test_number_formats_of_other_libraries():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    assert doors(np.array([[1, 0], [0, 2]]).astype(ml_dtypes.bfloat16))[1].n_edges == 2


def test_an_object_that_is_not_a_matrix_is_refused_in_words():
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("out of order")

    with pytest.raises(InvalidMaskError, match="cannot read Broken as a matrix: out of order"):
        tg.BipartiteGraph.from_mask(Broken())


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "Float32", object])
def test_columns_of_pandas_that_may_have_gaps_are_numbers(dtype):
    frame = pd.DataFrame(KEPT.astype(int)).astype(dtype)
    assert doors(frame) == [tg.BipartiteGraph.from_mask(KEPT)] * 3
    frame.iloc[0, 0] = pd.NA
    with pytest.raises(InvalidMaskError, match="objects of type NAType"):
        tg.BipartiteGraph.from_mask(frame)


def test_a_sparse_matrix_whose_arrays_contradict_each_other_is_refused():
    broken = sp.csr_array((np.ones(2), np.array([5, 0]), np.array([0, 2])), shape=(1, 3))
    for door in (tg.BipartiteGraph.from_mask, tg.load):
        with pytest.raises(InvalidMaskError, match="cannot read csr_array as a matrix"):
            door(broken)


@pytest.mark.parametrize("thing", [None, 3, print, np.ndarray, {1, 2}, iter([1]), b"mask"])
def test_what_holds_no_numbers_is_named_by_its_type(thing):
    with pytest.raises(InvalidMaskError, match=rf"got {type(thing).__name__}; topograph.load reads files"):
        tg.BipartiteGraph.from_mask(thing)
    with pytest.raises(InvalidMaskError, match=f"a {type(thing).__name__} holds no masks: give a path"):
        tg.load(thing)


@pytest.mark.parametrize(
    "layers", [[KEPT, KEPT.T], [KEPT, KEPT], [{"w": KEPT}], ((KEPT, np.zeros(12)), (KEPT.T, np.zeros(20)))]
)
def test_a_list_of_arrays_is_told_that_layers_need_names(layers):
    with pytest.raises(InvalidMaskError, match=r"dict\(enumerate\(arrays\)\)"):
        tg.load(layers)
    assert len(tg.load(dict(enumerate(layers)))) == len(layers)
