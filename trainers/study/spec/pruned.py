"""`Pruned`: what a topology that a pruner makes depends on besides its recipe; and how it is made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.study.data import checked


@dataclass(frozen=True)
class Pruned:
    """The data and the settings that a pruned topology depends on.

    Parameters
    ----------
    dataset
        Name of the data set.
    settings
        JSON of the training settings by which the choice is determined, where they are not defaults.
    data_hash
        Hash of the data's content; empty before the study is planned.
    """

    dataset: str
    settings: str
    data_hash: str = ""


def make_pruned(
    method: str,
    sizes: Sequence[int],
    degrees: Sequence[float],
    seed: int,
    options: Mapping[str, Any],
    pruned: Pruned,
) -> Topology:
    """The topology that a pruner makes of the dense network with the initial weights of ``seed``.

    It has as many edges as the degrees make together; with ``scope="layer"`` and no allocation, as many per layer.

    Raises
    ------
    InvalidDatasetError
        When the data have other content than when the study was planned.
    """
    from trainers.pruning import prune

    counts = {
        f"l{number}.weight": size * degree for number, (size, degree) in enumerate(zip(sizes, degrees, strict=False), 1)
    }
    data = checked(pruned.dataset, pruned.data_hash)
    chosen = {"allocation": lambda layer: counts[layer.name], **options}
    config = TrainingConfig.from_record(json.loads(pruned.settings)).replace(seed=seed, initial_draws="dense")
    dense = Topology.build("dense", sizes)
    return prune(
        method, dense, data, edges=max(len(counts), round(sum(counts.values()))), seed=seed, config=config, **chosen
    ).to_topology()
