from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

import topograph as tg
from topograph.errors import InvalidMaskError, TopologyMismatchError, UnknownNameError

MASK = np.array([[1, 0, 1], [0, 1, 0]])


def test_each_format_gives_the_same_graph(tmp_path):
    np.save(tmp_path / "a.npy", MASK * 0.5)
    np.savez(tmp_path / "b.npz", layer=MASK)
    sp.save_npz(tmp_path / "c.npz", sp.csc_array(MASK))
    scipy.io.mmwrite(tmp_path / "d.mtx", sp.coo_array(MASK))
    for name in ("a.npy", "b.npz", "c.npz", "d.mtx"):
        masks = tg.load(tmp_path / name)
        assert list(masks.values()) == [tg.BipartiteGraph.from_mask(MASK)]


def test_what_is_no_mask_is_named_with_its_reason(tmp_path):
    np.savez(tmp_path / "model.npz", weight=MASK, bias=np.ones(3), broken=np.array([[np.nan]]))
    masks = tg.load(tmp_path / "model.npz")
    assert list(masks) == ["weight"]
    assert "1 dimension" in masks.left_out["bias"]
    assert "NaN" in masks.left_out["broken"]
    table = tg.measure(tmp_path / "model.npz", "density")
    assert table.attrs["left_out"] == masks.left_out


def test_chains(tmp_path):
    np.savez(tmp_path / "chain.npz", first=np.ones((2, 3)), second=np.ones((3, 4)))
    assert tg.load(tmp_path / "chain.npz").to_topology().sizes == (2, 3, 4)
    np.savez(tmp_path / "torn.npz", first=np.ones((2, 3)), second=np.ones((4, 3)))
    with pytest.raises(TopologyMismatchError):
        tg.load(tmp_path / "torn.npz").to_topology()
    with pytest.raises(UnknownNameError, match="first"):
        tg.load(tmp_path / "torn.npz")["third"]


def test_strange_files_are_refused_and_no_pickle_is_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("exploded").touch, ())

    np.save(tmp_path / "evil.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "evil.npz", x=np.array([Bomb()], dtype=object))
    (tmp_path / "junk.npy").write_bytes(b"\x93NUMPY junk")
    (tmp_path / "junk.npz").write_bytes(b"PK junk")
    (tmp_path / "junk.mtx").write_text("%%MatrixMarket nonsense\n1 2 3")
    (tmp_path / "text.docx").write_text("hello")
    for name in ("evil.npy", "evil.npz", "junk.npy", "junk.npz", "junk.mtx", "text.docx", "missing.npy"):
        with pytest.raises(InvalidMaskError, match=name):
            tg.load(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_two_members_of_one_name_are_both_kept_and_told():
    arrays = {"a": {"b": np.ones((2, 3))}, "a.b": np.ones((3, 2)), 1: np.ones((2, 2)), "1": np.ones((2, 4))}
    masks = tg.load(arrays)
    assert sorted(graph.shape for graph in masks.values()) == [(2, 2), (2, 3), (2, 4), (3, 2)]
    assert sum("more than once" in words for words in masks.read_as.values()) == 2
