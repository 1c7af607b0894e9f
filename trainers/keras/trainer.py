"""`KerasTrainer`: the Keras backend behind the trainer contract."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from topograph.errors import UnsupportedSettingError
from topograph.graph import BipartiteGraph
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.course import run_course
from trainers.datasets import Dataset
from trainers.keras.choosing import check_installed, import_keras
from trainers.models.spec import ModelSpec
from trainers.protocol import EVERYTHING, MODEL_SETTINGS, check_offered, check_topology
from trainers.result import TrainingResult

_IN_FLOAT32 = {**EVERYTHING, "dtype": ("float32",)}
_PACKAGES = {"torch": "torch", "jax": "jax", "tensorflow": "tensorflow"}


class KerasTrainer:
    """Trains with Keras 3, as the paper did: dense kernels under a mask, ``fit`` epoch by epoch.

    It runs on the backend that ``KERAS_BACKEND`` names; if that is not set, on PyTorch, or on JAX where PyTorch is not
    installed. Every setting of `TrainingConfig` is offered, in ``dtype="float32"``: Keras rounds products of float64
    matrices to float32 on PyTorch and on JAX.

    Raises
    ------
    MissingDependencyError
        When Keras, or the framework that it runs on, is not installed.
    """

    name = "keras"
    framework = "keras"

    def __init__(self) -> None:
        check_installed()

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`; a Keras backend that cannot train is refused like a setting."""
        keras = import_keras()
        backend = keras.config.backend()
        _check_backend(backend)
        check_offered(self.name, config, _IN_FLOAT32)
        check_topology(topology, dataset)
        from trainers.keras.learner import KerasLearner

        started = time.perf_counter()
        learner = KerasLearner(topology, dataset, config)
        trained = run_course(learner, config, len(dataset.y_train), dataset.y_test)
        return trained.to_result(
            self.name,
            topology,
            dataset,
            config,
            weights=learner.weights(),
            biases=learner.biases(),
            seconds=time.perf_counter() - started,
            device=learner.device(),
            packages=("numpy", "keras", _PACKAGES[backend]),
        )

    def train_model(
        self,
        model: ModelSpec | str | Any,
        masks: Mapping[str, BipartiteGraph],
        dataset: Dataset,
        config: TrainingConfig,
    ) -> TrainingResult:
        """See `trainers.protocol.ModelTrainer`; in ``dtype="float32"`` and without rewiring, on any Keras backend."""
        backend = import_keras().config.backend()
        _check_backend(backend)
        check_offered(self.name, config, {**MODEL_SETTINGS, "dtype": ("float32",)})
        from trainers.keras.model_training import train_model

        return train_model(self.name, model, masks, dataset, config, ("numpy", "keras", _PACKAGES[backend]))


def _check_backend(backend: str) -> None:
    if backend not in _PACKAGES:
        raise UnsupportedSettingError(
            f"Keras's backend {backend!r} cannot train: set KERAS_BACKEND to torch or jax before Keras is imported"
        )
