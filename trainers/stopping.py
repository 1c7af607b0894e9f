"""Reasons to end a training before its last epoch: it diverged, or it no longer improves."""

from __future__ import annotations

import math

from topograph.errors import TrainingDivergedError
from trainers.config import TrainingConfig
from trainers.schedule import learning_rate_at


class EarlyStopping:
    """Watches the validation loss for ``config.patience``; without patience it never ends a training.

    Examples
    --------
    >>> watch = EarlyStopping(TrainingConfig(validation=0.1, patience=2))
    >>> [watch.improved(epoch, loss) for epoch, loss in enumerate([3.0, 2.0, 2.0, 5.0])], watch.best_epoch
    ([True, True, False, False], 1)
    >>> watch.over(2), watch.over(3)
    (False, True)
    """

    def __init__(self, config: TrainingConfig) -> None:
        self._patience = config.patience
        self._best = math.inf
        self.best_epoch = 0

    def improved(self, epoch: int, loss: float) -> bool:
        """Whether this is the least loss so far; the network of that epoch is the one to return to."""
        if not (self._patience and loss < self._best):
            return False
        self._best, self.best_epoch = loss, epoch
        return True

    def over(self, epoch: int) -> bool:
        """Whether the training ends with this epoch."""
        return bool(self._patience) and epoch - self.best_epoch >= self._patience


def diverged(loss: float, epoch: int, config: TrainingConfig, detail: str = "") -> TrainingDivergedError:
    """The error for a loss or weight that is not finite after epoch number ``epoch`` (from 0)."""
    problem = "a weight became NaN or infinite" if math.isfinite(loss) else f"the loss became {loss}"
    return TrainingDivergedError(
        f"{problem} in epoch {epoch + 1} of {config.epochs}; {detail}lower learning_rate "
        f"(now {learning_rate_at(epoch, config):g}) or momentum (now {config.momentum:g})"
    )
