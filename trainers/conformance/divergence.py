"""Checks that a network that breaks is reported as such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from topograph.errors import TrainingDivergedError
from topograph.topology import Topology
from trainers.conformance.session import Mismatch, Session, Task
from trainers.datasets import Dataset


def breaking_task() -> Task:
    """Inputs so large that a linear network breaks."""
    rng = np.random.default_rng(0)
    x = (rng.random((40, 6)) * 100).astype(np.float32)
    labels = np.arange(40) % 3
    return Task(Topology.build("dense", [6, 5, 3]), Dataset("large", x, labels, x, labels))


_LINEAR: dict[str, Any] = {
    "activation": "linear",
    "output_activation": "linear",
    "loss": "mse",
    "optimizer": "sgd",
    "dtype": "float32",
}
BREAKING: dict[str, Any] = {
    **_LINEAR,
    "epochs": 20,
    "learning_rate": 0.1,
}


def can_break(session: Session) -> bool:
    """Whether the trainer offers a network whose weights can grow without bound."""
    return session.offers(**_LINEAR)


def divergence(session: Session) -> Iterator[Mismatch]:
    """A linear network on large inputs breaks, and the trainer says so."""
    if not can_break(session):
        session.notes.append("a network that can break was refused")
        return
    try:
        result = session.train(breaking_task(), **BREAKING)
    except TrainingDivergedError as error:
        if "epoch" not in str(error):
            yield "TrainingDivergedError that names the epoch", str(error)
    else:
        yield "TrainingDivergedError", f"a result with losses {[f'{loss:.3g}' for loss in result.history['loss'][-3:]]}"
