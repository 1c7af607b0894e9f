"""Output activations and losses of a `TrainingConfig`, on what a model gives for a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from topograph.packages import require
from trainers.config import LEAK, TrainingConfig

torch: Any = require("torch", "torch")


def activate(name: str, z: Any) -> Any:
    """An activation by its name in `TrainingConfig`."""
    if name == "softmax":
        return torch.softmax(z, -1)
    if name == "leaky_relu":
        return torch.nn.functional.leaky_relu(z, LEAK)
    return z if name == "linear" else getattr(torch, name)(z)


def make_loss(config: TrainingConfig, classes: int) -> Callable[[Any, Any], tuple[Any, Any]]:
    """A function from a model's outputs ``(n, classes)`` and labels to the mean loss and the scores of the classes.

    With cross-entropy the scores are the outputs, since neither softmax nor sigmoid changes their order; else they are
    those after the output activation.
    """
    functional = torch.nn.functional
    if config.loss == "cross_entropy" and config.output_activation == "softmax":
        return lambda z, labels: (functional.cross_entropy(z, labels), z)

    def one_hot(labels: Any, like: Any) -> Any:
        return functional.one_hot(labels, classes).to(like.dtype)

    def binary(z: Any, labels: Any) -> tuple[Any, Any]:
        losses = functional.binary_cross_entropy_with_logits(z, one_hot(labels, z), reduction="sum")
        return losses / len(z), z

    def squared(z: Any, labels: Any) -> tuple[Any, Any]:
        y = activate(config.output_activation, z)
        return functional.mse_loss(y, one_hot(labels, y)), y

    return binary if config.loss == "cross_entropy" else squared
