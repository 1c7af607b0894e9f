"""`Session`: a trainer under test, the small tasks that it trains on, and the tolerances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from topograph.errors import UnsupportedSettingError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.conformance.reference import Array, Course, DenseMasked, train_reference
from trainers.datasets import Dataset
from trainers.protocol import Trainer
from trainers.result import TrainingResult

Mismatch = tuple[str, str]
"""Expected and actual result, in words."""

# relative to the largest number of a layer: rounding of 50 steps with another order of summation, with a wide margin
_WEIGHTS = {"float64": 1e-9, "float32": 1e-3}
_LOSSES = {"float64": 1e-9, "float32": 1e-4}
ROUNDING = 30
"""Times the difference of two references, one in float32 and one in float64: TF32 has 8,000 times it."""
ADAM_RATE = 0.01
"""Largest step size of a check with Adam, whose steps do not shrink with the gradient."""


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
    config
        Settings that the trainer offers; the checks change some of them. The paper's by default.
    seed
        Seed of the sizes that some checks draw.
    """

    def __init__(self, trainer: Trainer, config: TrainingConfig | None = None, seed: int = 0) -> None:
        self.trainer, self.seed, self.has_drawn = trainer, seed, False
        given, paper = TrainingConfig() if config is None else config, TrainingConfig()
        self.base = {
            field.name: getattr(given, field.name)
            for field in fields(TrainingConfig)
            if getattr(given, field.name) != getattr(paper, field.name) and field.name not in ("epochs", "seed")
        }
        self.refused: dict[str, list[object]] = {}
        self.notes: list[str] = []
        self.refusal = ""
        for dtype in [self.base["dtype"]] if "dtype" in self.base else ["float64", "float32"]:
            self.dtype = dtype
            try:
                self.train(small_task(), epochs=1)
            except UnsupportedSettingError as error:
                self.refusal = str(error)
                continue
            except Exception:  # not a refusal: a check will report the error
                pass
            self.refusal = ""
            break

    def generator(self) -> np.random.Generator:
        """Draws for a check, the same ones in every check; the report names their seed."""
        self.has_drawn = True
        return np.random.default_rng(self.seed)

    def config(self, **settings: Any) -> TrainingConfig:
        """The session's settings with changes: quick, and in the widest numbers that the trainer has.

        Raises
        ------
        UnsupportedSettingError
            When the settings exclude each other.
        """
        quick = {"epochs": 2, "batch_size": 8, "learning_rate": 0.3, "dtype": self.dtype}
        config = TrainingConfig(**{**quick, **self.base, **settings})
        if config.optimizer == "adam" and config.learning_rate > ADAM_RATE:
            return config.replace(learning_rate=ADAM_RATE)
        return config

    def train(self, task: Task, **settings: Any) -> TrainingResult:
        """Train with these settings.

        Raises
        ------
        UnsupportedSettingError
            When the trainer refuses them.
        """
        return self.trainer.train(task.topology, task.dataset, self.config(**settings))

    def offers(self, **settings: Any) -> bool:
        """Whether the trainer does not refuse these settings, and they do not exclude each other."""
        try:
            self.train(small_task(), **{"epochs": 1, **settings})
        except UnsupportedSettingError:
            return False
        except Exception:  # not a refusal: a check will report the error
            return True
        return True

    def describe(self, changes: dict[str, Any]) -> str:
        """The settings of a check, in words."""
        if changes:
            return f"{changes}"
        return "the given settings" if self.base else "the paper’s settings"

    def compare(self, task: Task, result: TrainingResult, config: TrainingConfig) -> Iterator[Mismatch]:
        """Differences from the reference: the history as it ran, then weights and biases at the end."""
        network, course = train_reference(task.topology, task.dataset, config)
        yield from self.compare_course(course, result)
        yield from self.compare_weights(network, result)

    def compare_course(self, course: Course, result: TrainingResult, other: Course | None = None) -> Iterator[Mismatch]:
        """The first epoch at which each history leaves the reference's.

        An accuracy may differ by the samples whose two largest outputs are equal to the reference within rounding. A
        loss may differ by `ROUNDING` times as much as that of ``other``, a reference in another precision.
        """
        for name, expected in course.history.items():
            actual = result.history.get(name, ())
            if len(actual) != len(expected):
                yield f"{len(expected)} epochs of {name}", f"{len(actual)}"
                continue
            for epoch, (came, wanted) in enumerate(zip(actual, expected, strict=True), start=1):
                allowed = _LOSSES[self.dtype] * max(abs(wanted), 1e-6)
                if other is not None:
                    allowed = max(allowed, ROUNDING * abs(other.history[name][epoch - 1] - wanted))
                if "accuracy" in name:
                    allowed = course.ties[name][epoch - 1] + 1e-6
                if not abs(came - wanted) <= allowed:
                    yield f"{name} of epoch {epoch}: {wanted:.8g} (the reference's)", f"{came:.8g}"
                    break

    def compare_weights(
        self, network: DenseMasked, result: TrainingResult, other: DenseMasked | None = None
    ) -> Iterator[Mismatch]:
        """The edge of each layer whose weight is farthest from the reference's, where that is too far.

        A layer's weights may differ by `ROUNDING` times as much as those of ``other``, in another precision.
        """
        others = network if other is None else other
        for kind, actual, expected, rounded in (
            ("weight", [w.toarray() for w in result.weights], network.weights, others.weights),
            ("bias", result.biases, network.biases, others.biases),
        ):
            if [np.shape(a) for a in actual] != [a.shape for a in expected]:
                yield f"{kind} arrays of shapes {[a.shape for a in expected]}", f"{[np.shape(a) for a in actual]}"
                continue
            for number, (came, wanted, there) in enumerate(zip(actual, expected, rounded, strict=True), start=1):
                away = np.abs(np.asarray(came, dtype=float) - wanted)
                if not away.size:
                    continue
                allowed = _WEIGHTS[self.dtype] * max(np.abs(wanted).max(), 1e-3)
                if not away.max() <= max(allowed, ROUNDING * np.abs(there - wanted).max()):
                    worst = tuple(int(i) for i in np.unravel_index(np.argmax(away), away.shape))
                    yield (
                        f"{kind} {worst} of layer {number} at the end: {wanted[worst]:.8g} (the reference's)",
                        f"{came[worst]:.8g}",
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
