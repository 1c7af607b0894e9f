"""Checks that a result is complete, agrees with the weights that it holds, and can be saved."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from trainers.conformance.reference import DenseMasked
from trainers.conformance.session import Mismatch, Session, Task, small_task
from trainers.initialization import validation_split
from trainers.result import TrainingResult, balanced_accuracy


def protocol(session: Session) -> Iterator[Mismatch]:
    """A name, and a result of NumPy arrays and plain numbers."""
    name: Any = session.trainer.name
    if not isinstance(name, str) or not name or name != name.strip():
        yield "a name", f"{name!r}"
    result: Any = session.train(small_task())
    if not isinstance(result, TrainingResult):
        yield "a TrainingResult", type(result).__name__
        return
    if result.trainer != name:
        yield f"result.trainer to be the trainer's name {name!r}", f"{result.trainer!r}"
    if result.config != session.config():
        yield "result.config to be the config asked for", f"{result.config}"
    for kind, arrays, wanted in (("weights", result.weights, sp.csr_array), ("biases", result.biases, np.ndarray)):
        if not isinstance(arrays, tuple) or any(type(array) is not wanted for array in arrays):
            yield f"{kind} as a tuple of {wanted.__name__}", f"{[type(array).__name__ for array in arrays]}"
    counts: tuple[Any, ...] = (result.correct, result.total)
    for number in counts:
        if not isinstance(number, (int, np.integer)):
            yield "correct and total as whole numbers", f"{number!r}"
    strangers = {type(value).__module__ for values in result.history.values() for value in values} - {
        "builtins",
        "numpy",
    }
    if strangers:
        yield "plain numbers in the history", f"numbers of {', '.join(sorted(strangers))}"
    if not (result.seconds > 0 and result.device and "topograph" in result.versions and len(result.versions) > 1):
        yield (
            "seconds, a device, and the versions of topograph and of the framework",
            f"seconds={result.seconds}, device={result.device!r}, versions={dict(result.versions)}",
        )


def history(session: Session) -> Iterator[Mismatch]:
    """One number per epoch under each name that the contract has; accuracies as they ran."""
    task = small_task()
    result = session.train(task, epochs=5)
    names = ["loss", "train_accuracy", "test_accuracy"]
    if session.offers(validation=0.3):
        watched = session.train(task, epochs=5, validation=0.3)
        yield from _complete([*names, "validation_loss", "validation_accuracy"], watched)
    yield from _complete(names, result)
    if "test_accuracy" in result.history and abs(result.history["test_accuracy"][-1] - result.test_accuracy) > 1e-6:
        yield f"{result.test_accuracy} as the last test_accuracy", f"{result.history['test_accuracy'][-1]}"


def _complete(names: list[str], result: TrainingResult) -> Iterator[Mismatch]:
    for name in names:
        values = result.history.get(name, ())
        if len(values) != 5:
            yield f"5 values of {name} after 5 epochs", f"{len(values)}"
        elif not np.isfinite(values).all() or ("accuracy" in name and not all(0 <= value <= 1 for value in values)):
            yield f"finite {name}, accuracies in [0, 1]", f"{values}"
    rest = [name for name in result.history if name not in names and len(result.history[name]) != 5]
    if rest:
        yield "one value per epoch under every other name in the history", f"other lengths of {', '.join(rest)}"


def result_of_weights(session: Session) -> Iterator[Mismatch]:
    """Counts and accuracies are those of a network with the weights of the result, inputs × outputs."""
    for changes in ({}, {"bias": False}, {"validation": 0.3}, {"patience": 1, "validation": 0.3, "learning_rate": 3.0}):
        if changes and not session.offers(**changes):
            continue
        task = small_task(40, seed=4)
        settings = {"epochs": 6, **changes}
        result, config = session.train(task, **settings), session.config(**settings)
        network = DenseMasked(task.topology, config)
        if [weights.shape for weights in result.weights] != [graph.shape for graph in task.topology]:
            yield (
                f"weights of shapes {[graph.shape for graph in task.topology]}",
                f"{[w.shape for w in result.weights]}",
            )
            continue
        network.weights = [weights.toarray() for weights in result.weights]
        network.biases = list(result.biases)
        predicted = network.predict(task.dataset.x_test).argmax(axis=1)
        learning, _ = validation_split(len(task.dataset.x_train), config)
        learnt = network.predict(task.dataset.x_train[learning]).argmax(axis=1) == task.dataset.y_train[learning]
        hits = int(np.count_nonzero(predicted == task.dataset.y_test))
        for name, expected, came in (
            ("correct", hits, result.correct),
            ("total", len(predicted), result.total),
            ("train_accuracy", float(np.mean(learnt)), result.train_accuracy),
            ("balanced_accuracy", balanced_accuracy(predicted, task.dataset.y_test), result.balanced_accuracy),
        ):
            if not abs(came - expected) < 1e-6:
                yield f"{name} {expected} of the result's own weights ({session.describe(changes)})", f"{came}"


def record(session: Session) -> Iterator[Mismatch]:
    """The result survives JSON and pickle, with its weights."""
    result = session.train(Task(small_task().topology, small_task().dataset))
    plain = json.loads(json.dumps(result.to_record(weights=True), allow_nan=False))
    again = TrainingResult.from_record(plain)
    if again.to_record(weights=True) != result.to_record(weights=True):
        yield "the same record after a round trip through JSON", "another one"
    if any((one != other).nnz for one, other in zip(again.weights, result.weights, strict=True)):
        yield "the same weights after a round trip through JSON", "others"
    if pickle.loads(pickle.dumps(result)).to_record() != result.to_record():
        yield "the same record after a round trip through pickle", "another one"
