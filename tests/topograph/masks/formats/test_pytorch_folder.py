"""Folders of PyTorch shards, exported programs, and MatrixMarket packed by gzip."""

import gzip
import json

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.masks.formats.safetensors import write_tensors

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

A, B = torch.randn(3, 4), torch.randn(2, 3)


@pytest.fixture
def shards(tmp_path):
    torch.save({"layers.10.weight": A}, tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save({"layers.2.weight": B, "layers.2.bias": torch.ones(2)}, tmp_path / "pytorch_model-00002-of-00002.bin")
    places = {
        "layers.10.weight": "pytorch_model-00001-of-00002.bin",
        "layers.2.weight": "pytorch_model-00002-of-00002.bin",
    }
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    return tmp_path


def test_shards_are_one_model(shards):
    whole = tg.load(shards)
    assert list(whole) == ["layers.2.weight", "layers.10.weight"]
    assert dict(tg.load(shards / "pytorch_model.bin.index.json")) == dict(whole)
    (shards / "pytorch_model.bin.index.json").unlink()
    assert dict(tg.load(shards)) == dict(whole)


def test_an_index_is_held_to_its_folder_and_its_word(shards):
    index = shards / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "../x.bin"}}))
    with pytest.raises(InvalidMaskError, match="outside the folder"):
        tg.load(shards)
    index.write_text(json.dumps({"weight_map": {"w": "pytorch_model-00001-of-00002.bin"}}))
    with pytest.raises(InvalidMaskError, match=r"lacks 1 tensors .*'w'"):
        tg.load(shards)


def test_safetensors_come_first_where_both_lie(shards):
    write_tensors(shards / "model.safetensors", {"only.weight": np.ones((2, 3), np.float32)}, {"format": "pt"})
    assert list(tg.load(shards)) == ["only.weight"]


def test_exported_programs(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2).half().float())
    with torch.no_grad():
        model[0].weight.mul_(torch.tensor([[1.0, 0, 1, 0]]))
    torch.export.save(torch.export.export(model, (torch.ones(1, 4),)), tmp_path / "m.pt2")
    assert dict(tg.load(tmp_path / "m.pt2")) == dict(tg.load(model))


def test_matrix_market_packed_by_gzip(tmp_path):
    mask = (np.random.default_rng(0).random((9, 7)) < 0.4).astype(float)
    scipy.io.mmwrite(tmp_path / "m.mtx", sp.coo_array(mask))
    (tmp_path / "m.mtx.gz").write_bytes(gzip.compress((tmp_path / "m.mtx").read_bytes()))
    assert tg.load(tmp_path / "m.mtx.gz")["m"] == tg.BipartiteGraph.from_mask(mask)
    bomb = b"%%MatrixMarket matrix array real general\n3 3\n" + b"\n" * (3 << 20)
    (tmp_path / "m.mtx.gz").write_bytes(gzip.compress(bomb))
    with pytest.raises(InvalidMaskError, match=r"lines of 1 numbers follow|no data"):
        tg.load(tmp_path / "m.mtx.gz")
