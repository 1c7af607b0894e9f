"""`Store`: the results of a study in one SQLite file, with one writer, where every finished run is safe."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import pandas as pd

from topograph.errors import StoreError
from trainers.study.plan import Run

SCHEMA_VERSION = 2
_APPLICATION_ID = 0x70676870  # marks the file as ours
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    topology_id TEXT NOT NULL,
    dataset TEXT NOT NULL,
    trainer TEXT NOT NULL,
    architecture TEXT NOT NULL,
    construction TEXT NOT NULL,
    variant TEXT NOT NULL,
    degrees TEXT NOT NULL,
    topology_seed INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    settings TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    test_accuracy REAL,
    train_accuracy REAL,
    correct INTEGER,
    total INTEGER,
    seconds REAL,
    record TEXT,
    reason TEXT,
    traceback TEXT,
    finished TEXT
);
CREATE TABLE metrics (
    topology_id TEXT NOT NULL,
    layer TEXT NOT NULL,
    metric TEXT NOT NULL,
    value REAL,
    residual REAL,
    reason TEXT,
    PRIMARY KEY (topology_id, layer, metric)
);
"""


@dataclass(frozen=True)
class Store:
    """A study's store.

    Parameters
    ----------
    path
        The SQLite file; made when it is opened for writing for the first time.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(Path(folder) / "study.sqlite")
    ...     with store.writer() as writer:
    ...         writer.plan([], {"name": "empty"})
    ...     store.counts()
    {'pending': 0, 'done': 0, 'failed': 0}
    """

    path: Path

    @contextmanager
    def writer(self) -> Iterator[StoreWriter]:
        """Open the store for writing; only one process at a time can.

        Raises
        ------
        StoreError
            When another process is writing, or the file is not a store of this version.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(f"{self.path}.lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise StoreError(f"{self.path} is being written by another process; wait for it, or stop it") from None
        try:
            with self._connection(create=True) as connection:
                yield StoreWriter(connection)
        finally:
            lock.release()

    def runs(self) -> pd.DataFrame:
        """All planned runs, one row each: place in the grid, status, results."""
        with self._connection() as connection:
            return pd.read_sql_query("SELECT * FROM runs ORDER BY rowid", connection)

    def metrics(self) -> pd.DataFrame:
        """Metrics of all topologies: columns topology_id, layer, metric, value, residual, reason."""
        with self._connection() as connection:
            return pd.read_sql_query("SELECT * FROM metrics", connection)

    def meta(self) -> dict[str, Any]:
        """What was said about the study when it was last run: its spec and versions."""
        with self._connection() as connection:
            return {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}

    def counts(self) -> dict[str, int]:
        """Number of runs by status."""
        with self._connection() as connection:
            found = dict(connection.execute("SELECT status, COUNT(*) FROM runs GROUP BY status"))
        return {status: found.get(status, 0) for status in ("pending", "done", "failed")}

    @contextmanager
    def _connection(self, create: bool = False) -> Iterator[sqlite3.Connection]:
        if not create and not self.path.is_file():
            raise StoreError(f"{self.path}: no such store; run a study first: topograph study run SPEC --store STORE")
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            self._check(connection, create)
            yield connection
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error
        finally:
            connection.close()

    def _check(self, connection: sqlite3.Connection, create: bool) -> None:
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path} is not a study store: {error}") from error
        if create and not tables and not application:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA application_id = {_APPLICATION_ID}; "
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        elif application != _APPLICATION_ID:
            raise StoreError(f"{self.path} is an SQLite file, but not a study store; choose another path")
        elif version != SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema version {version}, but this topograph reads version {SCHEMA_VERSION}; "
                "use the topograph that made it, or start a new store. Nothing was changed"
            )
        connection.execute("PRAGMA synchronous = FULL")  # a finished run survives a power cut too


class StoreWriter:
    """The one writer of a store. Each method is one transaction: done whole, or not at all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def plan(self, runs: Iterable[Run], meta: dict[str, Any]) -> None:
        """Enter runs that are not yet known as pending, and say what the study is."""
        rows = [run.design() for run in runs]
        with self._connection as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO runs (run_id, topology_id, dataset, trainer, architecture, construction, "
                "variant, degrees, topology_seed, seed, settings, status) VALUES (:run_id, :topology_id, :dataset, "
                ":trainer, :architecture, :construction, :variant, :degrees, :topology_seed, :seed, :settings, "
                "'pending')",
                rows,
            )
            connection.executemany(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
                [(key, json.dumps(value)) for key, value in meta.items()],
            )

    def statuses(self) -> dict[str, str]:
        """The status of every known run."""
        return dict(self._connection.execute("SELECT run_id, status FROM runs"))

    def measured(self) -> set[tuple[str, str]]:
        """Pairs of topology and metric that are known already."""
        return set(self._connection.execute("SELECT DISTINCT topology_id, metric FROM metrics"))

    def finish(self, run_id: str, record: dict[str, Any]) -> None:
        """Keep the result of a run."""
        with self._connection as connection:
            connection.execute(
                "UPDATE runs SET status = 'done', attempts = attempts + 1, test_accuracy = ?, train_accuracy = ?, "
                "correct = ?, total = ?, seconds = ?, record = ?, reason = NULL, traceback = NULL, "
                "finished = datetime('now') WHERE run_id = ?",
                (
                    record["test_accuracy"],
                    record["train_accuracy"],
                    record["correct"],
                    record["total"],
                    record["seconds"],
                    json.dumps(record),
                    run_id,
                ),
            )

    def fail(self, run_id: str, reason: str, traceback: str) -> None:
        """Keep why a run failed."""
        with self._connection as connection:
            connection.execute(
                "UPDATE runs SET status = 'failed', attempts = attempts + 1, reason = ?, traceback = ?, "
                "finished = datetime('now') WHERE run_id = ?",
                (reason, traceback, run_id),
            )

    def keep_metrics(self, topology_id: str, rows: Iterable[tuple[str, str, float, float, str | None]]) -> None:
        """Keep metrics of a topology: layer, metric, value, residual, reason. NaN is kept as NULL."""
        with self._connection as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?)", [(topology_id, *row) for row in rows]
            )


def open_store(path: str | os.PathLike[str]) -> Store:
    """A store by its path."""
    return Store(Path(path))
