"""Sharded folders; one layer in memory at a time; no framework unless it is needed."""

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, MissingDependencyError


def shard(path, tensors):
    header, offset, data = {}, 0, b""
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
        data += values.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.fixture
def layers():
    random = np.random.default_rng(0)
    values = {f"layers.{n}.weight": random.normal(size=(4, 6)).astype(np.float32) for n in (0, 1, 2, 10)}
    return {**values, "layers.0.bias": np.ones(4, np.float32)}


def test_sharded_folder(tmp_path, layers):
    names = list(layers)
    shard(tmp_path / "a.safetensors", {name: layers[name] for name in names[::2]})
    shard(tmp_path / "b.safetensors", {name: layers[name] for name in names[1::2]})
    unindexed = tg.load(tmp_path)
    places = {name: "ab"[number % 2] + ".safetensors" for number, name in enumerate(names)}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    masks = tg.load(tmp_path, density=0.25, scope="global")
    assert list(masks) == [f"layers.{n}.weight" for n in (0, 1, 2, 10)]
    assert list(unindexed) == list(masks)
    assert sum(graph.n_edges for graph in masks.values()) == 24
    assert "bias" in masks.left_out["layers.0.bias"]
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {**places, "x": "a.safetensors"}}))
    with pytest.raises(InvalidMaskError, match=r"a\.safetensors: lacks 1 tensors .*'x'"):
        tg.load(tmp_path)


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(InvalidMaskError, match=r"holds none of .*\*\.safetensors"):
        tg.load(tmp_path)


def test_written_by_the_library(tmp_path, layers):
    numpy = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    numpy.save_file(layers, tmp_path / "m.safetensors")
    shard(tmp_path / "n.safetensors", layers)
    assert dict(tg.load(tmp_path / "m.safetensors")) == dict(tg.load(tmp_path / "n.safetensors"))


def test_memory_is_that_of_one_layer(tmp_path):
    size, count = 1 << 20, 24
    layer = (np.random.default_rng(0).random((1 << 10, 1 << 10)) < 0.05).astype(np.float32)
    for part in range(4):
        shard(tmp_path / f"{part}.safetensors", {f"{part}.{n}.weight": layer for n in range(count // 4)})
    tg.measure(tmp_path, ["n_edges"], include="0.0.*")
    tracemalloc.start()
    table = tg.measure(tmp_path, ["n_edges"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(table) == count
    assert peak < 6 * 4 * size  # a few times the largest layer; all of them together have 24


def test_bar_over_layers(tmp_path, layers, capsys):
    shard(tmp_path / "m.safetensors", layers)
    tg.measure(tmp_path / "m.safetensors", ["n_edges"], progress=True)
    tg.measure(tmp_path / "m.safetensors", ["n_edges"])  # not a terminal
    assert capsys.readouterr().err == ""  # none is shown before two seconds are over


def test_no_framework_is_imported(tmp_path, layers):
    shard(tmp_path / "m.safetensors", layers)
    np.save(tmp_path / "m.npy", np.eye(3))
    code = (
        "import sys, topograph as tg\n"
        f"tg.measure({str(tmp_path / 'm.safetensors')!r}, ['n_edges']); tg.load({str(tmp_path / 'm.npy')!r})\n"
        "found = {'torch', 'keras', 'onnx', 'safetensors', 'h5py', 'jax', 'tensorflow'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pytorch_files_are_read_without_pytorch(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.save({"w": torch.eye(3)}, tmp_path / "m.pt")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert tg.load(tmp_path / "m.pt")["w"].n_edges == 3


@pytest.mark.parametrize(("ending", "package", "extra"), [("h5", "h5py", "keras"), ("onnx", "onnx", "onnx")])
def test_a_missing_package_names_its_extra(tmp_path, monkeypatch, ending, package, extra):
    path = tmp_path / f"m.{ending}"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"needs {package}: pip install 'topograph\[{extra}\]'"):
        tg.load(path)
