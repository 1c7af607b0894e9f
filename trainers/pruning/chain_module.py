"""A topology as a PyTorch model, whose outputs are before the last activation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from topograph.packages import require
from trainers.config import LEAK, TrainingConfig
from trainers.pruning.differentiable import DifferentiableNetwork, Loss
from trainers.pruning.edges import Scores
from trainers.pruning.layers import PrunableLayer

torch: Any = require("torch", "torch")


def chain_module(layers: Sequence[PrunableLayer], config: TrainingConfig, dtype: str) -> Any:
    """Linear layers named as ``layers``, with the activation of ``config`` between them; weights and biases are 0."""
    nn = torch.nn
    activations = {
        "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "linear": nn.Identity,
        "leaky_relu": lambda: nn.LeakyReLU(LEAK),
    }  # fmt: skip
    parts: dict[str, Any] = {}
    for layer in layers:
        if parts:
            parts[f"activation{len(parts) // 2 + 1}"] = activations[config.activation]()
        m, n = layer.maskable.shape
        linear = nn.Linear(n, m, device="meta").to_empty(device="cpu").to(getattr(torch, dtype))
        with torch.no_grad():
            linear.weight.zero_()
            linear.bias.zero_()
        parts[layer.name] = linear
    return nn.Sequential(OrderedDict(parts))


def differentiable_chain(
    layers: Sequence[PrunableLayer], weights: Sequence[Scores], config: TrainingConfig, dtype: str
) -> DifferentiableNetwork:
    """A chain with these weights, its loss that of ``config``."""
    module = chain_module(layers, config, dtype)
    with torch.no_grad():
        for layer, values in zip(layers, weights, strict=True):
            m, n = layer.maskable.shape
            module.get_submodule(layer.name).weight.copy_(torch.from_numpy(values.reshape(n, m).T.copy()))
    return DifferentiableNetwork(module, layers, loss_before_activation(config), layers[0].maskable.shape[1:])


def loss_before_activation(config: TrainingConfig) -> Loss:
    """The loss of ``config`` as a function of the outputs before their activation, and of the labels."""
    functional = torch.nn.functional

    def activate(z: Any) -> Any:
        name = config.output_activation
        if name == "softmax":
            return torch.softmax(z, 1)
        if name == "leaky_relu":
            return functional.leaky_relu(z, LEAK)
        return z if name == "linear" else getattr(torch, name)(z)

    def loss(z: Any, labels: Any) -> Any:
        if config.loss == "cross_entropy" and config.output_activation == "softmax":
            return functional.cross_entropy(z, labels)
        target = functional.one_hot(labels, z.shape[1]).to(z.dtype)
        if config.loss == "cross_entropy":
            return functional.binary_cross_entropy_with_logits(z, target, reduction="sum") / len(z)
        return (activate(z) - target).square().mean()

    return loss
