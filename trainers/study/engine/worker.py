"""What happens in a worker: make a topology, measure it, train networks on it."""

from __future__ import annotations

import io
import json
import time
import traceback
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from topograph.errors import InvalidDatasetError, StoreError
from topograph.metrics import measure
from topograph.topology import Topology
from trainers.datasets import Dataset, load_dataset
from trainers.registry import get_trainer
from trainers.result import TrainingResult
from trainers.study.records import MACHINE, Job, JobResult, Profile
from trainers.study.spec import Recipe

_UNTRAINED = object()


def execute(jobs: Sequence[Job]) -> list[JobResult]:
    """Do some jobs; several only when they can be trained together. An error becomes an outcome."""
    started = time.perf_counter()
    made = [_make(job) for job in jobs]
    training = [i for i, job in enumerate(jobs) if job.condition is not None and made[i][0] is not None]
    results = _train([jobs[i] for i in training], [made[i][0] for i in training]) if training else []
    found: dict[int, Any] = dict(zip(training, results, strict=True))
    seconds = (time.perf_counter() - started) / len(jobs)
    return [_outcome(job, made[i][1], found.get(i, _UNTRAINED), seconds) for i, job in enumerate(jobs)]


def _make(job: Job) -> tuple[Topology | None, JobResult]:
    """A job's topology, and what is known of it: its content, its metrics, or why there is none."""
    try:
        topology = _topology(job.recipe)
        topology_id = topology.content_hash[:20]
        if job.topology_id not in ("", topology_id):
            raise StoreError(
                f"{job.recipe.label} {job.recipe.degree_label} in {job.recipe.architecture} makes other connections "
                f"(content {topology_id}) than when this store was begun ({job.topology_id}): the construction has "
                "changed. Results of the two must not be mixed: start a new store, or use the former version"
            )
    except Exception as error:
        return None, _failed(error)
    if not job.metrics:
        return topology, JobResult(topology_id)
    try:
        return topology, JobResult(topology_id, profile=profile(topology, job.metrics))
    except Exception as error:  # a metric that cannot be computed costs no training
        return topology, JobResult(topology_id, unmeasured=f"{type(error).__name__}: {error}")


def _train(jobs: Sequence[Job], topologies: Sequence[Any]) -> Sequence[Any]:
    try:
        condition = jobs[0].condition
        assert condition is not None
        trainer = get_trainer(condition.trainer)
        data = _dataset(condition.dataset, condition.data_hash)
        configs = [condition.config(job.seed) for job in jobs]
        if len(jobs) > 1:
            together = trainer.train_many(topologies, data, configs)  # type: ignore[attr-defined]
            if len(together) != len(jobs):
                raise RuntimeError(f"train_many was asked for {len(jobs)} networks, but returned {len(together)}")
            return together  # type: ignore[no-any-return]
        return [trainer.train(topologies[0], data, configs[0])]
    except (Exception, SystemExit) as error:  # whatever a trainer raises must not end the study
        return [error] * len(jobs)


def _outcome(job: Job, made: JobResult, result: Any, seconds: float) -> JobResult:
    done: dict[str, Any] = {**vars(made), "seconds": seconds}
    if isinstance(result, TrainingResult):
        try:
            record = result.to_record()
            json.dumps(record)  # what cannot be written down fails here, alone, and not in the store
            done |= {"record": record, "weights": pack_weights(result) if job.keep_weights else None}
        except Exception as error:
            result = error
    elif not isinstance(result, BaseException) and result is not _UNTRAINED:
        done["reason"] = f"the trainer returned no TrainingResult, but {type(result).__name__}"
    if isinstance(result, BaseException):
        failed = _failed(result)
        done |= {"reason": failed.reason, "traceback": failed.traceback}
    return JobResult(**done)


def _failed(error: BaseException) -> JobResult:
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return JobResult(reason=words, traceback="".join(traceback.format_exception(error)))


def profile(topology: Topology, metrics: Sequence[str]) -> Profile:
    """Metrics of a topology, each layer and the network, as the store keeps them."""
    table = measure(topology, metrics, long=True, workers=1, progress=False)
    return Profile(
        tuple(zip(table["layer"], table["metric"], strict=True)),
        tuple(map(float, table["value"])),
        tuple(map(float, table["residual"])),
        {i: reason for i, reason in enumerate(table["reason"]) if isinstance(reason, str) and reason},
    )


def pack_weights(result: TrainingResult) -> bytes:
    """Weights and biases as the bytes of an ``.npz``: values only, since the topology is made again by its recipe."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {}
    for number, (layer, bias) in enumerate(zip(result.weights, result.biases, strict=True), start=1):
        arrays[f"weights_{number}"], arrays[f"biases_{number}"] = layer.data, bias
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@lru_cache(maxsize=4)
def _topology(recipe: Recipe) -> Topology:
    """Trainings of one topology come one after the other, and some topologies take long to make."""
    return recipe.build()


@lru_cache(maxsize=2)
def _loaded(name: str) -> Dataset:
    """Read once a process, by name: data sets do not travel with tasks."""
    return load_dataset(name)


def _dataset(name: str, content_hash: str) -> Dataset:
    data = _loaded(name)
    if data.content_hash != content_hash:
        raise InvalidDatasetError(
            f"{name} on {MACHINE} has other content ({data.content_hash[:12]}…) than where the study was begun "
            f"({content_hash[:12]}…): copy the same files to all machines"
        )
    return data


def warm(datasets: Sequence[str], trainers: Sequence[str]) -> None:
    """Read what the first run will need, while the study is still being planned; what fails here fails again there."""
    for trainer in trainers:
        get_trainer(trainer)
    for name in datasets:
        _ = _loaded(name).content_hash
