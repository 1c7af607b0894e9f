"""Checks of ``train_many``, where a trainer has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from topograph.errors import InvalidParameterError, TrainingDivergedError
from topograph.topology import Topology
from trainers.conformance.divergence import BREAKING, breaking_task, can_break
from trainers.conformance.session import Mismatch, Session, small_task
from trainers.protocol import MultiTrainer
from trainers.result import TrainingResult

_CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"dropout_hidden": 0.3},
    {"patience": 1, "validation": 0.3, "learning_rate": 3.0},
    {"weight_decay": 0.05},
    {"nesterov": False, "momentum": 0.5, "schedule": "step"},
    {"optimizer": "adam", "weight_decay": 0.05},
    {"bias": False, "activation": "tanh"},
)


def train_many(session: Session) -> Iterator[Mismatch]:
    """Equal to `train`, in order; one that diverges does not affect the others; unequal settings are refused."""
    trainer = session.trainer
    if not isinstance(trainer, MultiTrainer):
        session.notes.append("trains one network at a time")
        return
    task, rng = small_task(), session.generator()
    others = [  # more than a few, so that they are divided
        Topology([rng.random(graph.shape) < 0.6 for graph in task.topology]) for _ in range(rng.integers(5, 9))
    ]
    topologies = [task.topology, *others, task.topology]
    seeds = [0, *(int(seed) for seed in rng.integers(4, size=len(topologies) - 2)), 5]
    for changes in _CHANGES:
        if changes and not session.offers(**changes):
            continue
        configs = [session.config(**{"epochs": 5, **changes, "seed": seed}) for seed in seeds]
        together = trainer.train_many(topologies, task.dataset, configs)
        if len(together) != len(topologies):
            yield f"one entry for each of {len(topologies)} networks", f"{len(together)}"
            continue
        for number, (topology, config, result) in enumerate(zip(topologies, configs, together, strict=True)):
            if changes and number not in (1, 4, len(topologies) - 1):
                continue
            alone = trainer.train(topology, task.dataset, config)
            words = f"network {number} of {len(topologies)} as it is when trained alone ({session.describe(changes)})"
            if not isinstance(result, TrainingResult):
                yield words, f"{result!r}"
            elif result.config != config:
                yield words, f"the config {result.config}"
            else:
                yield from _compare_alone(session, words, result, alone)
    if (none := trainer.train_many([], task.dataset, [])) != []:
        yield "[] for no networks", f"{none!r}"
    try:
        trainer.train_many(topologies[:2], task.dataset, [session.config(), session.config(momentum=0.1)])
    except InvalidParameterError:
        pass
    else:
        yield "InvalidParameterError for configs that differ in momentum", "it trained"
    if can_break(session):
        broken = breaking_task()
        calm = Topology([np.zeros(graph.shape, dtype=bool) for graph in broken.topology])
        configs = [session.config(**BREAKING)] * 3
        several = trainer.train_many([calm, broken.topology, calm], broken.dataset, configs)
        kinds = [type(one) for one in several]
        if kinds != [TrainingResult, TrainingDivergedError, TrainingResult]:
            yield (
                "TrainingDivergedError for the second of 3 networks only",
                f"{[k.__name__ for k in kinds]}",
            )


def _compare_alone(session: Session, words: str, result: TrainingResult, alone: TrainingResult) -> Iterator[Mismatch]:
    """Weights, biases and losses within rounding."""
    allowed = 1e-6 if session.dtype == "float64" else 1e-4
    pairs = [(a.toarray(), b.toarray()) for a, b in zip(result.weights, alone.weights, strict=True)]
    pairs += list(zip(result.biases, alone.biases, strict=True))
    if not all(a.shape == b.shape and np.abs(a - b).max(initial=0) <= allowed for a, b in pairs):
        away = max((float(np.abs(a - b).max(initial=0)) for a, b in pairs if a.shape == b.shape), default=np.nan)
        yield words, f"weights or biases that are {away:.2g} away"
    for name, expected in alone.history.items():
        came = result.history.get(name, ())
        if len(came) != len(expected):
            yield f"{words}: {len(expected)} epochs of {name}", f"{len(came)}"
        elif "accuracy" not in name and not np.allclose(came, expected, rtol=1e3 * allowed, atol=allowed):
            yield f"{words}: {name} {np.round(expected, 6).tolist()}", f"{np.round(came, 6).tolist()}"
    if result.total != alone.total:
        yield f"{words}: {alone.total} test samples", f"{result.total}"
