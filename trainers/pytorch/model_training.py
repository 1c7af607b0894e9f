"""`train_model`: from a model and its masks to a result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from topograph.errors import InvalidModelError
from topograph.graph import BipartiteGraph
from topograph.masks.torch.copying import plain_copy
from topograph.masks.torch.masking import fixed_mask
from topograph.packages import require
from trainers.config import TrainingConfig
from trainers.course import run_course
from trainers.datasets import Dataset
from trainers.initialization import validation_split
from trainers.models.making import make_module
from trainers.models.spec import ModelSpec
from trainers.protocol import check_dataset
from trainers.pytorch.compressed_model import CompressedModel
from trainers.pytorch.masked_model import MaskedModel
from trainers.pytorch.model_learner import ModelLearner
from trainers.result import TrainingResult

torch: Any = require("torch", "torch")
require("torch.nn.utils.prune", "torch")


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
    check_dataset(dataset)
    label, module = make_module(model, dataset, config.seed, trainer="pytorch", framework="torch", copied=_copied)
    _check_trainable(label, module)
    module = module.to(device, getattr(torch, config.dtype))
    samples = dataset.n_train
    learning, _ = validation_split(samples, config)
    steps = -(-len(learning) // config.batch_size)
    kind = MaskedModel if config.compression == "none" else CompressedModel
    masked = kind(label, module, masks, config, steps)
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
        n_parameters=() if config.compression == "none" else masked.n_parameters,
    )


def _check_trainable(label: str, module: Any) -> None:
    """Refuse a model without values, or without anything to train.

    Raises
    ------
    InvalidModelError
    """
    bare = next((name for name, tensor in module.named_parameters() if tensor.is_meta), None)
    if bare is not None:
        raise InvalidModelError(
            f"the model {label} has no values: {bare} is on the device 'meta'; load its weights first"
        )
    if not any(tensor.requires_grad for tensor in module.parameters()):
        raise InvalidModelError(
            f"the model {label} has nothing to train: all its parameters are frozen; set requires_grad of some"
        )


def _copied(label: str, model: Any) -> Any:
    _check_plain(label, model)
    return plain_copy(model, "it is trained")


def _check_plain(label: str, model: Any) -> None:
    """Refuse a live model whose weights something else than masks of ours computes: its copy would train otherwise.

    Raises
    ------
    InvalidModelError
    """
    for path, part in model.named_modules():
        steps = [step for weight in getattr(part, "parametrizations", {}).values() for step in weight]
        others = {type(step).__name__ for step in steps if not isinstance(step, fixed_mask())}
        others |= {
            type(hook).__name__
            for hook in part._forward_pre_hooks.values()
            if isinstance(hook, torch.nn.utils.prune.BasePruningMethod)
        }
        if others:
            raise InvalidModelError(
                f"weights of {path or label} in the model {label} are computed by {', '.join(sorted(others))}: make "
                "them plain, by remove_parametrizations or prune.remove of torch.nn.utils, or train "
                "the model in a loop of your own under masks.apply_to(model)"
            )
