"""`KerasTrainer`: the Keras backend behind the trainer contract."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from topograph.errors import UnsupportedSettingError
from topograph.packages import require
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.initialization import batch_order, dropout_generator, dropout_mask, validation_split
from trainers.keras.choosing import check_installed, import_keras, quiet
from trainers.protocol import EVERYTHING, check_fit, check_offered
from trainers.result import TrainingResult, balanced_accuracy, sparse_weights
from trainers.schedule import learning_rate_at
from trainers.stopping import EarlyStopping, diverged

if TYPE_CHECKING:
    from trainers.keras.model import Model

_PACKAGES = {"torch": "torch", "jax": "jax", "tensorflow": "tensorflow"}
_AT_ONCE = 10_000  # samples that are asked about at once


class KerasTrainer:
    """Trains with Keras 3, as the paper did: dense kernels under a mask, ``fit`` epoch by epoch.

    On the backend that ``KERAS_BACKEND`` names; where it names none, on PyTorch, else on JAX. Every setting of
    `TrainingConfig` is offered, but ``dtype="float64"`` on JAX only where ``JAX_ENABLE_X64`` is set.

    Raises
    ------
    MissingDependencyError
        When Keras, or what it runs on, is not installed.
    """

    name = "keras"

    def __init__(self) -> None:
        check_installed()

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`; a backend of Keras that cannot train is refused as a setting is."""
        keras = import_keras()
        backend = keras.config.backend()
        check_offered(self.name, config, _offered(backend))
        check_fit(topology, dataset)
        from trainers.keras.model import build_model

        started = time.perf_counter()
        model = build_model(topology, config)
        course = _Course(model, dataset, config)
        course.run()
        predicted = course.ask(dataset.x_test).argmax(axis=1)
        kernels = [layer.masked_kernel()[tuple(g.edges().T)] for layer, g in zip(model.layers, topology, strict=True)]
        return TrainingResult(
            trainer=self.name,
            config=config,
            correct=int(np.count_nonzero(predicted == dataset.y_test)),
            total=len(dataset.y_test),
            train_accuracy=course.train_accuracy(),
            history={name: tuple(values) for name, values in course.history.items()},
            weights=sparse_weights(topology, kernels),
            biases=tuple(
                np.zeros(layer.units, config.dtype) if layer.bias is None else _numpy(layer.bias)
                for layer in model.layers
            ),
            seconds=time.perf_counter() - started,
            device=_device(backend, model.layers[0].kernel),
            versions={name: version(name) for name in ("topograph", "numpy", "keras", _PACKAGES[backend])},
            balanced_accuracy=balanced_accuracy(predicted, dataset.y_test),
        )


def _offered(backend: str) -> Mapping[str, Any]:
    if backend not in _PACKAGES:
        raise UnsupportedSettingError(
            f"Keras's backend {backend!r} cannot train: set KERAS_BACKEND to torch or jax before Keras is imported"
        )
    if backend == "jax" and not require("jax", "jax").config.jax_enable_x64:
        return {**EVERYTHING, "dtype": ("float32",)}
    return EVERYTHING


class _Course:
    """A model while it is trained on a data set."""

    def __init__(self, model: Model, dataset: Dataset, config: TrainingConfig) -> None:
        self._model, self._data, self._config = model, dataset, config
        self._learning, self._watched = validation_split(len(dataset.x_train), config)
        self._targets = np.eye(dataset.n_classes, dtype=config.dtype)[dataset.y_train]
        self.history: dict[str, list[float]] = {}

    def run(self) -> None:
        """All epochs."""
        config, data, model = self._config, self._data, self._model
        stopping, best = EarlyStopping(config), self._parameters()
        for epoch in range(config.epochs):
            values = self._train_epoch(epoch)
            if not (np.isfinite(values["loss"]) and all(np.isfinite(array).all() for array in self._parameters())):
                raise diverged(values["loss"], epoch, config)
            values["test_accuracy"] = float(np.mean(self.ask(data.x_test).argmax(axis=1) == data.y_test))
            if len(self._watched):
                from trainers.keras.model import losses

                said, labels = self.ask(data.x_train[self._watched]), data.y_train[self._watched]
                values["validation_loss"] = losses(said, labels, config)
                values["validation_accuracy"] = float(np.mean(said.argmax(axis=1) == labels))
            for name, value in values.items():
                self.history.setdefault(name, []).append(value)
            if stopping.improved(epoch, values.get("validation_loss", np.inf)):
                best = self._parameters()
            elif stopping.over(epoch):
                break
        if config.patience:
            for variable, array in zip(model.trained.trainable_variables, best, strict=True):
                variable.assign(array)

    def _parameters(self) -> list[npt.NDArray[Any]]:
        return [_numpy(variable) for variable in self._model.trained.trainable_variables]

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training samples in the contract's order."""
        config, trained = self._config, self._model.trained
        order = self._learning[batch_order(len(self._learning), epoch, config)]
        rate = learning_rate_at(epoch, config)
        if float(_numpy(trained.optimizer.learning_rate)) != np.float32(rate):
            trained.optimizer.learning_rate = rate
        x = [self._data.x_train[order].astype(config.dtype, copy=False), *self._factors(epoch, len(order))]
        logs = trained.fit(
            x if len(x) > 1 else x[0], self._targets[order], config.batch_size, shuffle=False, verbose=0
        ).history
        return {"loss": float(logs["loss"][-1]), "train_accuracy": float(logs["accuracy"][-1])}

    def _factors(self, epoch: int, samples: int) -> list[npt.NDArray[Any]]:
        """Dropout as the contract draws it, step by step, layer by layer: an array a layer, samples in rows."""
        config, dropped = self._config, self._model.dropped
        if not dropped:
            return []
        generator = dropout_generator(epoch, config)
        drawn: dict[int, list[npt.NDArray[Any]]] = {number: [] for number in dropped}
        for begin in range(0, samples, config.batch_size):
            size = min(config.batch_size, samples - begin)
            for number, width in dropped.items():
                rate = config.dropout_hidden if number else config.dropout_input
                drawn[number].append(dropout_mask(generator, (width, size), rate, config.dtype).T)
        return [np.concatenate(parts) for parts in drawn.values()]

    def ask(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """What the model says of samples in rows."""
        x = x.astype(self._config.dtype, copy=False)
        asked = self._model.asked
        with quiet():
            return np.concatenate([asked.predict_on_batch(x[at : at + _AT_ONCE]) for at in range(0, len(x), _AT_ONCE)])

    def train_accuracy(self) -> float:
        """Of the samples that it learnt from, in the end."""
        said = self.ask(self._data.x_train[self._learning])
        return float(np.mean(said.argmax(axis=1) == self._data.y_train[self._learning]))


def _numpy(variable: Any) -> npt.NDArray[Any]:
    with quiet():
        return np.array(import_keras().ops.convert_to_numpy(variable.value))


def _device(backend: str, variable: Any) -> str:
    if backend == "jax":
        return ", ".join(sorted(str(device) for device in variable.value.devices()))
    return str(variable.value.device)
