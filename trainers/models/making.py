"""`make_module`: the network that a trainer may train in place, from a spec, a name or somebody's live model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from topograph.errors import InvalidModelError
from trainers.datasets import Dataset
from trainers.models.building import check_outputs, framework_of
from trainers.models.model import FRAMEWORKS
from trainers.models.spec import ModelSpec


def make_module(
    model: ModelSpec | str | Any,
    dataset: Dataset,
    seed: int,
    *,
    trainer: str,
    framework: str,
    copied: Callable[[str, Any], Any],
) -> tuple[str, Any]:
    """A model in words, and a network of our own: a new one with initial weights, or a copy of a live one.

    Parameters
    ----------
    model, dataset, seed
        As for `trainers.protocol.ModelTrainer`.
    trainer, framework
        The trainer, and the only framework whose models it trains.
    copied
        The model in words and a live model → its copy.

    Raises
    ------
    InvalidModelError
        When the model is another framework's, cannot be made or copied, or does not fit the data.
    """
    if isinstance(model, (str, ModelSpec)):
        spec = ModelSpec.of(model)
        label, module = spec.label, spec.build(dataset, seed=seed)
    else:
        label, module = type(model).__name__, model
    found = framework_of(module)
    if found != framework:
        raise InvalidModelError(
            f"the trainer {trainer!r} trains a {FRAMEWORKS[framework]}, but the model {label} is a "
            f"{FRAMEWORKS.get(found, type(module).__name__)}: give a ModelSpec, a name of one, or a live "
            f"{FRAMEWORKS[framework]}"
        )
    if module is model:
        module = copied(label, model)
        check_outputs(label, module, dataset.shape, dataset.n_classes)
    return label, module
