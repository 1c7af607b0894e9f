"""One network through PyTorch, safetensors, ONNX and Keras: the same table."""

import numpy as np
import pandas as pd
import pytest

import topograph as tg

METRICS = ["sizes", "degrees", "normalized_gap", "n_components"]


def table(source, names):
    frame = tg.measure(source, METRICS)
    assert (frame.loc[names, "reason"] == "").all()
    values = frame.loc[names].drop(columns=["reason", "read_as"])
    return values.set_axis(["conv", "grouped", "fc1", "fc2"]).astype(float)


@pytest.fixture
def expected(kernels):
    """The same table from matrices that are laid out by hand."""
    grouped = kernels["grouped"].transpose(2, 0, 1, 3).reshape(8, 6)
    diagonal = np.zeros((16, 6), np.float32)
    diagonal[:8, :3], diagonal[8:, 3:] = grouped[:, :3], grouped[:, 3:]
    arrays = {
        "conv": kernels["conv"].transpose(2, 0, 1, 3).reshape(18, 4),
        "grouped": diagonal,
        "fc1": kernels["fc1"],
        "fc2": kernels["fc2"],
    }
    return tg.measure(arrays, METRICS).drop(columns="reason").astype(float)


@pytest.fixture
def module(kernels):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    model = nn.ModuleDict(
        {
            "conv": nn.Conv2d(2, 4, 3),
            "grouped": nn.Conv2d(4, 6, 2, groups=2),
            "fc1": nn.Linear(12, 8),
            "fc2": nn.Linear(8, 5),
        }
    )
    with torch.no_grad():
        for name in ("conv", "grouped"):
            model[name].weight.copy_(torch.from_numpy(kernels[name].transpose(3, 2, 0, 1).copy()))
        for name in ("fc1", "fc2"):
            model[name].weight.copy_(torch.from_numpy(kernels[name].T.copy()))
    return model


NAMES = ["conv.weight", "grouped.weight", "fc1.weight", "fc2.weight"]


def test_live_module(module, expected):
    pd.testing.assert_frame_equal(table(module, NAMES), expected, check_names=False)


def test_torch_file(module, expected, tmp_path):
    import torch

    torch.save(module.state_dict(), tmp_path / "m.pt")
    geometry = {"grouped.*": tg.masks.Geometry(groups=2)}  # a state dict does not say it
    frame = tg.measure(tmp_path / "m.pt", METRICS, geometry=geometry).loc[NAMES]
    assert np.array_equal(frame.drop(columns=["reason", "read_as"]).astype(float).to_numpy(), expected.to_numpy())


def test_safetensors_file(module, expected, tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    from safetensors.torch import save_file

    save_file(module.state_dict(), tmp_path / "m.safetensors", metadata={"format": "pt"})
    frame = tg.measure(tmp_path / "m.safetensors", METRICS, geometry={"grouped.*": tg.masks.Geometry(groups=2)})
    values = frame.loc[NAMES].drop(columns=["reason", "read_as"]).astype(float)
    assert np.array_equal(values.to_numpy(), expected.to_numpy())


def test_onnx_file(kernels, expected, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import helper, numpy_helper

    weights = [
        numpy_helper.from_array(kernels[name].transpose(3, 2, 0, 1).copy(), f"{name}.weight")
        for name in ("conv", "grouped")
    ]
    weights += [
        numpy_helper.from_array(kernels["fc1"].T.copy(), "fc1.weight"),
        numpy_helper.from_array(kernels["fc2"], "fc2.weight"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["a"]),
        helper.make_node("Conv", ["a", "grouped.weight"], ["b"], group=2),
        helper.make_node("Gemm", ["b", "fc1.weight"], ["c"], transB=1),
        helper.make_node("MatMul", ["c", "fc2.weight"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "network", [], [], weights)
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    pd.testing.assert_frame_equal(table(tmp_path / "m.onnx", NAMES), expected, check_names=False)


@pytest.mark.filterwarnings("ignore")  # Keras warns about its own older format
@pytest.mark.parametrize("ending", ["live", "m.keras", "m.h5", "m.weights.h5"])
def test_keras(kernels, expected, tmp_path, ending):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    pytest.importorskip("torch", reason="its backend is not installed")
    image, vector = keras.Input((8, 8, 2)), keras.Input((12,))
    hidden = keras.layers.Conv2D(4, 3, name="conv")(image)
    outputs = keras.layers.Conv2D(6, 2, groups=2, name="grouped")(hidden)
    dense = keras.layers.Dense(5, name="fc2")(keras.layers.Dense(8, name="fc1")(vector))
    model = keras.Model([image, vector], [outputs, dense])
    for name, kernel in kernels.items():
        model.get_layer(name).kernel.assign(kernel)
    names = [f"{name}/kernel" for name in kernels]
    if ending == "live":
        source, options = model, {}
    elif ending == "m.weights.h5":  # without the configuration
        model.save_weights(tmp_path / ending)
        source, options = tmp_path / ending, {"geometry": {"grouped/*": tg.masks.Geometry(groups=2)}}
    else:
        model.save(tmp_path / ending)
        source, options = tmp_path / ending, {}
    frame = tg.measure(source, METRICS, **options)
    values = frame.loc[names].drop(columns=["reason", "read_as"]).astype(float)
    assert np.array_equal(values.to_numpy(), expected.to_numpy())
    assert "taps × inputs × outputs" in frame.loc["conv/kernel", "read_as"]


def test_a_keras_model_of_ones_own():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    pytest.importorskip("torch", reason="its backend is not installed")

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.layers.Conv2D(6, 2, groups=2, name="any_name")
            self.second = keras.layers.DepthwiseConv2D(2, name="other_name")

        def call(self, x):
            return self.second(self.first(x))

    model = Own()
    model(np.zeros((1, 8, 8, 4), np.float32))
    masks = tg.load(model)
    assert [graph.n_components for graph in masks.values()] == [2, 6]
