"""Nothing is skipped in silence; include and exclude; chains."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, TopologyMismatchError, UnknownNameError

LAYERS = {"enc.fc1": np.ones((4, 3)), "enc.fc2": np.ones((3, 2)), "head": np.ones((5, 2)), "bias": np.ones(2)}


def test_every_array_has_a_row_or_a_reason():
    table = tg.measure(LAYERS, ["n_edges"])
    assert {*table.index, *table.attrs["left_out"]} == set(LAYERS)
    assert table.attrs["left_out"]["bias"] == "bias: has 1 dimension, a mask has two or more"


def test_include_and_exclude():
    masks = tg.load(LAYERS, include="enc.*", exclude=["*2"])
    assert list(masks) == ["enc.fc1"]
    assert masks.left_out["enc.fc2"] == "matches exclude='*2'"
    assert masks.left_out["head"] == "not named by include"
    with pytest.raises(InvalidMaskError, match=r"no mask among .*not named by include"):
        tg.load(LAYERS, include="nothing")


def test_a_source_of_nothing():
    with pytest.raises(InvalidMaskError, match="is empty"):
        tg.measure({})
    with pytest.raises(InvalidMaskError, match=r"bias \(bias: has 1 dimension"):
        tg.measure({"bias": np.ones(2)})


def test_chains():
    masks = tg.load(LAYERS)
    with pytest.raises(TopologyMismatchError, match=r"'enc\.fc2' has 2 outputs and 'head' has 5 inputs"):
        masks.to_topology()
    assert masks.to_topology(["enc.fc1", "enc.fc2"]).sizes == (4, 3, 2)
    with pytest.raises(UnknownNameError, match=r"enc\.fc3"):
        masks.to_topology(["enc.fc3"])


def test_read_as_is_said_of_files_only(tmp_path):
    np.save(tmp_path / "m.npy", np.eye(3))
    assert "read_as" not in tg.measure(np.eye(3), ["n_edges"])
    table = tg.measure(tmp_path / "m.npy", ["n_edges"], orientation="out_in")
    assert table.loc["m", "read_as"] == "outputs × inputs, turned"
    assert tg.measure(tmp_path / "m.npy", ["n_edges"], long=True).attrs["read_as"] == {"m": "inputs × outputs"}


def test_progress_bar(capsys):
    tg.measure(LAYERS, ["n_edges"], progress=False)
    assert capsys.readouterr().err == ""


def test_a_notebook_shows_what_was_read_and_what_was_not():
    graph = tg.BipartiteGraph.from_mask([[1, 0], [1, 1]])
    shown = tg.MaskSet({"fc<1>": graph}, {"bias": "one-dimensional"}, read_as={"fc<1>": "as it is"})._repr_html_()
    assert "fc&lt;1&gt;" in shown
    assert "density 75.000%. as it is" in shown
    assert "left out: one-dimensional" in shown
