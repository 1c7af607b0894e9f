"""The step size of each epoch."""

from __future__ import annotations

import math

from trainers.config import TrainingConfig


def learning_rate_at(epoch: int, config: TrainingConfig) -> float:
    """The step size of epoch number ``epoch`` (from 0), by the formulas of `TrainingConfig`.

    Examples
    --------
    >>> config = TrainingConfig(epochs=4, learning_rate=1.0, schedule="linear")
    >>> [learning_rate_at(epoch, config) for epoch in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    done = epoch / config.epochs
    if config.schedule == "linear":
        factor = 1 - done
    elif config.schedule == "cosine":
        factor = (1 + math.cos(math.pi * done)) / 2
    elif config.schedule == "step":
        factor = 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01
    else:
        factor = 1.0
    return config.learning_rate * factor
