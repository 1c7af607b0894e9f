"""`StoreWriter`: everything that is written to a store."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trainers.study.plan import Condition, Run
from trainers.study.records import Job, JobResult, Profile, writable
from trainers.study.spec import AnyRecipe, recipe_from_record
from trainers.study.store.access import damage_said

_UNSTORABLE = (ValueError, TypeError, LookupError, OverflowError, sqlite3.DataError, sqlite3.IntegrityError,
               sqlite3.InterfaceError, sqlite3.ProgrammingError)  # fmt: skip
"""Errors that are about a value, and not about the file."""


@dataclass(frozen=True)
class FinishedJob:
    """A job with its result, ready to be stored.

    Parameters
    ----------
    run, recipe
        Numbers of the run and of its recipe in the store.
    result
        Result of the job.
    trained
        Whether it was a training, not only a measurement.
    attempts
        Number of attempts that it took.
    """

    run: int
    recipe: int
    result: JobResult
    trained: bool = True
    attempts: int = 1


class StoreWriter:
    """The one writer of a store. Each method is one transaction.

    Parameters
    ----------
    connection
        Connection to a file that has the tables.
    path
        Path of the file, for messages.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._path = path
        connection.execute("PRAGMA synchronous = FULL")  # a finished run survives a power cut too
        self._connection = connection
        self._recipes: dict[int, AnyRecipe] = {}
        self._conditions: dict[int, Condition] = {}
        self._profiles: dict[str, int] = {}
        self.topologies: dict[int, str] = {}
        """Recipe → content hash of its topology, as far as known."""

    # ------------------------------------------------------------------ planning

    def plan(self, runs: Iterable[Run], meta: dict[str, Any]) -> int:
        """Enter unknown runs as pending, and store facts about the study; returns the number of runs given."""
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
        """A stored fact about the study."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        with damage_said(self._path):
            return json.loads(row[0]) if row else default

    def _recipe(self, key: str, recipe: AnyRecipe) -> int:
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
        """Make failed runs pending again, all or those among some; returns their number."""
        with self._connection as connection:
            failed = [run for (run,) in connection.execute("SELECT run FROM runs WHERE status = 'failed'")]
            chosen = [(run,) for run in failed if among is None or run in among]
            connection.executemany("UPDATE runs SET status = 'pending' WHERE run = ?", chosen)
        return len(chosen)

    # ------------------------------------------------------------------ open work

    def n_runs(self, status: str | None = None) -> int:
        """Number of known runs, all or those of one status."""
        if status is None:
            return int(self._connection.execute("SELECT COUNT(*) FROM runs").fetchone()[0])
        return int(self._connection.execute("SELECT COUNT(*) FROM runs WHERE status = ?", (status,)).fetchone()[0])

    def trainers(self) -> list[str]:
        """Names of the trainers of runs that are not done."""
        query = "SELECT DISTINCT trainer FROM runs JOIN conditions USING (condition) WHERE status != 'done'"
        return [name for (name,) in self._connection.execute(query)]

    def done(self) -> set[int]:
        """Numbers of the runs that are done."""
        return {run for (run,) in self._connection.execute("SELECT run FROM runs WHERE status = 'done'")}

    def runs_of(self, run_ids: Iterable[str]) -> set[int]:
        """The numbers of some runs."""
        known = dict(self._connection.execute("SELECT run_id, run FROM runs"))
        return {known[run_id] for run_id in run_ids}

    def pending(self, among: set[int] | None = None) -> list[tuple[int, float]]:
        """Runs to be trained, all or those among some, each with its cost.

        The longest come first, and those of one recipe and condition together.
        """
        rows = self._connection.execute(
            "SELECT run, cost FROM runs WHERE status = 'pending' ORDER BY cost DESC, recipe, condition, run"
        ).fetchall()
        return rows if among is None else [(run, cost) for run, cost in rows if run in among]

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

    def recipe(self, recipe: int) -> AnyRecipe:
        """A recipe by its number."""
        if recipe not in self._recipes:
            record, topology_id = self._connection.execute(
                "SELECT record, topology_id FROM recipes WHERE recipe = ?", (recipe,)
            ).fetchone()
            with damage_said(self._path):
                self._recipes[recipe] = recipe_from_record(json.loads(record))
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
        """Every recipe → names of the metrics that are known for its topology."""
        with damage_said(self._path):
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

    # ------------------------------------------------------------------ results

    def save(self, jobs: Iterable[FinishedJob]) -> list[FinishedJob]:
        """Store the results of some jobs in one transaction; returns them as they were stored.

        A result that the database cannot hold becomes the failure of its run, and costs no other one.
        """
        jobs = list(jobs)
        try:
            self._save(jobs)
        except _UNSTORABLE:
            return [self._saved_alone(job) for job in jobs]
        return jobs

    def _saved_alone(self, job: FinishedJob) -> FinishedJob:
        try:
            self._save([job])
        except _UNSTORABLE as error:
            reason = writable(f"its result cannot be stored: {type(error).__name__}: {error}")
            job = replace(job, result=JobResult(reason=reason, unmeasured=reason, run=job.run))
            self._save([job])
        return job

    def _save(self, jobs: Sequence[FinishedJob]) -> None:
        new = {job.recipe for job in jobs if job.recipe not in self.topologies}
        try:
            with self._connection:
                for job in jobs:
                    self._save_topology(job.recipe, job.result)
                    if job.result.record is not None:
                        self._finish(job, job.result.record)
                    elif job.trained:
                        self._fail(job)
        except BaseException:  # nothing of it was stored, so nothing of it is known
            self._profiles.clear()
            for recipe in new:
                self.topologies.pop(recipe, None)
            raise

    def _save_topology(self, recipe: int, result: JobResult) -> None:
        if result.topology_id and recipe not in self.topologies:
            self._connection.execute(
                "UPDATE recipes SET topology_id = ? WHERE recipe = ?", (result.topology_id, recipe)
            )
            self.topologies[recipe] = result.topology_id
        if result.profile is not None:
            self._save_profile(result.topology_id, result.profile)
        if result.profile is not None or result.unmeasured:
            self._connection.execute(
                "UPDATE recipes SET unmeasured = ? WHERE recipe = ?", (writable(result.unmeasured) or None, recipe)
            )

    def _save_profile(self, topology_id: str, profile: Profile) -> None:
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

    def _finish(self, job: FinishedJob, record: dict[str, Any]) -> None:
        result = job.result
        self._connection.execute(
            "UPDATE runs SET status = 'done', attempts = attempts + ?, test_accuracy = ?, train_accuracy = ?, "
            "balanced_accuracy = ?, correct = ?, total = ?, seconds = ?, worker_seconds = ?, weight_stats = ?, "
            "machine = ?, finished = ?, reason = NULL, traceback = NULL WHERE run = ?",
            (
                job.attempts,
                record["test_accuracy"],
                record["train_accuracy"],
                record["balanced_accuracy"],
                record["correct"],
                record["total"],
                record["seconds"],
                result.seconds,
                _packed(value for layer in record["weight_stats"].values() for value in layer.values()),
                result.machine,
                time.time(),
                job.run,
            ),
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (job.run, _as_json(record), result.weights)
        )

    def _fail(self, job: FinishedJob) -> None:
        result = job.result
        self._connection.execute(
            "UPDATE runs SET status = 'failed', attempts = attempts + ?, worker_seconds = ?, machine = ?, "
            "finished = ?, reason = ?, traceback = ? WHERE run = ?",
            (
                job.attempts,
                result.seconds,
                result.machine,
                time.time(),
                writable(result.reason),
                writable(result.traceback),
                job.run,
            ),
        )


def _packed(values: Iterable[float | None]) -> bytes:
    return np.array([np.nan if value is None else value for value in values], dtype="<f8").tobytes()


def _as_json(record: dict[str, Any]) -> str:
    """A record as JSON whose text can be printed when it is read again."""
    text = json.dumps(record)
    return json.dumps(_writable(record)) if "\\ud" in text else text


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, dict):
        return {_writable(key): _writable(entry) for key, entry in value.items()}
    return [_writable(entry) for entry in value] if isinstance(value, list | tuple) else value
