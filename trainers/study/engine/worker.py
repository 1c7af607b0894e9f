"""The work of a worker: make a topology, measure it, train networks on it."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

import cloudpickle
import numpy as np

from topograph.errors import ConformanceError, PluginError, StoreError
from topograph.masks.maskset import MaskSet
from topograph.metrics import measure
from topograph.metrics.registry import select_metrics
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.given import given_trainers
from trainers.protocol import Trainer
from trainers.registry import get_trainer
from trainers.result import TrainingResult
from trainers.study.data import checked, loaded
from trainers.study.engine.checking import check_result
from trainers.study.engine.interrupts import is_interrupt, watching_interrupts
from trainers.study.records import Job, JobResult, Profile, numbered_columns, writable
from trainers.study.spec import AnyRecipe, ModelRecipe

_ROUNDED = ", or another kind of processor or another version led the search to other edges"

Edges = Topology | MaskSet
"""What a recipe makes: a chain, or the masks of a model."""


def execute(jobs: Sequence[Job]) -> list[JobResult]:
    """Do some jobs; several only when they can be trained together. Errors become results, Ctrl-C does not."""
    started, process = time.perf_counter(), os.getpid()
    with watching_interrupts(), _same_folder():
        made = [_make(job) for job in jobs]
        training = [i for i, job in enumerate(jobs) if job.condition is not None and made[i][0] is not None]
        trained = _train([jobs[i] for i in training], [made[i][0] for i in training]) if training else []
    if os.getpid() != process:  # a copy of this process that a trainer made: only the original goes on
        os._exit(0)
    share = (time.perf_counter() - started) / len(jobs)
    results = [result for _, result in made]
    for i, outcome in zip(training, trained, strict=True):
        results[i] = _with_training(jobs[i], results[i], outcome)
    return [replace(result, run=job.run, seconds=share) for job, result in zip(jobs, results, strict=True)]


@contextmanager
def _same_folder() -> Iterator[None]:
    """Return to the working folder that a trainer may have left."""
    try:
        folder = os.getcwd()
    except OSError:  # it was deleted
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            os.chdir(folder)


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch on one thread, as in a sandbox: sums of several threads round otherwise, and so would results."""
    torch = sys.modules.get("torch")
    before = getattr(torch, "get_num_threads", lambda: 1)()
    if torch is None or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _make(job: Job) -> tuple[Edges | None, JobResult]:
    """The topology of a job, with its content hash and its metrics, or the reason why there is none."""
    try:
        topology = _topology(job.recipe)
        topology_id = topology.content_hash[:20]
        if job.topology_id not in ("", topology_id):
            raise StoreError(
                f"{job.recipe.label} {job.recipe.degree_label} in {job.recipe.architecture} gives other edges "
                f"(content {topology_id}) than when this store was begun ({job.topology_id}): the construction has "
                f"changed{_ROUNDED if job.recipe.depends_on_rounding else ''}. Results of the two must not be mixed: "
                "start a new store, or use the former version"
            )
    except BaseException as error:
        if is_interrupt(error):
            raise
        return None, _failed(error)
    if not job.metrics:
        return topology, JobResult(topology_id)
    try:
        return topology, JobResult(topology_id, profile=profile(topology, job.metrics, job.recipe))
    except BaseException as error:  # a metric that cannot be computed costs no training
        if is_interrupt(error):
            raise
        return topology, JobResult(topology_id, unmeasured=writable(describe_error(error)))


def _train(jobs: Sequence[Job], topologies: Sequence[Any]) -> list[TrainingResult | BaseException]:
    """The checked result of each training, or the error that it ended with."""
    try:
        condition = jobs[0].condition
        assert condition is not None
        trainer = _trainer(condition.trainer, jobs[0].trainer)
        data = checked(condition.dataset, condition.data_hash)
        configs = [condition.config(job.seed) for job in jobs]
        with _one_thread():
            if len(jobs) > 1:
                results = list(islice(trainer.train_many(topologies, data, configs), len(jobs) + 1))  # type: ignore[attr-defined]
                if len(results) != len(jobs):
                    raise ConformanceError(
                        f"train_many was given {len(jobs)} networks, but did not return as many results"
                    )
            else:
                results = [train_alone(trainer, jobs[0].recipe, topologies[0], data, configs[0])]
    except BaseException as error:  # whatever a trainer raises must not end the study
        if is_interrupt(error):
            raise
        return [error] * len(jobs)
    return [
        _checked(condition.trainer, result, topology, data, config)
        for result, topology, config in zip(results, topologies, configs, strict=True)
    ]


def train_alone(trainer: Any, recipe: AnyRecipe, topology: Any, data: Dataset, config: TrainingConfig) -> Any:
    """What a trainer makes of one topology, or of the masks of a model."""
    if isinstance(recipe, ModelRecipe):
        return trainer.train_model(recipe.model, topology, data, config)
    return trainer.train(topology, data, config)


def _checked(
    trainer: str, result: Any, topology: Edges, data: Dataset, config: TrainingConfig
) -> TrainingResult | BaseException:
    if isinstance(result, BaseException):
        return result
    try:
        return check_result(trainer, result, topology, data, config)
    except BaseException as error:  # of an object that only looks like a result, any may come
        if is_interrupt(error):
            raise
        return error


def _with_training(job: Job, made: JobResult, outcome: TrainingResult | BaseException) -> JobResult:
    """A job's result with its training, as far as it can be written down."""
    if not isinstance(outcome, BaseException):
        try:
            record = outcome.to_record()
            final = _final(outcome, job.last_metrics, job.recipe)
            if final["metrics"] or outcome.config.rewiring != "none":
                record["final"] = final
            json.dumps(record)
            weights = pack_weights(outcome) if job.keep_weights else None
            return replace(made, record=record, weights=weights)
        except BaseException as error:
            if is_interrupt(error):
                raise
            outcome = error
    failed = _failed(outcome)
    return replace(made, reason=failed.reason, traceback=failed.traceback)


def _final(outcome: TrainingResult, metrics: Sequence[str], recipe: AnyRecipe) -> dict[str, Any]:
    """What is known of a network at its end, or the reason why it is not.

    Of a rewired network the content hash of its edges and their metrics; of a compressed one how many parameters each
    layer has; of every one the metrics of its trained weights, if the study has such metrics.
    """
    config = outcome.config
    found: dict[str, Any] = {"metrics": {}}
    if config.compression != "none":
        found["metrics"] |= {f"l{i}_n_parameters": n for i, n in enumerate(outcome.n_parameters, start=1)}
        found["metrics"]["network_n_parameters"] = sum(outcome.n_parameters)
    try:
        if config.rewiring != "none":
            assert outcome.topology is not None
            found["topology_id"] = outcome.topology.content_hash[:20]
            if metrics:
                found["metrics"] |= _finite(profile(outcome.topology, metrics, recipe))
        weighted = [metric.name for metric in select_metrics(metrics) if metric.needs == "weights"] if metrics else []
        if weighted:
            layers = {f"l{i}": layer for i, layer in enumerate(outcome.weights, start=1)}
            found["metrics"] |= _finite(profile(layers, weighted))
    except BaseException as error:  # a metric that cannot be computed costs no training
        if is_interrupt(error):
            raise
        return found | {"unmeasured": writable(describe_error(error))}
    return found


def _finite(measured: Profile) -> dict[str, float]:
    return {
        name: value
        for name, value in zip(numbered_columns(measured.names), measured.values, strict=True)
        if np.isfinite(value)
    }


def _failed(error: BaseException) -> JobResult:
    return JobResult(reason=writable(describe_error(error)), traceback=writable(_trace(error)))


def _trace(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # of an error that cannot say what it is
        return ""


def describe_error(error: BaseException) -> str:
    """An error as one line or more of text, also when it cannot be printed."""
    try:
        message = str(error)
    except Exception:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def profile(topology: Edges | Mapping[str, Any], metrics: Sequence[str], recipe: AnyRecipe | None = None) -> Profile:
    """Metrics of each layer and of the network, as the store keeps them.

    Parameters
    ----------
    topology
        A topology, the masks of a model, or matrices of weights.
    metrics
        Names of the metrics.
    recipe
        How the topology or the masks were made: a model's whole graph is known from its recipe only.
    """
    source, example = (topology, None) if recipe is None else recipe.measurable(topology)
    table = measure(source, metrics, long=True, workers=1, progress=False, example=example)
    return Profile(
        tuple(zip(table["layer"], table["metric"], strict=True)),
        tuple(map(float, table["value"])),
        tuple(map(float, table["residual"])),
        {i: reason for i, reason in enumerate(table["reason"]) if isinstance(reason, str) and reason},
    )


def pack_weights(result: TrainingResult) -> bytes:
    """Weights and biases as the bytes of an ``.npz``: values only, since the recipe gives the topology."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {}
    arrays |= {f"weights_{number}": layer.data for number, layer in enumerate(result.weights, start=1)}
    arrays |= {f"biases_{number}": bias for number, bias in enumerate(result.biases, start=1)}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@lru_cache(maxsize=4)
def _topology(recipe: AnyRecipe) -> Edges:
    """Cached: trainings of one topology follow each other, and some topologies take long to make."""
    return recipe.build()


def _trainer(name: str, sent: bytes) -> Trainer:
    """A trainer that this process knows, or else the one that was sent."""
    return get_trainer(name) if not sent or name in given_trainers() else _unpacked(sent)


@lru_cache(maxsize=4)
def _unpacked(sent: bytes) -> Trainer:
    trainer: Trainer = pickle.loads(sent)
    return trainer


def pack_trainer(name: str) -> bytes:
    """A trainer that only this process knows, ready to be sent to others; empty for one that they can find by name.

    Raises
    ------
    PluginError
        When the object cannot be sent.
    """
    if name not in given_trainers():
        return b""
    try:
        packed: bytes = cloudpickle.dumps(given_trainers()[name])
        return packed
    except Exception as error:
        raise PluginError(
            f"the trainer {name!r} cannot be sent to worker processes ({type(error).__name__}: {error}): give it as "
            "'module:Class', or use workers=1"
        ) from error


def warm(datasets: Sequence[str], trainers: Sequence[str]) -> None:
    """Load what the first run needs while the study is still being planned; errors will come up again in that run."""
    for trainer in trainers:
        get_trainer(trainer)
    for name in datasets:
        _ = loaded(name).content_hash
