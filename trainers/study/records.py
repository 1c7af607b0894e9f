"""Plain records that travel between the store, the engine and the workers: a job, and the result of a job."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trainers.study.plan import Condition
from trainers.study.spec import AnyRecipe

MACHINE = platform.node()
"""Name of this machine, as results carry it."""


@dataclass(frozen=True)
class Job:
    """What a worker does for one run.

    Parameters
    ----------
    run
        Number of the run in the store.
    recipe
        Recipe of its topology.
    topology_id
        Content hash that the recipe is known to give; empty when the topology was never made.
    metrics
        Names of the metrics to compute for the topology.
    condition
        Data set, trainer and settings; None when there is only something to measure.
    seed
        Seed of the training.
    last_metrics
        Names of the metrics to compute for the topology that a rewired network ends with.
    keep_weights
        Whether the trained weights are returned.
    trainer
        The trainer as bytes, where it is known to the owner's process only.
    """

    run: int
    recipe: AnyRecipe
    topology_id: str = ""
    metrics: tuple[str, ...] = ()
    condition: Condition | None = None
    seed: int = 0
    last_metrics: tuple[str, ...] = ()
    keep_weights: bool = False
    trainer: bytes = b""


@dataclass(frozen=True)
class Profile:
    """Metrics of a topology.

    Parameters
    ----------
    names
        Pairs of layer and metric.
    values, residuals
        One number per pair.
    reasons
        Position of an undefined value → the reason.
    """

    names: tuple[tuple[str, str], ...]
    values: tuple[float, ...]
    residuals: tuple[float, ...]
    reasons: dict[int, str]


@dataclass(frozen=True)
class JobResult:
    """The result of a job.

    Parameters
    ----------
    topology_id
        Content hash of the topology (first 20 digits); empty when it could not be made.
    record
        The training result as a plain record; None when the run failed or nothing was to be trained.
    weights
        The trained weights as bytes, where they were asked for.
    profile
        Metrics of the topology, where they were asked for.
    unmeasured
        Reason why the metrics could not be computed.
    reason, traceback
        Reason why the run failed; empty when it did not.
    seconds
        Wall-clock time of the whole job.
    machine
        Name of the machine that did it.
    run
        Number of the run that asked for it.
    """

    topology_id: str = ""
    record: dict[str, Any] | None = None
    weights: bytes | None = None
    profile: Profile | None = None
    unmeasured: str = ""
    reason: str = ""
    traceback: str = ""
    seconds: float = 0.0
    machine: str = MACHINE
    run: int = 0


def writable(text: str) -> str:
    r"""A text that any database and terminal takes: what is not Unicode, and NUL, is escaped.

    Examples
    --------
    >>> writable("lost: \ud800, \x00")
    'lost: \\ud800, \\x00'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def numbered_columns(names: Iterable[tuple[str, str]]) -> list[str]:
    """Columns of layers and metrics: layers are numbered in their order, since those of models have long names.

    Examples
    --------
    >>> numbered_columns([("conv.weight", "density"), ("fc.weight", "density"), ("network", "density")])
    ['l1_density', 'l2_density', 'network_density']
    """
    names = list(names)
    layers = list(dict.fromkeys(layer for layer, _ in names if layer != "network"))
    numbers = {"network": "network"} | {layer: f"l{number}" for number, layer in enumerate(layers, start=1)}
    return [f"{numbers[layer]}_{metric}" for layer, metric in names]
