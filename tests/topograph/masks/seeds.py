"""Small files of every format, each written by the format's own library: what the fuzzer mutates."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse as sp

from topograph import Topology, load
from topograph.masks import save

MASK = (np.random.default_rng(0).random((6, 4)) < 0.4).astype(np.float32)


INDEX = "model.safetensors.index.json"


def has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def seeds() -> dict[str, bytes]:
    """File name → content, for every format whose library is installed."""
    with tempfile.TemporaryDirectory() as folder:
        for write in (_numpy, _text, _ours, _safetensors, _index, _torch, _onnx, _hdf, _keras):
            write(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _numpy(folder: Path) -> None:
    np.save(folder / "mask.npy", MASK)
    np.savez(folder / "several.npz", fc1=MASK, fc2=MASK.T.astype(bool), bias=np.ones(3), conv=np.ones((2, 2, 3, 3)))
    np.savez_compressed(folder / "packed.npz", fc1=MASK.astype(np.int8))
    for kind in ("csr", "csc", "coo", "bsr", "dia"):
        sp.save_npz(folder / f"{kind}.npz", sp.coo_array(MASK).asformat(kind))


def _text(folder: Path) -> None:
    scipy.io.mmwrite(folder / "coordinate.mtx", sp.coo_array(MASK))
    scipy.io.mmwrite(folder / "array.mtx", MASK)
    (folder / "edges.csv").write_text("# 6 x 4\ninput,output,weight\n0,1,0.5\n5,3,-1\n2,2,0\n")
    (folder / "edges.tsv").write_text("0\t1\n3\t2\n5\t0\n")


def _ours(folder: Path) -> None:
    topology = Topology.build("random_regular", [6, 5, 3], degrees=2, seed=0)
    topology.save(folder / "topology.npz")
    save(load(folder / "topology.npz"), folder / "masks.npz")
    save(topology, folder / "ours.safetensors")


def _safetensors(folder: Path) -> None:
    if has("safetensors"):
        from safetensors.numpy import save_file

        tensors = {"fc1.weight": MASK.T.copy(), "fc1.bias": np.ones(4), "conv.weight": np.ones((2, 3, 2, 2), np.int8)}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def shard() -> bytes:
    """A shard that the index among the seeds names."""
    header = {"w": {"dtype": "F32", "shape": [4, 6], "data_offsets": [0, 96]}}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + MASK.tobytes()


def _index(folder: Path) -> None:
    index = {"metadata": {"total_size": 96}, "weight_map": {"w": "shard.safetensors"}}
    (folder / INDEX).write_text(json.dumps(index))


def _torch(folder: Path) -> None:
    if has("torch"):
        import torch
        from torch.nn.utils import prune

        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Conv2d(2, 2, 2), torch.nn.Linear(6, 4), torch.nn.LSTM(3, 2))
        prune.random_unstructured(model[1], "weight", 0.5)
        torch.save({"state_dict": model.state_dict(), "epoch": 3}, folder / "model.pt")
        torch.save({"w": torch.tensor(MASK).to_sparse(), "h": torch.ones(3, 2).bfloat16()}, folder / "sparse.pt")
        old = {"w": torch.tensor(MASK), "name": "old"}
        torch.save(old, folder / "old.pth", _use_new_zipfile_serialization=False)


def _onnx(folder: Path) -> None:
    if has("onnx"):
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        weights = [
            numpy_helper.from_array(np.ones((3, 2, 2, 2), np.float32), "conv.weight"),
            numpy_helper.from_array(MASK.T.copy(), "fc1.weight"),
            helper.make_tensor("fc2", TensorProto.BFLOAT16, [4, 3], np.ones(12)),
            numpy_helper.from_array(np.ones((1, 8, 3), np.float32), "W"),
            numpy_helper.from_array(np.ones((1, 8, 2), np.float32), "R"),
        ]
        nodes = [
            helper.make_node("Conv", ["x", "conv.weight"], ["a"], "conv", pads=[1, 1, 1, 1], strides=[2, 2]),
            helper.make_node("Gemm", ["a", "fc1.weight"], ["b"], "fc1", transB=1),
            helper.make_node("MatMul", ["b", "fc2"], ["c"]),
            helper.make_node("LSTM", ["c", "W", "R"], ["y"], hidden_size=2),
        ]
        info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, 6, 6]) for name in ("x", "y")]
        graph = helper.make_graph(nodes, "net", info[:1], info[1:], weights)
        onnx.save(helper.make_model(graph), folder / "model.onnx")


def _hdf(folder: Path) -> None:
    if has("h5py"):
        import h5py

        with h5py.File(folder / "weights.h5", "w") as file:
            file.create_dataset("model_weights/fc1/fc1/kernel", data=MASK)
            file.create_dataset("model_weights/fc1/fc1/bias", data=np.ones(4))
            file.create_dataset("packed", data=MASK, compression="gzip", chunks=(3, 2))
            file["link"] = h5py.SoftLink("/packed")


def _keras(folder: Path) -> None:
    if has("keras") and has("torch"):
        os.environ.setdefault("KERAS_BACKEND", "torch")
        import keras

        inputs = keras.Input((6, 6, 2))
        hidden = keras.layers.Conv2D(2, 2)(inputs)
        hidden = keras.layers.Reshape((5, 10))(hidden)
        outputs = keras.layers.Dense(2)(keras.layers.GRU(3)(hidden))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras' own, on the PyTorch backend
            keras.Model(inputs, outputs).save(folder / "model.keras")


def members(content: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and compression of each member of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            yield info.filename, archive.read(info), info.compress_type
