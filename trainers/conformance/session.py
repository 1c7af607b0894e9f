"""`Session`: a trainer under test, the small tasks that it trains on, and the tolerances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from topograph.errors import UnsupportedSettingError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.conformance.reference import Array, DenseMasked, train_reference
from trainers.datasets import Dataset
from trainers.protocol import Trainer
from trainers.result import TrainingResult

Mismatch = tuple[str, str]
"""Expected and actual result, in words."""

# relative to the largest number of a layer: rounding of 50 steps with another order of summation, with a wide margin
_WEIGHTS = {"float64": 1e-6, "float32": 1e-3}
_LOSSES = {"float64": 1e-5, "float32": 1e-4}


class Task(NamedTuple):
    """A topology and the data to train on."""

    topology: Topology
    dataset: Dataset


class Session:
    """A trainer under test.

    Parameters
    ----------
    trainer
        The trainer.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.refused: dict[str, list[object]] = {}
        self.notes: list[str] = []
        self.dtype = "float64"
        try:
            self.train(small_task(), epochs=1)
        except UnsupportedSettingError as error:
            if "dtype" in str(error):  # else it is for the checks to find
                self.dtype = "float32"
        except Exception:
            pass

    def config(self, **settings: Any) -> TrainingConfig:
        """The paper's settings with changes: quick, and in the widest numbers that the trainer has."""
        return TrainingConfig(**{"epochs": 2, "batch_size": 8, "learning_rate": 0.3, "dtype": self.dtype, **settings})

    def train(self, task: Task, **settings: Any) -> TrainingResult:
        """Train with these settings.

        Raises
        ------
        UnsupportedSettingError
            When the trainer refuses them.
        """
        return self.trainer.train(task.topology, task.dataset, self.config(**settings))

    def offers(self, **settings: Any) -> bool:
        """Whether the trainer does not refuse these settings."""
        try:
            self.train(small_task(), **{"epochs": 1, **settings})
        except UnsupportedSettingError:
            return False
        except Exception:  # not a refusal: a check will report the error
            return True
        return True

    def compare(self, task: Task, result: TrainingResult, config: TrainingConfig) -> Iterator[Mismatch]:
        """Differences from the reference: losses as they ran, then weights and biases at the end."""
        network, history = train_reference(task.topology, task.dataset, config)
        yield from self.compare_course(history, result)
        yield from self.compare_weights(network, result)

    def compare_course(self, history: dict[str, list[float]], result: TrainingResult) -> Iterator[Mismatch]:
        """The first epoch at which a loss leaves the reference's."""
        for name in ("loss", "validation_loss"):
            found, expected = result.history.get(name, ()), history.get(name, ())
            if len(found) != len(expected):
                yield f"{len(expected)} epochs of {name}", f"{len(found)}"
                continue
            for epoch, (came, wanted) in enumerate(zip(found, expected, strict=True), start=1):
                if not abs(came - wanted) <= _LOSSES[self.dtype] * max(abs(wanted), 1e-6):
                    yield f"{name} of epoch {epoch}: {wanted:.8g} (the reference's)", f"{came:.8g}"
                    break

    def compare_weights(self, network: DenseMasked, result: TrainingResult) -> Iterator[Mismatch]:
        """The edge of each layer whose weight is farthest from the reference's, where that is too far."""
        for kind, found, expected in (
            ("weight", [w.toarray() for w in result.weights], network.weights),
            ("bias", result.biases, network.biases),
        ):
            if [np.shape(a) for a in found] != [a.shape for a in expected]:
                yield f"{kind} arrays of shapes {[a.shape for a in expected]}", f"{[np.shape(a) for a in found]}"
                continue
            for number, (came, wanted) in enumerate(zip(found, expected, strict=True), start=1):
                away = np.abs(np.asarray(came, dtype=float) - wanted)
                if away.size and not away.max() <= _WEIGHTS[self.dtype] * max(np.abs(wanted).max(), 1e-3):
                    place = tuple(int(i) for i in np.unravel_index(np.argmax(away), away.shape))
                    yield (
                        f"{kind} {place} of layer {number} at the end: {wanted[place]:.8g} (the reference's)",
                        f"{came[place]:.8g}",
                    )


def make_data(samples: int, features: int, classes: int, *, tests: int = 12, seed: int = 0) -> Dataset:
    """Samples whose labels a linear rule decides, so that there is something to learn; every class occurs."""
    rng = np.random.default_rng(seed)
    x = rng.random((samples + tests, features), dtype=np.float32)
    labels = (x @ rng.normal(size=(features, classes))).argmax(axis=1)
    labels[samples : samples + classes] = np.arange(classes)[:tests]
    return Dataset("conformance", x[:samples], labels[:samples], x[samples:], labels[samples:])


def small_task(samples: int = 27, seed: int = 0) -> Task:
    """6 inputs, 5 and 4 hidden neurons, 3 classes; two thirds of the edges; an input without any."""
    rng = np.random.default_rng(seed)
    masks: list[Array] = [rng.random(shape) < 0.66 for shape in ((6, 5), (5, 4), (4, 3))]
    masks[0][5] = False
    return Task(Topology(masks), make_data(samples, 6, 3, seed=seed))
