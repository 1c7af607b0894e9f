"""`RewiringSchedule`: at which steps of a training edges change, and what share of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainers.config import TrainingConfig
from trainers.rewiring.rule import RewiringRule, get_rewiring


@dataclass(frozen=True)
class RewiringSchedule:
    """When edges change: before step t of T (from 0), for t = ΔT, 2 ΔT, … below until · T.

    Parameters
    ----------
    rule
        The rule, whose published values stand where the settings say nothing.
    every, last, total
        ΔT; the step from which on nothing changes; and T.
    share
        Largest share of a layer's edges that is replaced.

    Examples
    --------
    >>> schedule = RewiringSchedule.of(TrainingConfig(rewiring="set", epochs=4), steps_per_epoch=10)
    >>> [step for step in range(40) if schedule.is_due(step)]
    [10, 20, 30]
    """

    rule: RewiringRule
    every: int
    last: float
    total: int
    share: float

    @classmethod
    def of(cls, config: TrainingConfig, steps_per_epoch: int) -> RewiringSchedule:
        """The schedule of a training."""
        rule, total = get_rewiring(config.rewiring), steps_per_epoch * config.epochs
        every = config.rewire_every or rule.every or steps_per_epoch
        until = rule.until if config.rewire_until is None else config.rewire_until
        return cls(rule, every, until * total, total, config.rewire_share)

    def is_due(self, step: int) -> bool:
        """Whether edges change before this step."""
        return 0 < step < self.last and step % self.every == 0

    def share_at(self, step: int) -> float:
        """Share of the edges that is replaced at a step."""
        return self.share * (1 + math.cos(math.pi * step / self.last)) / 2 if self.rule.decays else self.share
