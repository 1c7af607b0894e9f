"""PyTorch's optimizers with the meaning that a `TrainingConfig` gives their settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from topograph.packages import require
from trainers.config import TrainingConfig

torch: Any = require("torch", "torch")


def make_optimizer(config: TrainingConfig, decaying: Sequence[Any], others: Sequence[Any], fused: bool | None) -> Any:
    """The optimizer that a configuration names; only the ``decaying`` parameters feel its weight decay.

    Parameters
    ----------
    config
        Optimizer, first step size, momentum and weight decay.
    decaying, others
        The parameters; either may be empty.
    fused
        Whether a step is one call for all parameters; None leaves it to PyTorch.
    """
    groups = [
        {"params": list(parameters), "weight_decay": decay}
        for parameters, decay in ((decaying, config.weight_decay), (others, 0.0))
        if parameters
    ]
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, config.learning_rate, (config.momentum, 0.999), eps=1e-8, fused=fused)
    ahead = config.nesterov and config.momentum > 0
    return torch.optim.SGD(groups, config.learning_rate, config.momentum, nesterov=ahead, fused=fused)


def set_rate(optimizer: Any, rate: float) -> None:
    """Set the step size.

    PyTorch's velocity is a sum of gradients, the contract's a sum of steps: v = −η b. So a new η rescales b.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            velocity = optimizer.state[parameter].get("momentum_buffer")
            if velocity is not None and group["lr"] != rate:
                velocity.mul_(group["lr"] / rate)
        group["lr"] = rate
