"""From a `StudySpec` to its runs, each with an id that says everything that determines it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from trainers.config import TrainingConfig
from trainers.datasets import load_dataset
from trainers.study.recipe import Recipe
from trainers.study.spec import StudySpec


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
            "architecture": recipe.architecture,
            "construction": recipe.label,
            "variant": recipe.variant.name,
            "degrees": recipe.degree_label,
            "topology_seed": recipe.seed,
            "seed": self.config.seed,
            "settings": json.dumps(self.config.replace(seed=0).to_record()),
        }


def plan_runs(spec: StudySpec) -> list[Run]:
    """Every run of the grid, each once: two points of the grid with the same content are one run."""
    data = {name: load_dataset(name).content_hash for name in {point.dataset for point in spec.points}}
    content_of = cache(lambda recipe: recipe.build().content_hash[:20])
    runs: dict[str, Run] = {}
    for point in spec.points:
        for topology_seed, training_seed in point.seeds:
            recipe = replace(point.recipe, seed=topology_seed)
            config = point.config.replace(seed=training_seed)
            content = {
                "topology": content_of(recipe),
                "data": data[point.dataset],
                "trainer": point.trainer,
                "config": config.to_record(),
            }
            run_id = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]
            runs.setdefault(run_id, Run(run_id, content_of(recipe), recipe, point.dataset, point.trainer, config))
    return list(runs.values())
