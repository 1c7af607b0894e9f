"""Every number format, through every format's own library."""

import numpy as np
import pytest

import topograph as tg

PATTERN = np.array([[1, 0, -2], [0, 0, 0.5]])  # inputs × outputs; all exact in every float format
TYPES = ["float64", "float32", "float16", "bfloat16", "int8", "bool"]
GRAPH = tg.BipartiteGraph.from_mask(PATTERN)


def pattern(name):
    values = np.where(PATTERN == 0.5, 1, PATTERN) if name == "int8" else PATTERN
    return values.astype("float32" if name == "bfloat16" else name)


@pytest.mark.parametrize("name", [name for name in TYPES if name != "bfloat16"])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_numpy(tmp_path, name, ending):
    path = tmp_path / f"m.{ending}"
    np.save(path, pattern(name)) if ending == "npy" else np.savez(path, m=pattern(name))
    assert tg.load(path)["m"] == GRAPH


@pytest.mark.parametrize("name", TYPES)
def test_torch(tmp_path, name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    weight = torch.from_numpy(pattern(name).T.copy()).to(getattr(torch, name))
    torch.save({"w": weight}, tmp_path / "m.pt")
    assert tg.load(tmp_path / "m.pt")["w"] == GRAPH
    assert tg.load({"w": weight})["w"] == GRAPH


@pytest.mark.parametrize("name", [*TYPES, "float8_e4m3fn", "float8_e5m2"])
def test_safetensors(tmp_path, name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    from safetensors.torch import save_file

    base = pattern("float32" if name.startswith("float8") else name)
    save_file({"w": torch.from_numpy(base.T.copy()).to(getattr(torch, name))}, tmp_path / "m.safetensors")
    assert tg.load(tmp_path / "m.safetensors")["w"] == GRAPH
    if name not in ("int8", "bool"):
        assert tg.load(tmp_path / "m.safetensors", threshold=0.5)["w"].edges().tolist() == [[0, 0], [0, 2]]


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("raw", [True, False])
def test_onnx(tmp_path, name, raw):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import TensorProto, helper

    kinds = {"float64": "DOUBLE", "float32": "FLOAT", "bfloat16": "BFLOAT16"}
    kind = getattr(TensorProto, kinds.get(name, name.upper()))
    values = pattern(name)
    if raw:
        values = values.astype(helper.tensor_dtype_to_np_dtype(kind))
        weight = onnx.numpy_helper.from_array(values, "w")
    else:
        weight = helper.make_tensor("w", kind, values.shape, values.ravel())
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [], [], [weight])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    assert tg.load(tmp_path / "m.onnx")["w"] == GRAPH


@pytest.mark.parametrize("name", [name for name in TYPES if name != "bfloat16"])
def test_hdf5(tmp_path, name):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["w"] = pattern(name)
    assert tg.load(tmp_path / "m.h5")["w"] == GRAPH


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, on the PyTorch backend
@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_keras(tmp_path, name):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    pytest.importorskip("torch", reason="its backend is not installed")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, dtype=name, name="d")])
    model.layers[0].kernel.assign(PATTERN)
    model.save(tmp_path / "m.keras")
    assert tg.load(tmp_path / "m.keras")["d/kernel"] == GRAPH
    assert tg.load(model)["d/kernel"] == GRAPH


def test_complex_and_text_are_left_out(tmp_path):
    np.savez(tmp_path / "m.npz", good=PATTERN, wave=PATTERN * 1j, words=np.array([["a", "b"]]))
    masks = tg.load(tmp_path / "m.npz")
    assert list(masks) == ["good"]
    assert "complex" in masks.left_out["wave"]
    assert "<U1" in masks.left_out["words"]
