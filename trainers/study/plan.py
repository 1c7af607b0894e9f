"""From a `StudySpec` to its runs, each with an id that says everything that determines it."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

from trainers.config import TrainingConfig
from trainers.datasets import load_dataset
from trainers.study.spec import Recipe, StudySpec


@dataclass(frozen=True)
class Run:
    """One network to train.

    Parameters
    ----------
    run_id
        SHA-256 (first 20 hexadecimal digits) of the topology's and the data's content, the trainer and the settings.
    topology_id
        The topology's content hash (first 20 digits).
    recipe, dataset, trainer, config
        What to train, on what, with what, and how.
    """

    run_id: str
    topology_id: str
    recipe: Recipe
    dataset: str
    trainer: str
    config: TrainingConfig

    def design(self) -> dict[str, Any]:
        """The run's place in the grid, as columns."""
        recipe = self.recipe
        return {
            "run_id": self.run_id,
            "topology_id": self.topology_id,
            "dataset": self.dataset,
            "trainer": self.trainer,
            "architecture": "-".join(map(str, recipe.sizes)),
            "construction": recipe.construction,
            "variant": recipe.variant.name,
            "degrees": "-".join(f"{d:g}" for d in recipe.degrees or recipe.sizes[1:]),
            "topology_seed": recipe.seed,
            "seed": self.config.seed,
        }


def plan_runs(spec: StudySpec) -> list[Run]:
    """Every run of the grid, each once: two points of the grid with the same content are one run."""
    data = {name: load_dataset(name).content_hash for name in spec.datasets}
    runs: dict[str, Run] = {}
    for recipe in spec.recipes():
        topology_id = recipe.build().content_hash[:20]
        for dataset, trainer, seed in itertools.product(spec.datasets, spec.trainers, spec.training_seeds):
            config = spec.training.replace(seed=seed)
            content = {
                "topology": topology_id,
                "data": data[dataset],
                "trainer": trainer,
                "config": config.to_record(),
            }
            run_id = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]
            runs.setdefault(run_id, Run(run_id, topology_id, recipe, dataset, trainer, config))
    return list(runs.values())
