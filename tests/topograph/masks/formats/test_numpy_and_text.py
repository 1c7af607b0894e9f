"""NumPy, SciPy, MatrixMarket, edge lists, our own files."""

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

import topograph as tg
from topograph.errors import InvalidMaskError, InvalidParameterError

MASK = np.array([[1, 0, 1], [0, 1, 0]])
GRAPH = tg.BipartiteGraph.from_mask(MASK)


def test_several_arrays(tmp_path):
    np.savez(tmp_path / "m.npz", first=MASK, second=MASK.T, bias=np.ones(3), conv=np.ones((2, 1, 3, 3)))
    masks = tg.load(tmp_path / "m.npz")
    assert masks["first"] == GRAPH
    assert masks["second"] == GRAPH.T
    assert "1 dimension" in masks.left_out["bias"]
    assert "orientation" in masks.left_out["conv"]
    assert masks.read_as["first"] == "inputs × outputs"
    turned = tg.load(tmp_path / "m.npz", orientation="out_in")
    assert turned["first"] == GRAPH.T
    assert turned["conv"].shape == (9, 2)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia"])
def test_scipy(tmp_path, kind):
    sp.save_npz(tmp_path / "m.npz", sp.coo_array(MASK).asformat(kind))
    assert tg.load(tmp_path / "m.npz")["m"] == GRAPH


@pytest.mark.parametrize("symmetry", ["general", "symmetric", "skew-symmetric"])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("field", ["real", "integer", "pattern"])
def test_matrix_market(tmp_path, symmetry, sparse, field):
    if field == "pattern" and (not sparse or symmetry == "skew-symmetric"):
        pytest.skip("the format has no such file")
    square = np.array([[0, 2, 0], [-2, 0, 3], [0, -3, 0]])
    matrix = MASK if symmetry == "general" else abs(square) if symmetry == "symmetric" else square
    values = matrix.astype(int if field == "integer" else float)
    scipy.io.mmwrite(tmp_path / "m.mtx", sp.coo_array(values) if sparse else values, field=field, symmetry=symmetry)
    assert tg.load(tmp_path / "m.mtx")["m"] == tg.BipartiteGraph.from_mask(matrix)


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        ("csv", "0,0\n0,2\n1,1\n"),
        ("csv", "input,output\n0, 2\n0,0\n1,1\n"),
        ("csv", "# 2 x 3\n# a note\nsource,target,weight\n0,0,1\n0,2,-0.5\n1,1,2\n1,2,0\n"),
        ("tsv", "0\t0\n0\t2\n1\t1\n"),
    ],
)
def test_edge_lists(tmp_path, ending, text):
    path = tmp_path / f"m.{ending}"
    path.write_text(text)
    assert tg.load(path)["m"] == GRAPH


def test_edge_list_sizes_and_weights(tmp_path):
    (tmp_path / "m.csv").write_text("# 4 x 5\n0,0,0.1\n1,1,0.9\n")
    assert tg.load(tmp_path / "m.csv")["m"].shape == (4, 5)
    assert tg.load(tmp_path / "m.csv", threshold=0.5)["m"].edges().tolist() == [[1, 1]]
    assert tg.load(tmp_path / "m.csv", density=0.05)["m"].edges().tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("0,1,2,3\n", "4 columns"),
        ("0,0\n0,0\n", "twice"),
        ("0,-1\n", "whole numbers"),
        ("0,1.5\n", "whole numbers"),
        ("# 1 x 1\n0,3\n", "says there are 1"),
        ("0,9999999999\n", "more than an array can number"),
        ("0,2000000000\n", "nodes on a side"),
        ("a,b\nc,d\n", "may be an edge or a header"),
    ],
)
def test_broken_edge_lists(tmp_path, text, fault):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InvalidMaskError, match=fault) as caught:
        tg.load(tmp_path / "m.csv")
    assert str(tmp_path / "m.csv") in str(caught.value)


def test_our_own_files(tmp_path):
    topology = tg.Topology.build("random_regular", [6, 5, 3], degrees=2, seed=0)
    topology.save(tmp_path / "t.npz")
    assert tg.load(tmp_path / "t.npz").to_topology() == topology
    masks = tg.MaskSet({"b": topology[0], "a": topology[1]}, {"c": "a reason"}, False, {"b": "turned"})
    masks.save(tmp_path / "m.npz")
    again = tg.load(tmp_path / "m.npz")
    assert list(again) == ["b", "a"]
    assert (again.graphs, again.left_out, again.read_as) == (masks.graphs, masks.left_out, masks.read_as)
    assert not again.is_chain
    assert tg.measure(tmp_path / "t.npz", ["sizes"]).index.tolist() == ["l1", "l2", "network"]


@pytest.mark.parametrize("orientation", ["in_out", "out_in"])
def test_our_safetensors(tmp_path, orientation):
    topology = tg.Topology.build("random_regular", [6, 12, 3], degrees=2, seed=0)
    names = [f"layer.{number}" for number in (10, 9)]
    masks = tg.MaskSet(dict(zip(names, topology, strict=True)))
    tg.masks.save(masks, tmp_path / "m.safetensors", orientation=orientation)
    again = tg.load(tmp_path / "m.safetensors")
    assert list(again) == names
    assert again.to_topology() == topology
    loader = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    stored = loader.load_file(tmp_path / "m.safetensors")["layer.10"]
    assert np.array_equal(stored if orientation == "in_out" else stored.T, topology[0].to_mask())


def test_topology_as_safetensors(tmp_path):
    topology = tg.Topology.build("random_regular", [6, 12, 3], degrees=2, seed=0)
    topology.save(tmp_path / "m.safetensors")
    masks = tg.load(tmp_path / "m.safetensors")
    assert masks.is_chain
    assert masks.to_topology() == tg.Topology.load(tmp_path / "m.safetensors") == topology
    with pytest.raises(InvalidParameterError, match=r"\.npz or \.safetensors"):
        tg.masks.save(topology, tmp_path / "m.pt")


@pytest.mark.parametrize("name", ["missing.npy", "m.unknown", "m"])
def test_no_such_file(tmp_path, name):
    with pytest.raises(InvalidMaskError, match=name):
        tg.load(tmp_path / name)
