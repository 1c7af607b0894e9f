"""What happens in a worker process: build one topology, train on it, measure it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from topograph.metrics import measure
from topograph.topology import Topology
from trainers.datasets import Dataset, load_dataset
from trainers.registry import get_trainer
from trainers.study.plan import Run
from trainers.study.recipe import Recipe

MetricRow = tuple[str, str, float, float, str | None]


@dataclass(frozen=True)
class Task:
    """What to do for a run.

    Parameters
    ----------
    run
        The run.
    metrics
        Metrics still to be computed of its topology.
    train
        Whether its network is to be trained; not when only metrics are missing.
    """

    run: Run
    metrics: tuple[str, ...]
    train: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Parameters
    ----------
    record
        The result as a plain record; None when it failed, or was not to be trained.
    metric_rows
        Metrics of the topology, where they were asked for.
    reason, traceback
        Why it failed; empty when it did not.
    """

    record: dict[str, Any] | None
    metric_rows: tuple[MetricRow, ...] = ()
    reason: str = ""
    traceback: str = ""


def execute(task: Task) -> Outcome:
    """Measure a run's topology and train its network, where asked for. An error becomes an outcome."""
    rows: tuple[MetricRow, ...] = ()
    try:
        topology = _topology(task.run.recipe)
        rows = measure_rows(topology, task.metrics)
        if not task.train:
            return Outcome(None, rows)
        result = get_trainer(task.run.trainer).train(topology, _dataset(task.run.dataset), task.run.config)
        return Outcome(result.to_record(), rows)
    except Exception as error:  # whatever a trainer raises must not end the study
        return Outcome(None, rows, f"{type(error).__name__}: {error}", traceback.format_exc())


def measure_rows(topology: Topology, metrics: tuple[str, ...]) -> tuple[MetricRow, ...]:
    """Metrics of a topology as rows for the store."""
    if not metrics:
        return ()
    table = measure(topology, metrics, long=True)
    table["reason"] = table["reason"].where(table["reason"].notna(), None)
    return tuple(table.itertuples(index=False, name=None))


@lru_cache(maxsize=4)
def _topology(recipe: Recipe) -> Topology:
    """Trainings of one topology come one after the other, and some topologies take long to make."""
    return recipe.build()


@lru_cache(maxsize=2)
def _dataset(name: str) -> Dataset:
    return load_dataset(name)
