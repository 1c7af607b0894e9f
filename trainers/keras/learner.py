"""Keras models with their data, as `trainers.course` asks for them: `FittedLearner`; `KerasLearner` of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.initialization import dropout_generator, dropout_mask
from trainers.keras.choosing import quiet
from trainers.keras.layer import keras
from trainers.keras.model import build_model, losses

Array = npt.NDArray[Any]
_AT_ONCE = 10_000  # samples per prediction call


class FittedLearner:
    """A compiled Keras model to train on a data set.

    Parameters
    ----------
    trained
        The model to fit; beside the samples it may have inputs that `_factors` gives.
    inference
        The model to ask.
    dataset, config
        Data and settings.
    shape
        Shape of a sample as the models take it.
    """

    def __init__(
        self, trained: Any, inference: Any, dataset: Dataset, config: TrainingConfig, shape: tuple[int, ...]
    ) -> None:
        self._trained, self._inference, self._data, self._config, self._shape = (
            trained, inference, dataset, config, shape,
        )  # fmt: skip
        self._targets = np.eye(dataset.n_classes, dtype=config.dtype)[dataset.y_train]

    @property
    def _variables(self) -> list[Any]:
        """All that training changes."""
        return list(self._trained.trainable_variables)

    def train_epoch(self, epoch: int, order: npt.NDArray[np.int64], rate: float) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        config, model = self._config, self._trained
        if float(numpy_of(model.optimizer.learning_rate)) != np.float32(rate):
            model.optimizer.learning_rate = rate
        x = [self._samples(self._data.x_train[order]), *self._factors(epoch, len(order))]
        logs = model.fit(
            x if len(x) > 1 else x[0], self._targets[order], config.batch_size, shuffle=False, verbose=0
        ).history
        return float(logs["loss"][-1]), float(logs["accuracy"][-1])

    def evaluate(self, samples: npt.NDArray[np.int64]) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        outputs, labels = self._outputs(self._data.x_train[samples]), self._data.y_train[samples]
        return losses(outputs, labels, self._config), float(np.mean(outputs.argmax(axis=1) == labels))

    def predict(self) -> npt.NDArray[np.int64]:
        """See `trainers.course.Learner`."""
        return np.asarray(self._outputs(self._data.x_test).argmax(axis=1))

    def parameters(self) -> list[Array]:
        """See `trainers.course.Learner`."""
        return [numpy_of(variable) for variable in self._variables]

    def set_parameters(self, parameters: Sequence[Array]) -> None:
        """See `trainers.course.Learner`."""
        for variable, array in zip(self._variables, parameters, strict=True):
            variable.assign(array)

    def _factors(self, epoch: int, samples: int) -> list[Array]:
        """What the model takes beside the samples."""
        return []

    def _samples(self, x: npt.NDArray[np.float32]) -> Array:
        return x.reshape(-1, *self._shape).astype(self._config.dtype, copy=False)

    def _outputs(self, x: npt.NDArray[np.float32]) -> Array:
        """Outputs for samples in rows: probabilities, or logits with cross-entropy."""
        x, network = self._samples(x), self._inference
        with quiet():
            return np.concatenate(
                [network.predict_on_batch(x[begin : begin + _AT_ONCE]) for begin in range(0, len(x), _AT_ONCE)]
            )


class KerasLearner(FittedLearner):
    """A model of the topology's layers to train on a data set."""

    def __init__(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> None:
        self._topology, self._model = topology, build_model(topology, config)
        super().__init__(self._model.trained, self._model.inference, dataset, config, (dataset.n_features,))

    def weights(self) -> list[Array]:
        """The weights of each layer, in the order of ``graph.edges()``."""
        layers = zip(self._model.layers, self._topology, strict=True)
        return [layer.masked_kernel()[tuple(graph.edges().T)] for layer, graph in layers]

    def biases(self) -> list[Array]:
        """The biases of each layer; zeros without biases."""
        return [
            np.zeros(layer.units, self._config.dtype) if layer.bias is None else numpy_of(layer.bias)
            for layer in self._model.layers
        ]

    def device(self) -> str:
        """Where the model is."""
        return device_of(self._model.layers[0].kernel)

    def _factors(self, epoch: int, samples: int) -> list[Array]:
        """Dropout as the contract draws it, step by step, layer by layer: one array per layer, samples in rows."""
        config, dropped = self._config, self._model.dropped
        if not dropped:
            return []
        generator = dropout_generator(epoch, config)
        drawn: dict[int, list[Array]] = {number: [] for number in dropped}
        for begin in range(0, samples, config.batch_size):
            size = min(config.batch_size, samples - begin)
            for number, width in dropped.items():
                rate = config.dropout_hidden if number else config.dropout_input
                drawn[number].append(dropout_mask(generator, (width, size), rate, config.dtype).T)
        return [np.concatenate(parts) for parts in drawn.values()]


def device_of(variable: Any) -> str:
    """Where a variable is."""
    value = variable.value
    if keras.config.backend() == "jax":
        return ", ".join(sorted(str(device) for device in value.devices()))
    return str(value.device)


def numpy_of(variable: Any) -> Array:
    """A copy of a variable's values."""
    with quiet():
        return np.array(keras.ops.convert_to_numpy(variable.value))
