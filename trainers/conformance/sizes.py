"""Checks at sizes beyond the small tasks: the digits through four layers, and networks whose sizes are drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.conformance.reference import Course, DenseMasked, score, train_reference
from trainers.conformance.session import ROUNDING, Mismatch, Session, Task
from trainers.datasets import Dataset, load_dataset
from trainers.result import TrainingResult

SEED = 2**40 + 1
_LARGER: tuple[dict[str, Any], ...] = (
    {"learning_rate": 2.0},
    {
        "activation": "relu", "loss": "cross_entropy", "output_activation": "softmax", "initialization": "he_normal",
        "validation": 0.2, "weight_decay": 0.001, "schedule": "cosine", "learning_rate": 0.05,
    },
)  # fmt: skip


def larger_network(session: Session) -> Iterator[Mismatch]:
    """The digits in batches of 128 through four layers in float32: every epoch's history, and float32's accuracy."""
    for changes in _LARGER:
        settings = {**changes, "dtype": "float32", "epochs": 5, "batch_size": 128, "seed": SEED}
        if not session.offers(**{**changes, "dtype": "float32", "seed": SEED}):
            session.notes.append(f"{session.describe(changes)} refused at the larger size")
            continue
        yield from _compare_widths(session.config(**settings), session.train(_digits(), **settings))


@lru_cache
def _digits() -> Task:
    topology = Topology.build("random_regular", [64, 40, 40, 40, 10], degrees=[12, 15, 18, 10], seed=1)
    return Task(topology, load_dataset("digits"))


@lru_cache(maxsize=8)
def _references(config: TrainingConfig) -> tuple[tuple[DenseMasked, Course], tuple[DenseMasked, Course]]:
    """The digits' reference in float64 and in float32; the same for every trainer."""
    exact, rounded = (train_reference(*_digits(), config.replace(dtype=dtype)) for dtype in ("float64", "float32"))
    return exact, rounded


def _compare_widths(config: TrainingConfig, result: TrainingResult) -> Iterator[Mismatch]:
    """Against a float64 reference, as far as a float32 reference leaves it."""
    (exact, course), (rounded, rounded_course) = _references(config)
    for name, expected in course.history.items():
        came = np.asarray(result.history.get(name, ()), dtype=float)
        if len(came) != len(expected):
            yield f"{len(expected)} epochs of {name}", f"{len(came)}"
            continue
        if "accuracy" in name:
            allowed = np.maximum(course.ties[name], rounded_course.ties[name]) + 1e-6
        else:
            allowed = ROUNDING * np.abs(np.subtract(rounded_course.history[name], expected)) + 1e-5 * np.abs(expected)
        wrong = ~(np.abs(came - expected) <= allowed)
        if wrong.any():
            epoch = int(wrong.argmax())
            yield (
                f"{name} of epoch {epoch + 1} of the digits: {expected[epoch]:.8g} (the reference's)",
                f"{came[epoch]:.8g}",
            )
    if [w.shape for w in result.weights] != [w.shape for w in exact.weights]:
        yield f"weights of shapes {[w.shape for w in exact.weights]}", f"{[w.shape for w in result.weights]}"
        return
    for number, weights in enumerate(result.weights):
        wanted = exact.weights[number]
        allowed = ROUNDING * np.abs(rounded.weights[number] - wanted).max() + 1e-6 * np.abs(wanted).max()
        away = np.abs(weights.toarray() - wanted)
        if not away.max() <= allowed:
            worst = tuple(int(i) for i in np.unravel_index(np.argmax(away), away.shape))
            yield (
                f"weight {worst} of layer {number + 1} of the digits at the end: {wanted[worst]:.8g}, within "
                f"{allowed:.1g} in float32",
                f"{weights.toarray()[worst]:.8g}",
            )


def drawn_sizes(session: Session) -> Iterator[Mismatch]:
    """Networks whose depth, widths, samples, batches, seeds and settings are drawn, against the reference."""
    rng = session.generator()
    for number in range(3):
        task = draw_task(rng, classes=int(rng.integers(2, 11) if number else rng.integers(11, 16)))
        samples = len(task.dataset.y_train)
        sizes = {
            "batch_size": int(np.ceil(samples / rng.integers(1, 12))),
            "epochs": int(rng.integers(1, 5)),
            "seed": int(rng.integers(2**62)),
            "learning_rate": float(rng.uniform(0.02, 0.2)),
        }
        changes: dict[str, Any] = {}
        for values in _DRAWN.values():
            change = values[rng.integers(len(values))]
            if not session.base.keys() & change.keys() and session.offers(**{**changes, **change}):
                changes |= change
        config = session.config(**sizes, **changes)
        network, course = train_reference(task.topology, task.dataset, config)
        other, other_course = None, None
        if config.dtype == "float32":  # where a gradient is nearly 0, Adam makes much of its rounding
            other, other_course = train_reference(task.topology, task.dataset, config.replace(dtype="float64"))
        if not np.isfinite(course.history["loss"]).all():
            continue
        words = f"{task.topology.architecture} on {samples} samples with { ({**sizes, **changes}) }, drawn"
        result = session.train(task, **sizes, **changes)
        for expected, came in (
            *session.compare_course(course, result, other_course),
            *session.compare_weights(network, result, other),
        ):
            yield f"{expected}, for {words}", came
        yield from _count(task, network, result, words)


_DRAWN: dict[str, tuple[dict[str, Any], ...]] = {
    "activation": tuple({"activation": name} for name in ("sigmoid", "tanh", "leaky_relu")),
    "outputs": ({}, {"loss": "cross_entropy"}, {"loss": "cross_entropy", "output_activation": "softmax"}),
    "optimizer": ({}, {"nesterov": False}, {"momentum": 0.5}, {"optimizer": "adam"}),
    "decay": ({}, {"weight_decay": 0.01}),
    "schedule": ({}, {"schedule": "linear"}, {"schedule": "step"}),
    "validation": ({}, {"validation": 0.25}),
    "fans": ({}, {"fans": "degrees"}),
}


def draw_task(rng: np.random.Generator, classes: int) -> Task:
    """A chain of one to five layers of up to 80 neurons, and samples of either sign, many of whose entries are 0."""
    depth = rng.integers(1, 6)
    sizes = [int(size) for size in np.exp(rng.uniform(np.log(2), np.log(80), depth + 1))]
    sizes[-1] = classes
    masks = [rng.random(shape) < rng.uniform(0.2, 1) for shape in itertools.pairwise(sizes)]
    samples, tests = int(rng.integers(20, 400)), int(rng.integers(20, 700))
    shape = (samples + tests, sizes[0])
    x = (rng.normal(size=shape) * (rng.random(shape) < rng.uniform(0.2, 1))).astype(np.float32)
    labels = (x @ rng.normal(size=(sizes[0], sizes[-1]))).argmax(axis=1)
    labels[:2] = 0, sizes[-1] - 1
    return Task(Topology(masks), Dataset("drawn", x[:samples], labels[:samples], x[samples:], labels[samples:]))


def _count(task: Task, network: DenseMasked, result: TrainingResult, words: str) -> Iterator[Mismatch]:
    """The result's counts over all test samples."""
    samples = len(task.dataset.y_test)
    if result.total != samples:
        yield f"a total of {samples} test samples, for {words}", f"{result.total}"
    accuracy, tied = score(network.predict(task.dataset.x_test), task.dataset.y_test)
    hits = round(accuracy * samples)
    if abs(result.correct - hits) > 1 + samples // 200 + round(tied * samples):
        yield f"{hits} test samples classified correctly, for {words}", f"{result.correct}"
