"""From a `StudySpec` to its runs, each with an id that is a hash of everything that determines it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trainers.config import TrainingConfig
from trainers.registry import get_trainer
from trainers.study.plan.data_facts import DataFacts, describe_data
from trainers.study.spec import AnyRecipe, StudySpec

IDENTITY = 1
"""Part of every run's id. Raise it when a recipe gives other edges, or the same training other numbers."""

_DEFAULTS = TrainingConfig().to_record()


@dataclass(frozen=True)
class Condition:
    """Data set, trainer and settings of a run.

    Parameters
    ----------
    dataset, data_hash
        Name of the data set, and hash of its content.
    trainer
        Name of the trainer.
    settings
        JSON of the settings that differ from the defaults, except the seed; so a setting that a later version adds
        changes the id of no run that does not use it.
    """

    dataset: str
    data_hash: str
    trainer: str
    settings: str

    def config(self, seed: int) -> TrainingConfig:
        """The settings of a run."""
        return _config(self.settings).replace(seed=seed)


@dataclass(frozen=True)
class Run:
    """One network to train.

    Parameters
    ----------
    run_id
        SHA-256 (first 20 hexadecimal digits) of all that determines its numbers.
    recipe_key
        The same hash of the recipe alone.
    recipe, condition, seed
        Topology, condition and training seed.
    cost
        Relative cost, in arbitrary units.
    """

    run_id: str
    recipe_key: str
    recipe: AnyRecipe
    condition: Condition
    seed: int
    cost: float


def plan_runs(spec: StudySpec, data: Mapping[str, DataFacts] | None = None) -> Iterator[Run]:
    """Every run of the grid, each once. No topology is made.

    A run's id is a hash of the topology's recipe, the content of the data, the trainer and its ``version`` where it has
    one, the settings, and `IDENTITY`.
    """
    data = describe_data(spec) if data is None else data
    versions = trainer_versions(spec)
    seen: set[str] = set()
    for point in spec.points:
        facts = data[point.dataset]
        record = point.config.to_record()
        settings = {name: value for name, value in record.items() if name != "seed" and value != _DEFAULTS[name]}
        condition = Condition(point.dataset, facts.content_hash, point.trainer, json.dumps(settings, sort_keys=True))
        shared = json.dumps([IDENTITY, facts.content_hash, point.trainer, versions[point.trainer], condition.settings])
        keys: dict[int, tuple[AnyRecipe, str]] = {}
        cost = _cost(point.recipe, point.config, facts)
        for topology_seed, seed in point.seeds:
            if topology_seed not in keys:
                recipe = point.recipe.planned(topology_seed, facts.content_hash)
                keys[topology_seed] = recipe, _digest(json.dumps(recipe.to_record(), sort_keys=True))
            recipe, key = keys[topology_seed]
            run_id = _digest(f"{key} {seed} {shared}")
            if run_id not in seen:
                seen.add(run_id)
                yield Run(run_id, key, recipe, condition, seed, cost)


def trainer_versions(spec: StudySpec) -> dict[str, str]:
    """The version of each trainer's numbers, where it states one; raises for trainers that are not installed."""
    names = sorted({point.trainer for point in spec.points})
    return {name: str(getattr(get_trainer(name), "version", "")) for name in names}


def plan_id(spec: StudySpec, data: Mapping[str, DataFacts]) -> str:
    """A hash of all that determines the runs of a study."""
    asked = {key: spec.content.get(key) for key in ("grid", "training", "exclude")}
    hashes = {name: facts.content_hash for name, facts in data.items()}
    return _digest(json.dumps([IDENTITY, asked, hashes, trainer_versions(spec)], sort_keys=True, default=list))


def _cost(recipe: AnyRecipe, config: TrainingConfig, facts: DataFacts) -> float:
    return float(max(recipe.work, 1) * config.epochs * facts.n_train)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@lru_cache(maxsize=256)
def _config(settings: str) -> TrainingConfig:
    return TrainingConfig.from_record(json.loads(settings))


def study_meta(spec: StudySpec) -> dict[str, Any]:
    """The facts about a study that its store keeps."""
    return {"spec": {**spec.content, "name": spec.name}}
