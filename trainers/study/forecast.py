"""`forecast_study`: the size of a study and the time it would take, before it starts."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from topograph.checks import check_integer
from topograph.cores import available_cores
from topograph.errors import TrainingError
from topograph.metrics.registry import select_metrics
from trainers.datasets import Dataset, load_dataset
from trainers.registry import get_trainer
from trainers.study.engine import duration
from trainers.study.engine.worker import describe_error, profile, train_alone
from trainers.study.plan import Run, check_architectures, check_trainers_of_models, describe_data, plan_runs
from trainers.study.runner import default_store, read_spec
from trainers.study.spec import AnyRecipe, ModelRecipe, StudySpec
from trainers.study.store import open_store

_SAMPLES = 3
_SPREAD = 1.3
_ENOUGH = 5_000  # samples that a model is timed on, of whose epochs those of small chains are a fiftieth


@dataclass(frozen=True)
class Forecast:
    """Size and duration of a study that has not run yet.

    Parameters
    ----------
    name
        Name of the study.
    runs, topologies, edges
        Number of networks, of different topologies, and of edges of all networks together.
    pending
        Number of networks that the store still lacks.
    sampled
        Number of networks that were timed.
    seconds
        Time for the rest on one core.
    workers
        Number of cores that would share it.
    untimed
        Number of networks whose time is not in ``seconds``, since all that were tried of their kind failed.
    reasons
        Why networks that were tried failed, each once. The study keeps such runs as failed.
    """

    name: str
    runs: int
    topologies: int
    edges: int
    pending: int
    sampled: int
    seconds: float
    workers: int
    untimed: int = 0
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        share = self.seconds / self.workers
        text = (
            f"{self.name}: {self.runs:,} networks on {self.topologies:,} topologies, {self.edges:,} edges; "
            f"{self.pending:,} still to be trained\n"
            f"about {duration(share)} with {self.workers} workers ({duration(self.seconds)} on one core), from "
            f"{self.sampled} networks timed for a few epochs; expect {duration(share / _SPREAD)} to "
            f"{duration(share * _SPREAD)} on a quiet machine"
        )
        if self.reasons:
            text += f"\nof the networks that were tried, some failed: {'; '.join(self.reasons)}"
        return text + (f"\nthe time of {self.untimed:,} such networks is not in this" if self.untimed else "")


def forecast_study(
    spec: str | os.PathLike[str] | Mapping[str, Any] | StudySpec,
    store: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
) -> Forecast:
    """Forecast the size and the duration of a study from a few timed networks; nothing is written.

    For each trainer, data set and model, three networks (the cheapest, the median, the most expensive) are made,
    measured and trained on one thread for one epoch and for three, which separates the time per epoch from the rest.
    The time of the others is interpolated by their number of edges. Models are timed on a part of large data sets. What
    fails is named, and does not hide the time of the rest.

    Parameters
    ----------
    spec, store, workers
        As for `trainers.study.run_study`.

    Raises
    ------
    SpecError, InvalidParameterError
    TrainingError
        When every network that was tried fails; the message has the reasons.
    """
    workers = available_cores() if workers is None else check_integer("workers", workers, low=1)
    spec = read_spec(spec)
    data = describe_data(spec)
    check_architectures(spec, data)
    check_trainers_of_models(spec)
    runs = list(plan_runs(spec, data))
    done: set[str] = set()
    target = open_store(default_store(spec) if store is None else store)
    if Path(target.path).is_file():
        done = set(target.runs("done")["run_id"]) | set(target.runs("failed")["run_id"])
    pending = [run for run in runs if run.run_id not in done]
    metrics = [metric.name for metric in select_metrics(spec.metrics)]
    seconds, sampled, untimed = 0.0, 0, 0
    reasons: list[str] = []
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in pending:
        model = run.recipe.architecture if isinstance(run.recipe, ModelRecipe) else ""
        groups.setdefault((run.condition.dataset, run.condition.trainer, model), []).append(run)
    for (dataset, trainer, _), group in groups.items():
        with threadpool_limits(1):  # as in a worker
            took, samples, failed = _group_seconds(group, load_dataset(dataset), metrics)
        seconds, sampled = seconds + took, sampled + samples
        untimed += 0 if samples else len(group)
        reasons += [f"{trainer}: {reason}" for reason in failed]
    reasons = list(dict.fromkeys(reasons))
    if reasons and not sampled:
        raise TrainingError(f"no network could be timed: {'; '.join(reasons)}")
    return Forecast(
        name=spec.name,
        runs=len(runs),
        topologies=len({run.recipe_key for run in runs}),
        edges=sum(run.recipe.expected_edges for run in runs),
        pending=len(pending),
        sampled=sampled,
        seconds=seconds,
        workers=workers,
        untimed=untimed,
        reasons=tuple(reasons),
    )


def _group_seconds(runs: Sequence[Run], data: Dataset, metrics: Sequence[str]) -> tuple[float, int, list[str]]:
    """Seconds that runs of one trainer and data set take on one core, how many were timed, and why others failed."""
    ordered = sorted(runs, key=lambda run: run.recipe.expected_edges)
    positions = np.unique(np.linspace(0, len(ordered) - 1, _SAMPLES).round().astype(int))
    samples = [ordered[position] for position in positions]
    trainer = get_trainer(samples[0].condition.trainer)
    first = samples[0].recipe
    share = min(1.0, _ENOUGH / data.n_train) if isinstance(first, ModelRecipe) else 1.0
    data = _part_of(data, share)
    timed: list[tuple[float, float, float, float]] = []
    reasons = []
    for run in samples:
        try:
            if not timed:  # the first of a kind compiles
                config = run.condition.config(0).replace(epochs=1)
                train_alone(trainer, run.recipe, run.recipe.build(), data, config)
            timed.append((run.recipe.expected_edges, *_timed(run, data, metrics, share)))
        except Exception as error:  # of somebody else's trainer or model, any may come
            reasons.append(describe_error(error))
    if not timed:
        return 0.0, 0, reasons
    edges, making, fixed, epoch = (np.array(column) for column in zip(*timed, strict=True))
    recipes: dict[str, AnyRecipe] = {run.recipe_key: run.recipe for run in runs}
    total = float(_between([recipe.expected_edges for recipe in recipes.values()], edges, making).sum())
    wanted = [run.recipe.expected_edges for run in runs]
    epochs = np.array([run.condition.config(0).epochs for run in runs])
    total += float((_between(wanted, edges, fixed) + epochs * _between(wanted, edges, epoch)).sum())
    return total, len(timed), reasons


def _part_of(data: Dataset, share: float) -> Dataset:
    """Samples from all over a data set; it keeps its number of classes."""
    if share == 1:
        return data
    train, test = (
        np.union1d(np.linspace(0, len(labels) - 1, math.ceil(share * len(labels))).astype(int), labels.argmax())
        for labels in (data.y_train, data.y_test)
    )
    return replace(
        data, x_train=data.x_train[train], y_train=data.y_train[train], x_test=data.x_test[test],
        y_test=data.y_test[test],
    )  # fmt: skip


def _timed(run: Run, data: Dataset, metrics: Sequence[str], share: float) -> tuple[float, float, float]:
    """Seconds to make and measure the topology, to set a training up and evaluate it, and for one epoch.

    ``data`` are a ``share`` of those that the run would train on.
    """
    started = time.perf_counter()
    topology = run.recipe.build()
    profile(topology, metrics, run.recipe)
    making = time.perf_counter() - started
    trainer, config = get_trainer(run.condition.trainer), run.condition.config(run.seed)
    took = []
    for epochs in (1, 3):
        started = time.perf_counter()
        train_alone(trainer, run.recipe, topology, data, config.replace(epochs=epochs, patience=0))
        took.append(time.perf_counter() - started)
    epoch = max(0.0, (took[1] - took[0]) / 2)
    return making, max(0.0, took[0] - epoch) / share, epoch / share


def _between(wanted: Sequence[float], edges: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = np.interp(np.asarray(wanted, dtype=float), edges, values)
    return found
