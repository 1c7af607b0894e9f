"""Checks that nothing but the topology's edges has an influence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from topograph.topology import Topology
from trainers.conformance.session import Mismatch, Session, Task, small_task
from trainers.datasets import Dataset

_OPTIMIZERS: tuple[dict[str, Any], ...] = (
    {},
    {"nesterov": False, "weight_decay": 0.01},
    {"optimizer": "adam", "learning_rate": 0.01},
)


def exact_mask(session: Session) -> Iterator[Mismatch]:
    """After each of three epochs, each optimizer: the topology's edges are stored, and no others."""
    task = small_task()
    for changes in _OPTIMIZERS:
        if changes and not session.offers(**changes):
            continue
        for epochs in (1, 2, 3):
            result = session.train(task, epochs=epochs, **changes)
            for number, (weights, graph) in enumerate(zip(result.weights, task.topology, strict=True), start=1):
                expected = f"{graph.n_edges} weights stored in layer {number} after {epochs} epochs, as in the topology"
                if weights.nnz != graph.n_edges:
                    yield expected, f"{weights.nnz} with {session.describe(changes)}"
                elif (weights.indptr != graph.indptr).any() or (weights.indices != graph.indices).any():
                    yield expected, f"as many, but in other places, with {session.describe(changes)}"


def unseen_inputs(session: Session) -> Iterator[Mismatch]:
    """Only an input without edges carries the label, so the network must not learn it.

    Its gradient is large, so that a mask that is forgotten for one step, in a velocity for example, shows: all samples
    look the same to the network, which must therefore give all of them the same label after every epoch.
    """
    rng = np.random.default_rng(1)
    labels = np.sort(rng.choice(3, size=40, p=(0.5, 0.3, 0.2)))
    x = np.full((40, 4), 0.5, dtype=np.float32)
    x[:, 3] = 3.0 * (labels - 1)
    first = np.ones((4, 5), dtype=bool)
    first[3] = False
    topology = Topology([first, np.ones((5, 3), dtype=bool)])
    task = Task(topology, Dataset("unseen", x, labels, x, labels))
    shares = np.bincount(labels) / len(labels)
    for changes in _OPTIMIZERS:
        if changes and not session.offers(**changes):
            continue
        changes = {"epochs": 12, "learning_rate": 1.0, **changes}
        result = session.train(task, **changes)
        for epoch, accuracy in enumerate(result.history["test_accuracy"], start=1):
            if np.abs(shares - accuracy).min() > 1e-6:
                yield (
                    f"the same label for all samples after epoch {epoch}: they differ only in an input without edges",
                    f"a test accuracy of {accuracy:.4f}, but a single label gives one of "
                    f"{np.round(shares, 4).tolist()}: "
                    f"gradients, the optimizer's memory and weights must all be masked ({changes})",
                )
                break
        yield from session.compare(task, result, session.config(**changes))
