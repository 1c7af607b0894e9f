"""The contract of a trainer, in words and types."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from topograph.errors import TopologyMismatchError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.result import TrainingResult


@runtime_checkable
class Trainer(Protocol):
    """Trains a network on a fixed topology.

    What ``train`` owes:

    * NumPy in, NumPy out: no framework's tensor crosses.
    * The mask holds exactly, at every step, in the optimizer's state too: momentum never revives a connection.
    * The same topology, data set and config give the same result.
    * Initial weights and batch order come from `trainers.initialization`, so that backends can be compared step by
      step.
    * Neither the topology nor the data set is changed.
    * A setting it does not offer is refused by name, with `UnsupportedSettingError`, before any work.
    * A loss that becomes NaN or infinite raises `TrainingDivergedError`.
    """

    name: str

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """Train a network with the connections of ``topology`` and report how well it does."""
        ...


def check_fit(topology: Topology, dataset: Dataset) -> None:
    """Refuse a topology whose ends do not match the data, naming both."""
    if topology.sizes[0] != dataset.n_features or topology.sizes[-1] != dataset.n_classes:
        raise TopologyMismatchError(
            f"{dataset.name} has {dataset.n_features} inputs and {dataset.n_classes} classes, but the topology is "
            f"{topology.architecture}: it must begin with {dataset.n_features} and end with {dataset.n_classes}"
        )


__all__ = ["Trainer", "TrainingConfig", "TrainingResult", "check_fit"]
