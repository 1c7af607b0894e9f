"""`train_model`: from a model and its masks to a result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from topograph.errors import InvalidModelError
from topograph.graph import BipartiteGraph
from topograph.masks.torch.copying import plain_copy
from topograph.packages import require
from trainers.config import TrainingConfig
from trainers.course import run_course
from trainers.datasets import Dataset
from trainers.initialization import validation_split
from trainers.models.building import check_outputs, framework_of
from trainers.models.spec import ModelSpec
from trainers.pytorch.masked_model import MaskedModel
from trainers.pytorch.model_learner import ModelLearner
from trainers.result import TrainingResult

torch: Any = require("torch", "torch")


def train_model(
    trainer: str,
    model: ModelSpec | str | Any,
    masks: Mapping[str, BipartiteGraph],
    dataset: Dataset,
    config: TrainingConfig,
    device: Any,
    device_name: str,
) -> TrainingResult:
    """Train a model under masks; see `trainers.protocol.ModelTrainer`."""
    started = time.perf_counter()
    label, module = make_module(model, dataset, config.seed)
    module = module.to(device, getattr(torch, config.dtype))
    samples = dataset.n_train
    learning, _ = validation_split(samples, config)
    steps = -(-len(learning) // config.batch_size)
    masked = MaskedModel(label, module, masks, config, steps)
    learner = ModelLearner(masked, dataset, config, device)
    trained = run_course(learner, config, samples, dataset.y_test, masked.rewiring)
    final, weights = masked.masks, masked.weights()
    return trained.to_result(
        trainer,
        final,
        dataset,
        config,
        weights=weights,
        biases=(),
        seconds=time.perf_counter() - started,
        device=device_name,
        packages=("numpy", "torch"),
        model=masked.finished(),
    )


def make_module(model: ModelSpec | str | Any, dataset: Dataset, seed: int) -> tuple[str, Any]:
    """A model in words, and a module of our own: a new one with initial weights, or a copy of a live one.

    Raises
    ------
    InvalidModelError
    """
    if isinstance(model, (str, ModelSpec)):
        spec = ModelSpec.of(model)
        label, module = spec.label, spec.build(dataset, seed=seed)
    else:
        label, module = type(model).__name__, model
    if framework_of(module) != "torch":
        raise InvalidModelError(
            f"the trainer 'pytorch' trains a torch.nn.Module, but the model {label} is "
            f"{'a keras.Model' if framework_of(module) else f'a {type(module).__name__}'}: give a ModelSpec, a name "
            "of one, or a live model of PyTorch"
        )
    if module is model:
        module = plain_copy(model, "it is trained")
        check_outputs(label, module, dataset.shape, dataset.n_classes)
    return label, module
