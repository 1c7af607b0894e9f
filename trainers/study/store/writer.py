"""`StoreWriter`: all that is ever written to a store."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainers.study.plan import Condition, Run
from trainers.study.records import Job, JobResult, Profile
from trainers.study.spec import Recipe


@dataclass(frozen=True)
class FinishedJob:
    """What is to be kept of a job.

    Parameters
    ----------
    run, recipe
        Their numbers in the store.
    outcome
        What came of it.
    trained
        Whether it was a training, not only a measurement.
    attempts
        How often it was tried for this.
    """

    run: int
    recipe: int
    outcome: JobResult
    trained: bool = True
    attempts: int = 1


class StoreWriter:
    """The one writer of a store. Each method is one transaction: done whole, or not at all.

    Parameters
    ----------
    connection
        To a file that has the tables.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous = FULL")  # a finished run survives a power cut too
        self._connection = connection
        self._recipes: dict[int, Recipe] = {}
        self._conditions: dict[int, Condition] = {}
        self._profiles: dict[str, int] = {}
        self.topologies: dict[int, str] = {}
        """Recipe → content of what it makes, as far as known."""

    # ------------------------------------------------------------------ planning

    def plan(self, runs: Iterable[Run], meta: dict[str, Any]) -> int:
        """Enter runs that are not yet known as pending, and say what the study is; returns how many were asked for."""
        recipes: dict[str, int] = {}
        conditions: dict[Condition, int] = {}
        asked = 0

        def rows() -> Iterator[tuple[Any, ...]]:
            nonlocal asked
            for run in runs:
                asked += 1
                if run.recipe_key not in recipes:
                    recipes[run.recipe_key] = self._recipe(run.recipe_key, run.recipe)
                if run.condition not in conditions:
                    conditions[run.condition] = self._condition(run.condition)
                yield run.run_id, recipes[run.recipe_key], conditions[run.condition], run.seed, run.cost

        with self._connection as connection:
            connection.executemany(
                "INSERT INTO runs (run_id, recipe, condition, seed, cost, status) VALUES (?, ?, ?, ?, ?, 'pending') "
                "ON CONFLICT (run_id) DO NOTHING",
                rows(),
            )
            self._set_meta(meta)
        return asked

    def set_meta(self, meta: dict[str, Any]) -> None:
        """Store facts about the study: name → anything that JSON can hold."""
        with self._connection:
            self._set_meta(meta)

    def _set_meta(self, meta: dict[str, Any]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
            [(key, json.dumps(value, default=list)) for key, value in meta.items()],
        )

    def meta(self, key: str, default: Any = None) -> Any:
        """What is kept about the study."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else default

    def _recipe(self, key: str, recipe: Recipe) -> int:
        self._connection.execute(
            "INSERT INTO recipes (key, record, architecture, construction, variant, degrees, topology_seed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (
                key,
                json.dumps(recipe.to_record()),
                recipe.architecture,
                recipe.label,
                recipe.variant.name,
                recipe.degree_label,
                recipe.seed,
            ),
        )
        return int(self._connection.execute("SELECT recipe FROM recipes WHERE key = ?", (key,)).fetchone()[0])

    def _condition(self, condition: Condition) -> int:
        values = (condition.dataset, condition.data_hash, condition.trainer, condition.settings)
        self._connection.execute(
            "INSERT INTO conditions (dataset, data_hash, trainer, settings) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            values,
        )
        return int(
            self._connection.execute(
                "SELECT condition FROM conditions WHERE (dataset, data_hash, trainer, settings) = (?, ?, ?, ?)", values
            ).fetchone()[0]
        )

    def retry(self, among: set[int] | None = None) -> int:
        """Make failed runs pending again, all or those among some; returns how many."""
        with self._connection as connection:
            failed = [run for (run,) in connection.execute("SELECT run FROM runs WHERE status = 'failed'")]
            chosen = [(run,) for run in failed if among is None or run in among]
            connection.executemany("UPDATE runs SET status = 'pending' WHERE run = ?", chosen)
        return len(chosen)

    # ------------------------------------------------------------------ what is to be done

    def n_runs(self) -> int:
        """Number of known runs."""
        return int(self._connection.execute("SELECT COUNT(*) FROM runs").fetchone()[0])

    def runs_of(self, run_ids: Iterable[str]) -> set[int]:
        """The numbers of some runs."""
        known = dict(self._connection.execute("SELECT run_id, run FROM runs"))
        return {known[run_id] for run_id in run_ids}

    def pending(self) -> list[tuple[int, float]]:
        """Runs to be trained and what each costs, the longest first; those of one recipe and condition together."""
        return self._connection.execute(
            "SELECT run, cost FROM runs WHERE status = 'pending' ORDER BY cost DESC, recipe, condition, run"
        ).fetchall()

    def best_accuracy(self) -> float:
        """The best test accuracy so far; NaN when there is none."""
        (best,) = self._connection.execute("SELECT MAX(test_accuracy) FROM runs").fetchone()
        return float("nan") if best is None else float(best)

    def jobs(self, runs: Sequence[int]) -> list[tuple[int, int, Job]]:
        """Recipe, condition and job of some runs, in their order."""
        marks = ",".join("?" * len(runs))
        rows = self._connection.execute(
            f"SELECT run, recipe, condition, seed FROM runs WHERE run IN ({marks})", runs
        ).fetchall()
        found = {
            run: (recipe, condition, Job(run, self.recipe(recipe), condition=self.condition(condition), seed=seed))
            for run, recipe, condition, seed in rows
        }
        return [found[run] for run in runs]

    def recipe(self, recipe: int) -> Recipe:
        """A recipe by its number."""
        if recipe not in self._recipes:
            record, topology_id = self._connection.execute(
                "SELECT record, topology_id FROM recipes WHERE recipe = ?", (recipe,)
            ).fetchone()
            self._recipes[recipe] = Recipe.from_record(json.loads(record))
            if topology_id:
                self.topologies[recipe] = topology_id
        return self._recipes[recipe]

    def condition(self, condition: int) -> Condition:
        """A condition by its number."""
        if condition not in self._conditions:
            self._conditions[condition] = Condition(
                *self._connection.execute(
                    "SELECT dataset, data_hash, trainer, settings FROM conditions WHERE condition = ?", (condition,)
                ).fetchone()
            )
        return self._conditions[condition]

    def measured(self) -> dict[int, frozenset[str]]:
        """Recipe → names of the metrics that are known of what it makes; of every recipe."""
        names = {
            profile: frozenset(metric for _, metric in json.loads(text))
            for profile, text in self._connection.execute("SELECT profile, names FROM profiles")
        }
        known: dict[str, frozenset[str]] = {}
        for topology_id, profile in self._connection.execute("SELECT topology_id, profile FROM metrics"):
            known[topology_id] = known[topology_id] | names[profile] if topology_id in known else names[profile]
        nothing: frozenset[str] = frozenset()
        return {
            recipe: known.get(topology_id, nothing)
            for recipe, topology_id in self._connection.execute("SELECT recipe, topology_id FROM recipes")
        }

    def unmeasurable(self) -> set[int]:
        """Recipes whose metrics were tried and could not be computed."""
        rows = self._connection.execute("SELECT recipe FROM recipes WHERE unmeasured IS NOT NULL")
        return {recipe for (recipe,) in rows}

    # ------------------------------------------------------------------ what was done

    def save(self, results: Iterable[FinishedJob]) -> None:
        """Keep what came of some jobs, all in one transaction."""
        with self._connection:
            for result in results:
                outcome = result.outcome
                self._keep_topology(result.recipe, outcome)
                if outcome.record is not None:
                    self._finish(result, outcome.record)
                elif result.trained:
                    self._fail(result)

    def _keep_topology(self, recipe: int, outcome: JobResult) -> None:
        if outcome.topology_id and recipe not in self.topologies:
            self._connection.execute(
                "UPDATE recipes SET topology_id = ? WHERE recipe = ?", (outcome.topology_id, recipe)
            )
            self.topologies[recipe] = outcome.topology_id
        if outcome.profile is not None:
            self._keep_profile(outcome.topology_id, outcome.profile)
        if outcome.profile is not None or outcome.unmeasured:
            self._connection.execute(
                "UPDATE recipes SET unmeasured = ? WHERE recipe = ?", (outcome.unmeasured or None, recipe)
            )

    def _keep_profile(self, topology_id: str, profile: Profile) -> None:
        names = json.dumps(profile.names)
        if names not in self._profiles:
            self._connection.execute("INSERT INTO profiles (names) VALUES (?) ON CONFLICT DO NOTHING", (names,))
            self._profiles[names] = self._connection.execute(
                "SELECT profile FROM profiles WHERE names = ?", (names,)
            ).fetchone()[0]
        self._connection.execute(
            "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?)",
            (
                topology_id,
                self._profiles[names],
                time.time(),
                _packed(profile.values),
                _packed(profile.residuals),
                json.dumps(profile.reasons, sort_keys=True),
            ),
        )

    def _finish(self, result: FinishedJob, record: dict[str, Any]) -> None:
        outcome = result.outcome
        self._connection.execute(
            "UPDATE runs SET status = 'done', attempts = attempts + ?, test_accuracy = ?, train_accuracy = ?, "
            "balanced_accuracy = ?, correct = ?, total = ?, seconds = ?, worker_seconds = ?, weight_stats = ?, "
            "machine = ?, finished = ?, reason = NULL, traceback = NULL WHERE run = ?",
            (
                result.attempts,
                record["test_accuracy"],
                record["train_accuracy"],
                record["balanced_accuracy"],
                record["correct"],
                record["total"],
                record["seconds"],
                outcome.seconds,
                _packed(value for layer in record["weight_stats"].values() for value in layer.values()),
                outcome.machine,
                time.time(),
                result.run,
            ),
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (result.run, json.dumps(record), outcome.weights)
        )

    def _fail(self, result: FinishedJob) -> None:
        outcome = result.outcome
        self._connection.execute(
            "UPDATE runs SET status = 'failed', attempts = attempts + ?, worker_seconds = ?, machine = ?, "
            "finished = ?, reason = ?, traceback = ? WHERE run = ?",
            (
                result.attempts,
                outcome.seconds,
                outcome.machine,
                time.time(),
                outcome.reason,
                outcome.traceback,
                result.run,
            ),
        )


def _packed(values: Iterable[float | None]) -> bytes:
    return np.array([np.nan if value is None else value for value in values], dtype="<f8").tobytes()
