"""ONNX: orientation by node, gates, embeddings, constants on their way to a node."""

import numpy as np
import pytest

import topograph as tg

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
helper, numpy_helper, proto = onnx.helper, onnx.numpy_helper, onnx.TensorProto
W = np.array([[1, 0, 1], [0, 1, 0]], dtype=np.float32)  # inputs × outputs
GRAPH = tg.BipartiteGraph.from_mask(W)


def model(path, nodes, weights, inputs=(), extra=()):
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **node[3]) for node in nodes], "g", list(inputs), [], tensors
    )
    graph.sparse_initializer.extend(extra)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


@pytest.mark.parametrize(
    ("kind", "place", "options", "turned"),
    [
        ("Gemm", 1, {}, False),
        ("Gemm", 1, {"transB": 1}, True),
        ("Gemm", 0, {}, True),
        ("Gemm", 0, {"transA": 1}, False),
        ("MatMul", 1, {}, False),
        ("MatMul", 0, {}, True),
    ],
)
def test_orientation(tmp_path, kind, place, options, turned):
    operands = ["w", "x"] if place == 0 else ["x", "w"]
    path = model(tmp_path / "m.onnx", [(kind, operands, ["y"], options)], {"w": W.T.copy() if turned else W})
    masks = tg.load(path)
    assert masks["w"] == GRAPH
    assert masks.read_as["w"] == f"{'outputs × inputs, turned' if turned else 'inputs × outputs'}; {kind}"


def test_on_the_way_to_a_node(tmp_path):
    nodes = [
        ("Transpose", ["a"], ["at"], {"perm": [1, 0]}),
        ("MatMul", ["x", "at"], ["b"], {}),
        ("DequantizeLinear", ["q", "scale"], ["qf"], {}),
        ("MatMul", ["b", "qf"], ["c"], {}),
        ("Mul", ["v", "v_mask"], ["masked"], {}),
        ("MatMul", ["c", "masked"], ["d"], {}),
        ("Constant", [], ["k"], {"value": numpy_helper.from_array(W)}),
        ("MatMul", ["d", "k"], ["y"], {}),
    ]
    weights = {"a": W.T.copy(), "q": W.astype(np.int8), "scale": np.float32(0.1), "v": np.ones_like(W), "v_mask": W}
    masks = tg.load(model(tmp_path / "m.onnx", nodes, weights))
    assert dict(masks) == dict.fromkeys(["a", "q", "v", "k"], GRAPH)


def test_recurrent(tmp_path):
    random = np.random.default_rng(0)
    w, r = (random.normal(size=(2, 8, n)).astype(np.float32) * (random.random((2, 8, n)) < 0.5) for n in (3, 2))
    nodes = [("LSTM", ["x", "W", "R"], ["y"], {"hidden_size": 2, "direction": "bidirectional"})]
    masks = tg.load(model(tmp_path / "m.onnx", nodes, {"W": w, "R": r}))
    assert len(masks) == 16
    assert masks["W:reverse:forget"] == tg.BipartiteGraph.from_mask(w[1, 4:6].T)
    assert masks["R:forward:output"] == tg.BipartiteGraph.from_mask(r[0, 2:4].T)


def test_what_is_left_out(tmp_path):
    nodes = [
        ("Gather", ["table", "x"], ["a"], {}),
        ("Gemm", ["a", "w", "bias"], ["b"], {}),
        ("Add", ["b", "shift"], ["y"], {}),
    ]
    weights = {"table": W, "w": W, "bias": np.ones(3, np.float32), "shift": W, "spare": W}
    masks = tg.load(model(tmp_path / "m.onnx", nodes, weights))
    assert list(masks) == ["w"]
    assert "embedding" in masks.left_out["table"]
    assert masks.left_out["bias"] == "has 1 dimension, a mask has two or more"
    assert masks.left_out["shift"] == "is used by Add, not as a layer's weight"
    assert masks.left_out["spare"] == "is used by no node"


def test_inner_graphs(tmp_path):
    inner = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "i", [], [], [numpy_helper.from_array(W, "w")]
    )
    nodes = [("If", ["c"], ["y"], {"then_branch": inner, "else_branch": inner}), ("MatMul", ["x", "w"], ["z"], {})]
    assert list(tg.load(model(tmp_path / "m.onnx", nodes, {"w": W}))) == ["w", "w#2", "w#3"]


def test_sparse_initializer(tmp_path):
    rows, columns = np.nonzero(W)
    for indices in (rows * 3 + columns, np.stack([rows, columns], axis=1)):
        sparse = helper.make_sparse_tensor(
            numpy_helper.from_array(W[rows, columns], "w"),
            numpy_helper.from_array(indices.astype(np.int64), "i"),
            W.shape,
        )
        path = model(tmp_path / "m.onnx", [("MatMul", ["x", "w"], ["y"], {})], {}, extra=[sparse])
        assert tg.load(path)["w"] == GRAPH


def test_convolution_knows_its_image(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer = torch.nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, bias=False)
    with torch.no_grad():
        layer.weight.mul_(torch.rand_like(layer.weight) < 0.5)
    options = {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 2, "kernel_shape": [3, 3]}
    inputs = [helper.make_tensor_value_info("x", proto.FLOAT, [1, 2, 7, 6])]
    weights = {"w": layer.weight.detach().numpy()}
    path = model(tmp_path / "m.onnx", [("Conv", ["x", "w"], ["y"], options)], weights, inputs)
    assert tg.load(path, unfold="unrolled")["w"] == tg.load(layer, unfold="unrolled", geometry=(7, 6))["weight"]


@pytest.mark.filterwarnings("ignore")  # the exporter's own
def test_exported_by_pytorch(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5), nn.Linear(5, 3, bias=False)
    )
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(torch.rand_like(weight) < 0.5)
    path = tmp_path / "m.onnx"
    torch.onnx.export(network, torch.ones(1, 2, 6, 6), str(path), dynamo=False)
    exported, live = tg.load(path), tg.load(network)
    assert list(exported.values()) == list(live.values())


QUANTIZED = np.where(np.random.default_rng(0).random((20, 12)) < 0.3, 200, 128).astype(np.uint8)


@pytest.mark.parametrize(
    "nodes",
    [
        [("DequantizeLinear", ["q", "s", "z"], "w", {}), ("MatMul", ["x", "w"], "y", {})],
        [("DequantizeLinear", ["q", "ss", "zz"], "w", {"axis": 1}), ("MatMul", ["x", "w"], "y", {})],
        [("MatMulInteger", ["x", "q", "xz", "z"], "y", {})],
        [("MatMulInteger", ["x", "q", "xz", "zz"], "y", {})],
        [("QLinearMatMul", ["x", "s", "z", "q", "s", "z", "s", "z"], "y", {})],
    ],
)
def test_the_zero_point_is_zero(tmp_path, nodes):
    constants = {
        "q": QUANTIZED, "s": np.float32(0.1), "z": np.uint8(128), "xz": np.uint8(0),
        "ss": np.full(12, 0.1, np.float32), "zz": np.full(12, 128, np.uint8),
    }  # fmt: skip
    used = {name for _, inputs, _, _ in nodes for name in inputs}
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output], **options) for kind, inputs, output, options in nodes],
        "net",
        [helper.make_tensor_value_info("x", proto.FLOAT, [1, 20])],
        [helper.make_tensor_value_info("y", proto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used],
    )
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    masks = tg.load(tmp_path / "m.onnx")
    assert masks["q"] == tg.BipartiteGraph.from_mask(QUANTIZED != 128)
    assert "zero is its zero point" in masks.read_as["q"]
