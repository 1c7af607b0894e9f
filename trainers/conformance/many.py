"""Checks of ``train_many``, where a trainer has it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from topograph.errors import InvalidParameterError, TrainingDivergedError
from topograph.topology import Topology
from trainers.conformance.divergence import BREAKING, breaking_task
from trainers.conformance.session import Mismatch, Session, small_task
from trainers.protocol import MultiTrainer
from trainers.result import TrainingResult


def train_many(session: Session) -> Iterator[Mismatch]:
    """Equal to `train`, in order; one that diverges does not affect the others; unequal settings are refused."""
    trainer = session.trainer
    if not isinstance(trainer, MultiTrainer):
        session.notes.append("trains one network at a time")
        return
    task = small_task()
    rng = np.random.default_rng(8)
    other = Topology([rng.random(graph.shape) < 0.5 for graph in task.topology])
    topologies = [task.topology, other, task.topology, other]
    allowed = 1e-6 if session.dtype == "float64" else 1e-4
    for changes in ({}, {"dropout_hidden": 0.3}, {"patience": 1, "validation": 0.3, "learning_rate": 3.0}):
        if changes and not session.offers(**changes):
            continue
        configs = [session.config(**{"epochs": 8, **changes, "seed": seed}) for seed in (0, 0, 5, 1)]
        together = trainer.train_many(topologies, task.dataset, configs)
        if len(together) != 4:
            yield "one entry for each of 4 networks", f"{len(together)}"
            continue
        for number, (topology, config, found) in enumerate(zip(topologies, configs, together, strict=True)):
            alone = trainer.train(topology, task.dataset, config)
            words = f"network {number} of 4 as it is when trained alone ({changes or 'the paper’s settings'})"
            if not isinstance(found, TrainingResult):
                yield words, f"{found!r}"
            elif found.config != config or {k: len(v) for k, v in found.history.items()} != {
                k: len(v) for k, v in alone.history.items()
            }:
                yield words, f"{found!r} with seed {found.config.seed}, where {alone!r} has seed {config.seed}"
            else:
                away = max(
                    float(np.abs(a.toarray() - b.toarray()).max())
                    for a, b in zip(found.weights, alone.weights, strict=True)
                )
                if not away <= allowed:
                    yield words, f"weights that are {away:.2g} away"
    if (none := trainer.train_many([], task.dataset, [])) != []:
        yield "[] for no networks", f"{none!r}"
    try:
        trainer.train_many(topologies[:2], task.dataset, [session.config(), session.config(momentum=0.1)])
    except InvalidParameterError:
        pass
    else:
        yield "InvalidParameterError for configs that differ in momentum", "it trained"
    if session.offers(activation="linear", output_activation="linear", dtype="float32"):
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
