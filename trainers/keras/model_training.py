"""`train_model`: from a Keras model and its masks to a result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidModelError, TopographError
from topograph.graph import BipartiteGraph
from topograph.masks.applying import apply_masks
from topograph.masks.keras.variables import variable_path
from trainers.config import TrainingConfig
from trainers.course import run_course
from trainers.datasets import Dataset
from trainers.keras.choosing import quiet
from trainers.keras.layer import keras
from trainers.keras.learner import FittedLearner, device_of, numpy_of
from trainers.keras.model import Loss
from trainers.keras.optimizers import make_masked_optimizer
from trainers.models.building import random_state
from trainers.models.making import make_module
from trainers.models.masking import ModelMasks
from trainers.models.spec import ModelSpec
from trainers.protocol import check_dataset
from trainers.result import TrainingResult


def train_model(
    trainer: str,
    model: ModelSpec | str | Any,
    masks: Mapping[str, BipartiteGraph],
    dataset: Dataset,
    config: TrainingConfig,
    packages: Sequence[str],
) -> TrainingResult:
    """Train a model under masks; see `trainers.protocol.ModelTrainer`."""
    started = time.perf_counter()
    check_dataset(dataset)
    label, module = make_module(
        model, dataset, config.seed, trainer="keras", framework="keras", copied=partial(_copied, seed=config.seed)
    )
    fitting = ModelMasks(label, module, masks)
    learner = ModelLearner(label, module, fitting.tensors, dataset, config)
    trained = run_course(learner, config, dataset.n_train, dataset.y_test)
    weights = fitting.weights(learner.values, fitting.graphs)
    apply_masks(fitting.graphs, module)
    return trained.to_result(
        trainer,
        fitting.to_mask_set(),
        dataset,
        config,
        weights=weights,
        biases=(),
        seconds=time.perf_counter() - started,
        device=learner.device(),
        packages=packages,
        model=module,
    )


class ModelLearner(FittedLearner):
    """A Keras model on some of its edges.

    Gradients are multiplied by the masks before anything reads them, so that weights and the optimizer's memory, which
    begin at 0 without an edge, stay 0.

    Parameters
    ----------
    label
        The model in words.
    model
        The model; it is trained in place.
    masks
        Path of a variable → mask of its shape.
    dataset, config
        Data and settings.
    """

    def __init__(
        self,
        label: str,
        model: Any,
        masks: Mapping[str, npt.NDArray[np.bool_]],
        dataset: Dataset,
        config: TrainingConfig,
    ) -> None:
        self._label, self._model = label, model
        self._by_path = {variable_path(model, variable): variable for variable in model.variables}
        for path, mask in masks.items():
            variable = self._by_path[path]
            variable.assign(np.where(mask, numpy_of(variable), 0).astype(config.dtype))
        activated = config.loss == "mse" and config.output_activation != "linear"
        trained = _Activated(model, config.output_activation) if activated else model
        trained.compile(
            make_masked_optimizer(config, {self._by_path[path].path: mask for path, mask in masks.items()}),
            Loss(config),
            metrics=[keras.metrics.CategoricalAccuracy("accuracy", dtype="float32")],
        )
        super().__init__(trained, trained, dataset, config, dataset.shape)

    @property
    def _variables(self) -> list[Any]:
        return list(self._by_path.values())

    def values(self, path: str) -> npt.NDArray[Any]:
        """The values of a variable by its path."""
        return numpy_of(self._by_path[path])

    def device(self) -> str:
        """Where the model is."""
        return device_of(self._variables[0])

    def train_epoch(self, epoch: int, order: npt.NDArray[np.int64], rate: float) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        with self._errors():
            return super().train_epoch(epoch, order, rate)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (TopographError, MemoryError):
            raise
        except Exception as error:  # of anybody's model, any may come
            raise InvalidModelError(
                f"the model {self._label} failed while it trained on samples of shape {self._shape}: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            ) from error


class _Activated(keras.Model):  # type: ignore[misc, unused-ignore]
    """A model with the output activation of the settings."""

    def __init__(self, model: Any, activation: str) -> None:
        super().__init__()
        self._model = model
        self._activation = keras.activations.get(activation)

    def call(self, x: Any, training: bool = False) -> Any:
        """Samples → outputs after the activation."""
        return self._activation(self._model(x, training=training))


def _copied(label: str, model: Any, seed: int) -> Any:
    with quiet(), random_state(seed):
        try:
            module = keras.models.clone_model(model)
            module.set_weights(model.get_weights())
        except Exception as error:  # of somebody else's model, any may come
            raise InvalidModelError(
                f"the model {label} cannot be copied ({type(error).__name__}: {str(error)[:200]}), and a live one is "
                "not trained itself: give a function that makes it, as 'package.module:function'"
            ) from error
    return module
