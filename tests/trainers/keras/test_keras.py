"""`MaskedDense` in models of one's own, and what Keras runs on."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, MissingDependencyError, UnsupportedSettingError
from trainers import TrainingConfig, get_trainer, load_dataset
from trainers.conformance import check_trainer

os.environ.setdefault("KERAS_BACKEND", "torch")  # must be said before Keras is first imported
keras = pytest.importorskip("keras", reason="Keras is not installed")
pytest.importorskip(os.environ["KERAS_BACKEND"], reason="its backend is not installed")

from trainers.keras import MaskedDense  # noqa: E402

GRAPH = tg.construct("random_regular", 12, 8, degree=3, seed=0)


def run(code, **environment):
    found = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"} | environment
    done = subprocess.run([sys.executable, "-c", code], env=found, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def make_model():
    layers = [MaskedDense(8, GRAPH, activation="relu", name="first"), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((12,)), *layers])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_no_optimizer_brings_a_connection_back(optimizer):
    model = make_model()
    model.compile(keras.optimizers.get(optimizer), "mse")
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 12), dtype=np.float32), rng.random((40, 3), dtype=np.float32)
    before = model.layers[0].masked_kernel()
    model.fit(x, y, epochs=3, verbose=0)
    after = model.layers[0].masked_kernel()
    assert ((after != 0) == GRAPH.to_mask()).all()
    assert (after[GRAPH.to_mask()] != before[GRAPH.to_mask()]).any()
    assert len(model.layers[0].trainable_variables) == 2
    assert len(model.layers[0].non_trainable_variables) == 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_saved_by_one_backend_read_by_the_other(tmp_path):
    model, path = make_model(), tmp_path / "model.keras"
    model.save(path)
    x = np.random.default_rng(1).random((5, 12), dtype=np.float32)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import keras, numpy as np\n"
        "from trainers.keras import MaskedDense\n"
        f"folder = {str(tmp_path)!r}\n"
        "model = keras.saving.load_model(folder + '/model.keras')\n"
        "assert type(model.layers[0]) is MaskedDense\n"
        "np.save(folder + '/y.npy', model.predict(np.load(folder + '/x.npy'), verbose=0))\n"
        "np.save(folder + '/kernel.npy', model.layers[0].masked_kernel())\n"
        "model.save(folder + '/again.keras')\n"
        "print(keras.config.backend())"
    )
    other = "torch" if keras.config.backend() == "jax" else "jax"
    assert run(code, KERAS_BACKEND=other) == other
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model.predict(x, verbose=0), rtol=1e-5)
    assert ((np.load(tmp_path / "kernel.npy") != 0) == GRAPH.to_mask()).all()
    again = keras.saving.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again.layers[0].masked_kernel(), model.layers[0].masked_kernel())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("use_bias", [True, False])
def test_its_mask_is_measured_in_memory_and_in_files(use_bias, tmp_path):
    layer = MaskedDense(8, GRAPH, use_bias=use_bias, name="first")
    model = keras.Sequential([keras.Input((12,)), layer, keras.layers.Dense(3, name="last")])
    model.save(tmp_path / "model.keras")
    for found in (tg.load(model), tg.load(tmp_path / "model.keras")):
        assert list(found) == ["first/kernel", "last/kernel"]
        assert found["first/kernel"] == GRAPH


def test_a_mask_of_another_shape_and_none():
    with pytest.raises(InvalidMaskError, match="must be 5 × 8 as the kernel is, not"):
        MaskedDense(8, GRAPH, name="wrong").build((None, 5))
    layer = MaskedDense(2, use_bias=False, kernel_initializer="ones")
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.masked_kernel(), np.ones((3, 2)))
    array = MaskedDense(8, GRAPH.to_mask() * 2.0, kernel_initializer="ones")
    array.build((None, 12))
    np.testing.assert_array_equal(array.masked_kernel(), GRAPH.to_mask())


def test_keras_never_looks_for_tensorflow():
    code = (
        "import sys; from trainers.keras.choosing import import_keras; keras = import_keras()\n"
        "print(keras.config.backend(), any(name.split('.')[0] == 'tensorflow' for name in sys.modules))"
    )
    assert run(code) == "torch False"


def test_float64_is_refused_since_keras_would_round_to_float32():
    topology = tg.Topology.build("dense", [64, 10])
    with pytest.raises(UnsupportedSettingError, match=r"'keras' does not offer dtype='float64' \(offered: 'float32'\)"):
        get_trainer("keras").train(topology, load_dataset("digits"), TrainingConfig(dtype="float64"))


def test_samples_whose_outputs_are_equal_may_be_counted_either_way():
    check_trainer("keras", only=["drawn_sizes"], seed=19)  # 17 samples of zeros: outputs that differ by 3e-8


def test_a_backend_that_cannot_train_is_refused_by_name():
    code = (
        "import topograph as tg\n"
        "from trainers import TrainingConfig, get_trainer, load_dataset\n"
        "topology, trainer = tg.Topology.build('dense', [64, 10]), get_trainer('keras')\n"
        "try: trainer.train(topology, load_dataset('digits'), TrainingConfig())\n"
        "except tg.TopographError as error: print(type(error).__name__, error)"
    )
    assert "UnsupportedSettingError Keras's backend 'numpy' cannot train" in run(code, KERAS_BACKEND="numpy")


def test_without_keras_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match=r"pip install 'topograph\[keras\]'"):
        get_trainer("keras")
