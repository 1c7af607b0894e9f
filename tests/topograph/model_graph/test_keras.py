"""Keras models that run on PyTorch, in a process of their own: the backend is chosen when Keras is first imported."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("torch")
if find_spec("keras") is None:  # imported here, it would look for the backend of this machine's own choice
    pytest.skip("Keras is not installed", allow_module_level=True)

_CODE = """
import json, keras, numpy as np, torch, topograph as tg
L = keras.layers
NAMES = ["n_edges", "effective_density", "log_path_count", "reachability", "inactive_neurons", "collapsed_layers"]

def row(model, example):
    return [float(value) for value in tg.measure(model, NAMES, example=example).loc["network", NAMES]]

def rows(keras_model, example, torch_model, torch_example, weights):
    tg.MaskSet.build(keras_model, "erdos_renyi", density=0.4, seed=0).apply_to(keras_model)
    by_path = {variable.path.split("/", 1)[1]: variable for variable in keras_model.variables}
    for layer, (name, axes) in weights.items():
        path, _, weight = layer.rpartition(".")
        target = getattr(torch_model.get_submodule(path), weight)
        target.data = torch.tensor(np.array(keras.ops.convert_to_numpy(by_path[name])).transpose(axes).copy())
    return row(keras_model, example), row(torch_model, torch_example)

images = rows(
    keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(3, 3, activation="relu", name="a"), L.BatchNormalization(),
                      L.MaxPooling2D(name="p"), L.Conv2D(2, 2, padding="same", name="b"), L.GlobalAveragePooling2D(),
                      L.Dense(3, name="c")], name="m"),
    (8, 8, 2),
    torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.MaxPool2d(2), torch.nn.Conv2d(3, 2, 2, padding="same"),
                        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(2, 3)),
    (2, 8, 8),
    {"0.weight": ("a/kernel", (3, 2, 0, 1)), "2.weight": ("b/kernel", (3, 2, 0, 1)), "5.weight": ("c/kernel", (1, 0))},
)

class Last(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = torch.nn.LSTM(4, 3, batch_first=True), torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])

cells = rows(
    keras.Sequential([keras.Input((5, 4)), L.LSTM(3, name="cell"), L.Dense(2, name="head")], name="m"),
    (5, 4), Last(), (5, 4),
    {"cell.weight_ih_l0": ("cell/lstm_cell/kernel", (1, 0)),
     "cell.weight_hh_l0": ("cell/lstm_cell/recurrent_kernel", (1, 0)), "head.weight": ("head/kernel", (1, 0))},
)
inputs = keras.Input((5,), dtype="int32")
x = L.Embedding(9, 4)(inputs)
x = L.LayerNormalization()(x + L.MultiHeadAttention(2, 2)(x, x))
words = keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling1D()(x)))
network = tg.network_graph(words, (5,))
print(json.dumps({"images": images, "cells": cells, "words": [len(network.inputs), len(network.outputs)]}))
"""


def _in_keras(code, backend):
    environment = os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


def test_a_keras_model_has_the_row_of_the_same_model_in_pytorch():
    found = json.loads(_in_keras(_CODE, "torch"))
    for kind in ("images", "cells"):
        of_keras, of_torch = found[kind]
        assert of_keras == pytest.approx(of_torch, rel=1e-12), kind
        assert 0 < of_keras[1] < 0.5
    assert found["words"] == [20, 2]


def test_keras_on_another_backend_is_refused_with_the_way_out():
    pytest.importorskip("jax")
    code = (
        "import keras, topograph as tg; m = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]);"
        "t = tg.measure(m, ['density', 'reachability'], example=(3,)); print(t.loc['network', 'reason'])"
    )
    assert "KERAS_BACKEND=torch" in _in_keras(code, "jax")
