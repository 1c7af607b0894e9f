"""The tables of a store, and the check that a file has them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from topograph.errors import StoreError

SCHEMA_VERSION = 3
_APPLICATION_ID = 0x70676870  # marks the file as ours
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- how a topology is made; topology_id is its content hash, known once a worker has made it
CREATE TABLE recipes (
    recipe INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL,
    architecture TEXT NOT NULL,
    construction TEXT NOT NULL,
    variant TEXT NOT NULL,
    degrees TEXT NOT NULL,
    topology_seed INTEGER NOT NULL,
    topology_id TEXT,
    unmeasured TEXT
);

-- data set, trainer and settings of trainings
CREATE TABLE conditions (
    condition INTEGER PRIMARY KEY,
    dataset TEXT NOT NULL,
    data_hash TEXT NOT NULL,
    trainer TEXT NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE (dataset, data_hash, trainer, settings)
);

CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    recipe INTEGER NOT NULL,
    condition INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    cost REAL NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    test_accuracy REAL,
    train_accuracy REAL,
    balanced_accuracy REAL,
    correct INTEGER,
    total INTEGER,
    seconds REAL,
    worker_seconds REAL,
    weight_stats BLOB,
    machine TEXT,
    finished REAL,
    reason TEXT,
    traceback TEXT
);
CREATE INDEX pending_runs ON runs (cost DESC, recipe, condition) WHERE status = 'pending';
CREATE INDEX failed_runs ON runs (run) WHERE status = 'failed';
CREATE INDEX finished_runs ON runs (finished);

-- large and seldom read: the whole record with its learning curves, and the weights where they are kept
CREATE TABLE records (run INTEGER PRIMARY KEY, record TEXT NOT NULL, weights BLOB);

-- derived from topologies, so that it can be thrown away and made again: for each topology and each list of
-- (layer, metric), the values and residuals as float64, and the reasons of what is undefined
CREATE TABLE profiles (profile INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE TABLE metrics (
    topology_id TEXT NOT NULL,
    profile INTEGER NOT NULL,
    measured REAL NOT NULL,
    vals BLOB NOT NULL,
    residuals BLOB NOT NULL,
    reasons TEXT NOT NULL,
    PRIMARY KEY (topology_id, profile)
) WITHOUT ROWID;
"""


def prepare(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    """Make the tables in a new file, or refuse a file that is not a store of this version.

    Raises
    ------
    StoreError
        Nothing has been changed then.
    """
    application, version, tables = _marks(connection, path)
    if create and not tables and not application:
        connection.executescript(
            f"BEGIN; {_TABLES} PRAGMA application_id = {_APPLICATION_ID}; "
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    elif application != _APPLICATION_ID:
        raise StoreError(f"{path} is an SQLite file, but not a study store; choose another path")
    elif version != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, but this topograph reads version {SCHEMA_VERSION}; "
            "use the topograph that made it, or start a new store. Nothing was changed"
        )


def is_empty(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether a database has neither tables nor anybody's mark.

    Raises
    ------
    StoreError
        When the file is not a database.
    """
    application, _, tables = _marks(connection, path)
    return not application and not tables


def _marks(connection: sqlite3.Connection, path: Path) -> tuple[int, int, int]:
    """Application, version of the schema, number of tables."""
    queries = ("PRAGMA application_id", "PRAGMA user_version", "SELECT COUNT(*) FROM sqlite_master")
    try:
        application, version, tables = (int(connection.execute(query).fetchone()[0]) for query in queries)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        copy = "; restore the file from a copy" if "malformed" in str(error) else ""
        raise StoreError(f"{path} is not a study store: {error}{copy}") from error
    return application, version, tables
