"""``.onnx``: an ONNX model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.onnx.graphs import model_entries
from topograph.masks.source import Source
from topograph.packages import require


@contextmanager
def open_onnx(path: Path) -> Iterator[Source]:
    """Every initializer, in the order in which the nodes use them."""
    onnx = require("onnx", "onnx")
    model = onnx.load_model(str(path), load_external_data=False)
    yield Source(str(path), tuple(model_entries(model, path.parent)))


def _write_samples(folder: Path) -> None:
    onnx, helper = require("onnx", "onnx"), require("onnx.helper", "onnx")
    from_array = require("onnx.numpy_helper", "onnx").from_array
    weights = [
        from_array(np.ones((3, 2, 2, 2), np.float32), "conv.weight"),
        from_array(SAMPLE.T.copy(), "fc1.weight"),
        helper.make_tensor("fc2", onnx.TensorProto.BFLOAT16, [4, 3], np.ones(12)),
        from_array(np.ones((1, 8, 3), np.float32), "W"),
        from_array(np.ones((1, 8, 2), np.float32), "R"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["a"], "conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Gemm", ["a", "fc1.weight"], ["b"], "fc1", transB=1),
        helper.make_node("MatMul", ["b", "fc2"], ["c"]),
        helper.make_node("LSTM", ["c", "W", "R"], ["y"], hidden_size=2),
    ]
    info = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2, 6, 6]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "net", info[:1], info[1:], weights)
    onnx.save(helper.make_model(graph), folder / "model.onnx")


FORMAT = Format(
    "onnx",
    (".onnx",),
    "ONNX models, oriented by the nodes that use the weights",
    open_onnx,
    _write_samples,
    extra="onnx",
)
