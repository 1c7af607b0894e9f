"""Kernels that Keras quantized to 4 bits, live and in a file, against Keras's own unpacking."""

import warnings

import numpy as np
import pytest

import topograph as tg


def numbers(tensor):
    """The values on Keras's PyTorch backend."""
    return tensor.detach().cpu().numpy()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own, of NumPy on the PyTorch backend
@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize("bias", [True, False])
def test_unpacked_as_keras_does(tmp_path, size, bias):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    pytest.importorskip("torch", reason="the backend is not installed")
    model = keras.Sequential([keras.Input((size,)), keras.layers.Dense(7, use_bias=bias)])
    weights = np.random.default_rng(0).normal(size=(size, 7)).astype(np.float32)
    kept = np.random.default_rng(1).random((size, 7)) < 0.4
    model.layers[0].kernel.assign(np.where(kept, weights, 0))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's own, that the input layer has nothing to quantize
            model.quantize("int4")
    except (ValueError, NotImplementedError) as error:
        pytest.skip(f"this Keras cannot: {error}")
    layer = model.layers[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's own, on the PyTorch backend
            whole = numbers(keras.quantizers.unpack_int4(layer._kernel.value, 7, axis=-1))
    except (AttributeError, TypeError) as error:
        pytest.skip(f"this Keras packs in another way: {error}")
    if getattr(layer, "kernel_zero", None) is not None:
        groups = numbers(layer.g_idx.value).astype(int)
        whole = whole - numbers(layer.kernel_zero.value)[groups]
    graph = tg.BipartiteGraph.from_mask(whole != 0)
    assert not (graph.to_mask() & ~kept).any()
    live = tg.load(model)
    model.save(tmp_path / "m.keras")
    stored = tg.load(tmp_path / "m.keras")
    assert list(live.values()) == list(stored.values()) == [graph]
