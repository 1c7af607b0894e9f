"""Checks that a training leaves no trace but its result, and says when it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from topograph.errors import TrainingDivergedError
from topograph.topology import Topology
from trainers.conformance.session import Doubt, Session, Task, small_task
from trainers.datasets import Dataset
from trainers.result import TrainingResult


def _bits(result: TrainingResult) -> tuple[object, ...]:
    arrays = tuple(array.tobytes() for array in (*(weights.data for weights in result.weights), *result.biases))
    return (*arrays, *sorted(result.history.items()), result.correct, result.train_accuracy)


def same_seed(session: Session) -> Iterator[Doubt]:
    """The same bits again, another training in between; other weights from another seed."""
    task = small_task()
    one, other, again = (session.train(task, epochs=3, seed=seed) for seed in (0, 1, 0))
    if _bits(one) != _bits(again):
        names = [name for name, values in one.history.items() if values != again.history.get(name)]
        yield "the same bits from the same seed", f"others, in {', '.join(names) or 'the weights'}"
    if _bits(one)[: len(one.weights)] == _bits(other)[: len(other.weights)]:
        yield "other weights from another seed", "the same"


def inputs_untouched(session: Session) -> Iterator[Doubt]:
    """The arrays of the topology and of the data set, and NumPy's global generator, are as before."""
    task, data = small_task(), small_task().dataset
    names = ("x_train", "y_train", "x_test", "y_test")
    before = {name: getattr(task.dataset, name).copy() for name in names}
    graphs = [(graph.indptr.copy(), graph.indices.copy()) for graph in task.topology]
    config = session.config()
    settings = config.to_record()
    # the global state, which only the past uses, is what is looked after here: one that no earlier training left
    own = np.random.get_state()  # noqa: NPY002
    np.random.seed(271828)  # noqa: NPY002
    try:
        drawn = np.random.get_state()  # noqa: NPY002
        session.trainer.train(task.topology, task.dataset, config)
        now = np.random.get_state()  # noqa: NPY002
    finally:
        np.random.set_state(own)  # noqa: NPY002
    for name in names:
        array = getattr(task.dataset, name)
        if array.shape != before[name].shape or (array != before[name]).any():
            yield f"{name} as it was", "changed"
        if array.flags.writeable != getattr(data, name).flags.writeable:
            yield f"{name} read-only, as it was", "made writable"
    for number, (graph, (indptr, indices)) in enumerate(zip(task.topology, graphs, strict=True), start=1):
        if (graph.indptr != indptr).any() or (graph.indices != indices).any():
            yield f"layer pair {number} as it was", "changed"
    if config.to_record() != settings:
        yield "the config as it was", "changed"
    if any(not np.array_equal(one, other) for one, other in zip(drawn, now, strict=True)):
        yield "NumPy's global random state as it was", "changed"


def breaking_task() -> Task:
    """Inputs so large that a linear network breaks."""
    rng = np.random.default_rng(0)
    x = (rng.random((40, 6)) * 100).astype(np.float32)
    labels = np.arange(40) % 3
    return Task(Topology.build("dense", [6, 5, 3]), Dataset("large", x, labels, x, labels))


BREAKING: dict[str, Any] = {
    "activation": "linear",
    "output_activation": "linear",
    "dtype": "float32",
    "epochs": 20,
    "learning_rate": 0.1,
}


def divergence(session: Session) -> Iterator[Doubt]:
    """A linear network on large inputs breaks, and is said to."""
    if not session.offers(activation="linear", output_activation="linear", dtype="float32"):
        session.notes.append("a network that can break was refused")
        return
    try:
        result = session.train(breaking_task(), **BREAKING)
    except TrainingDivergedError as error:
        if "epoch" not in str(error):
            yield "TrainingDivergedError that names the epoch", str(error)
    else:
        yield "TrainingDivergedError", f"a result with losses {[f'{loss:.3g}' for loss in result.history['loss'][-3:]]}"
