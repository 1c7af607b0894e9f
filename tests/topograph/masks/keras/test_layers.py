"""Keras files of older kinds, as their writers leave them."""

import json

import numpy as np
import pytest

import topograph as tg

h5py = pytest.importorskip("h5py", reason="h5py is not installed")
MASK = np.array([[1, 0, 1], [0, 1, 0]], dtype=np.float32)


def test_keras_2_with_a_pruning_wrapper(tmp_path):
    layers = [{"class_name": "PruneLowMagnitude", "config": {"name": "prune_low_magnitude_dense", "layer": {}}}]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
        group = file.create_group("model_weights/prune_low_magnitude_dense")
        group["dense/kernel:0"] = np.ones((2, 3), np.float32)
        group["dense/bias:0"] = np.ones(3, np.float32)
        group["prune_low_magnitude_dense/mask:0"] = MASK
        group["prune_low_magnitude_dense/threshold:0"] = np.float32(0.5)
    masks = tg.load(tmp_path / "m.h5")
    assert dict(masks) == {"dense/kernel": tg.BipartiteGraph.from_mask(MASK)}
    assert "prune_low_magnitude_dense/mask" in masks.read_as["dense/kernel"]


def test_a_mask_beside_its_kernel(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["masked/kernel"] = np.ones((2, 3))
        file["masked/mask"] = MASK
    assert dict(tg.load(tmp_path / "m.h5")) == {"masked/kernel": tg.BipartiteGraph.from_mask(MASK)}


def test_bare_list_of_layers(tmp_path):
    """Keras 2 kept a Sequential model as a list."""
    config = [{"class_name": "DepthwiseConv2D", "config": {"name": "dw", "strides": [1, 1], "padding": "valid"}}]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
        file["model_weights/dw/dw/depthwise_kernel:0"] = np.ones((2, 2, 3, 2))
    graph = tg.load(tmp_path / "m.h5")["dw/depthwise_kernel"]
    assert (graph.shape, graph.n_components) == ((12, 6), 3)


@pytest.mark.parametrize(
    ("equation", "shape", "expected"),
    [
        ("ab,bc->ac", (4, 5), (4, 5)),
        ("abc,cde->abde", (4, 2, 3), (4, 6)),
        ("abcd,cde->abe", (2, 3, 5), (6, 5)),
        ("gab,gbc->gac", (2, 3, 4), (6, 8)),
        ("...x,xy->...y", (3, 7), (3, 7)),
    ],
)
def test_einsum(equation, shape, expected):
    from topograph.masks.keras.layers import KerasLayer, weight_parts

    ((_, layout),) = weight_parts(KerasLayer("EinsumDense", {"equation": equation}), "e/kernel", shape)
    groups, inputs, taps, outputs = layout.blocks(np.ones(shape)).shape
    assert (groups * inputs * taps, groups * outputs) == expected
