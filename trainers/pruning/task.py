"""`PruningTask`: what a pruner is asked, and what it may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidParameterError
from trainers.datasets import Dataset
from trainers.pruning.budget import Budget
from trainers.pruning.edges import Keep, Scores
from trainers.pruning.network import PrunableNetwork
from trainers.pruning.samples import samples_of_every_class


@dataclass(frozen=True)
class PruningTask:
    """One network to prune.

    Parameters
    ----------
    network
        The network, with its weights.
    budget
        How many edges are to stay.
    generator
        Generator of all draws: samples, walks, ties.
    options
        Every option of the method, with its value.
    dataset
        Training samples, where they were given.
    train
        ``train(keep, rounds)`` for methods that train; None where nothing can.
    """

    network: PrunableNetwork
    budget: Budget
    generator: np.random.Generator
    options: Mapping[str, Any]
    dataset: Dataset | None = None
    train: Callable[..., Any] | None = None

    @cached_property
    def candidates(self) -> list[Keep]:
        """Which possible edges of each layer there are before pruning."""
        return [layer.candidates for layer in self.network.layers]

    def select(
        self, scores: Sequence[Scores], candidates: Sequence[Keep] | None = None, share: float = 1.0
    ) -> list[Keep]:
        """The edges of largest score: as many as the budget says, or after a share of the rounds more.

        Raises
        ------
        TrainingError
            For scores that are not finite.
        """
        return self.budget.at(share).select(scores, candidates or self.candidates, self.generator)

    def samples(self, per_class: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Training samples of every class.

        Raises
        ------
        InvalidDatasetError
        """
        if self.dataset is None:
            raise InvalidParameterError("this method reads training samples: give a data set")
        return samples_of_every_class(self.dataset, per_class, self.generator)
