"""Unfolded convolutions against the convolution itself."""

import itertools

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidParameterError
from topograph.masks import Geometry

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn


def jacobian_pattern(layer, shape):
    """Which input reaches which output: from the layer itself, one input at a time."""
    with torch.no_grad():
        layer.weight.abs_()
        size = int(np.prod(shape))
        unit = torch.eye(size).reshape(size, *shape)
        return layer(unit).reshape(size, -1).numpy() != 0


def sparse_layer(kind, *arguments, **options):
    torch.manual_seed(1)
    layer = getattr(nn, kind)(*arguments, bias=False, **options)
    with torch.no_grad():
        layer.weight.mul_(torch.rand_like(layer.weight) < 0.5)
    return layer


CASES = [
    ("Conv1d", (2, 4, 3), {}, (7,)),
    ("Conv1d", (2, 4, 3), {"stride": 2, "padding": 2, "dilation": 2}, (9,)),
    *(
        ("Conv2d", (4, 6, 3), {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}, (7, 6))
        for stride, padding, dilation, groups in itertools.product((1, 2, (2, 1)), (0, 1, (2, 0)), (1, 2), (1, 2))
    ),
    ("Conv2d", (4, 4, 3), {"groups": 4, "padding": "same"}, (5, 5)),
    ("Conv2d", (2, 3, (2, 3)), {"padding": "valid"}, (5, 5)),
    ("Conv3d", (2, 2, 2), {"padding": 1}, (3, 4, 3)),
    ("ConvTranspose1d", (2, 4, 3), {}, (5,)),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, (4, 3)),
    ("ConvTranspose2d", (2, 3, 2), {"dilation": 2}, (3, 3)),
]


@pytest.mark.parametrize(("kind", "arguments", "options", "image"), CASES)
def test_unrolled_is_the_jacobian(kind, arguments, options, image):
    layer = sparse_layer(kind, *arguments, **options)
    expected = jacobian_pattern(layer, (arguments[0], *image))
    graph = tg.load(layer, unfold="unrolled", geometry=image)["weight"]
    assert graph == tg.BipartiteGraph.from_mask(expected)


def test_keras_same_padding_of_a_strided_layer():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    for size, kernel, stride in itertools.product((6, 7), (2, 3), (2, 3)):
        layer = keras.layers.Conv2D(2, kernel, strides=stride, padding="same", use_bias=False)
        model = keras.Sequential([keras.Input((size, size, 1)), layer])
        layer.kernel.assign(np.ones(layer.kernel.shape))
        unit = torch.eye(size * size).reshape(-1, size, size, 1)
        with torch.no_grad():
            made = model(unit).permute(0, 3, 1, 2).reshape(size * size, -1).numpy() != 0  # channels first, as our nodes
        name = f"{layer.name}/kernel"
        assert tg.load(model, unfold="unrolled")[name] == tg.BipartiteGraph.from_mask(made), (size, kernel, stride)


def test_kernel_and_channel():
    layer = sparse_layer("Conv2d", 3, 5, 2)
    weight = layer.weight.detach().numpy()
    assert tg.load(layer)["weight"] == tg.BipartiteGraph.from_mask(weight.reshape(5, -1).T)
    norms = np.sqrt((weight.astype(float) ** 2).sum(axis=(2, 3))).T
    assert tg.load(layer, unfold="channel")["weight"] == tg.BipartiteGraph.from_mask(norms)
    cut = float(np.median(norms))
    strong = tg.load(layer, unfold="channel", threshold=cut)["weight"]
    assert np.array_equal(strong.to_mask(), norms > cut)
    assert tg.load(layer, unfold="channel", density=0.4)["weight"].n_edges == 6


def test_channel_norm_of_tiny_weights_does_not_vanish():
    weight = np.full((1, 1, 2, 2), 1e-200)
    assert tg.load({"w": weight}, unfold="channel", orientation="out_in")["w"].n_edges == 1


def test_depthwise_keras_and_torch_agree():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    layer = sparse_layer("Conv2d", 3, 6, 2, groups=3)
    twin = keras.layers.DepthwiseConv2D(2, depth_multiplier=2, use_bias=False, name="d")
    model = keras.Sequential([keras.Input((4, 4, 3)), twin])
    twin.kernel.assign(layer.weight.detach().numpy().reshape(3, 2, 2, 2).transpose(2, 3, 0, 1))
    for unfold in ("kernel", "channel", "unrolled"):
        ours = tg.load(layer, unfold=unfold, geometry=(4, 4))["weight"]
        assert tg.load(model, unfold=unfold)["d/kernel"] == ours


def test_what_unrolling_needs():
    layer = sparse_layer("Conv2d", 3, 5, 3)
    masks = tg.load(nn.Sequential(layer, nn.Linear(2, 2)), unfold="unrolled")
    assert masks.left_out["0.weight"] == "input_size is unknown; pass geometry=Geometry(input_size=…)"
    masks = tg.load(nn.Sequential(layer, nn.Linear(2, 2)), unfold="unrolled", geometry={"0.*": (2, 2)})
    assert "too small" in masks.left_out["0.weight"]
    masks = tg.load(nn.Sequential(layer, nn.Linear(2, 2)), unfold="unrolled", geometry=(5000, 5000))
    assert "use unfold='kernel'" in masks.left_out["0.weight"]
    with pytest.raises(InvalidParameterError, match="input_size"):
        Geometry(input_size=(0, 3))
