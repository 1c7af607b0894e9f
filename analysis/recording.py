"""`record`: networks that somebody trained in their own loop, in a file that every analysis reads."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from topograph.errors import InvalidParameterError, StoreError
from topograph.masks.loading import load
from topograph.masks.maskset import MaskSet
from topograph.metrics import measure
from topograph.metrics.registry import select_metrics
from topograph.topology import Topology

OUTCOMES = ("test_accuracy", "train_accuracy", "balanced_accuracy", "correct", "total", "seconds")
"""What `record` takes for a result by its name; anything else is a setting, unless ``outcomes=`` holds it."""
_APPLICATION = 0x74677263  # marks the file as ours
_TABLES = f"""
CREATE TABLE runs (run_id TEXT PRIMARY KEY, topology_id TEXT NOT NULL, settings TEXT NOT NULL, outcomes TEXT NOT NULL);
CREATE TABLE measured (topology_id TEXT NOT NULL, metrics TEXT NOT NULL, row TEXT NOT NULL,
                       PRIMARY KEY (topology_id, metrics));
PRAGMA application_id = {_APPLICATION};
"""


def record(
    store: str | os.PathLike[str],
    masks: Any,
    *,
    metrics: str | Iterable[str] = "fast",
    outcomes: Mapping[str, float] | None = None,
    replace: bool = False,
    **settings: Any,
) -> str:
    """Put one trained network into a file that `load_frame`, every analysis and the report read.

    A network is written whole or not at all, whatever kills the process, and several processes may write at once. The
    same masks with the same settings are one run: to record it again changes nothing. Masks are measured once.

    Parameters
    ----------
    store
        A path ending in ``.sqlite`` or ``.db``, made when it is not there.
    masks
        What was trained: a `MaskSet`, a `Topology`, a live model, a path, or anything that `topograph.load` reads.
    metrics
        What is measured of the masks, as for `topograph.measure`. A chain has columns ``l1_<metric>``, ``l2_<metric>``,
        … and ``network_<metric>``; any masks have ``mean_<metric>``, ``min_<metric>`` and ``max_<metric>`` over the
        layers, and ``network_density``.
    outcomes
        Results of other names than `OUTCOMES`, such as ``{"bleu": 31.2}``.
    replace
        Whether a run that is there with other results takes the new ones.
    **settings
        Results named in `OUTCOMES`, such as ``test_accuracy=0.97``, and whatever tells this run from others: the key
        columns (``dataset``, ``construction``, ``architecture``, ``seed``, …), and settings of your own.

    Returns
    -------
    str
        The run's id.

    Raises
    ------
    InvalidParameterError
        When there is no result, a value is neither text nor a number, or the run is there with other results.
    StoreError
        When the file is another one, or cannot be written.

    Examples
    --------
    >>> import tempfile, topograph as tg
    >>> from analysis import load_frame
    >>> path = Path(tempfile.mkdtemp(), "mine.sqlite")
    >>> topology = tg.Topology.build("random_regular", [20, 10, 4], degrees=2)
    >>> for seed in (0, 1, 1):
    ...     run = record(path, topology, metrics=["density"], test_accuracy=0.9 + seed / 100, seed=seed, lr=0.1)
    >>> load_frame(path)[["seed", "lr", "l1_density", "test_accuracy"]].values.tolist()
    [[0.0, 0.1, 0.2, 0.9], [1.0, 0.1, 0.2, 0.91]]
    """
    path = Path(store)
    if path.suffix not in (".sqlite", ".db"):
        raise InvalidParameterError(f"networks are recorded in a file ending in .sqlite or .db, but got {path}")
    results = {name: settings.pop(name) for name in OUTCOMES if settings.get(name) is not None}
    results = _checked(results | dict(outcomes or {}), "result")
    if not results:
        raise InvalidParameterError(f"a run needs a result: one of {', '.join(OUTCOMES)}, or outcomes={{…}}")
    told = _checked(settings, "setting")
    for name in ("run_id", "topology_id"):
        if name in told:
            raise InvalidParameterError(f"{name} follows from the masks and the settings; leave it out")
    graphs = _mask_set(masks)
    topology_id = _topology_id(graphs)
    if graphs.is_chain:
        told.setdefault("architecture", graphs.to_topology().architecture)
    names = [metric.name for metric in select_metrics(metrics)]
    run_id = hashlib.sha256(_as_json([topology_id, told]).encode()).hexdigest()[:32]
    with _opened(path) as database:
        known = "SELECT 1 FROM measured WHERE topology_id = ? AND metrics = ?"
        if database.execute(known, (topology_id, _as_json(names))).fetchone() is None:
            row = _measured(graphs, names)
            database.execute(
                "INSERT OR IGNORE INTO measured VALUES (?, ?, ?)", (topology_id, _as_json(names), _as_json(row))
            )
        there = database.execute("SELECT outcomes FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if there is not None and not replace and json.loads(there[0]) != json.loads(_as_json(results)):
            raise InvalidParameterError(
                f"{path} has these masks with these settings already, with {there[0]}, but got {_as_json(results)}; "
                "tell the runs apart, as by seed=, or pass replace=True"
            )
        database.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET outcomes = excluded.outcomes",
            (run_id, topology_id, _as_json(told), _as_json(results)),
        )
    return run_id


def is_recorded(path: Path) -> bool:
    """Whether an SQLite file is one that `record` made."""
    try:
        with closing(sqlite3.connect(f"file:{path.absolute().as_posix()}?mode=ro", uri=True, timeout=60)) as database:
            return bool(database.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION)
    except sqlite3.Error:
        return False


def recorded_table(path: Path) -> pd.DataFrame:
    """What `record` wrote: one row per run, in the order in which the runs came."""
    try:
        with closing(sqlite3.connect(f"file:{path.absolute().as_posix()}?mode=ro", uri=True, timeout=60)) as database:
            runs = database.execute(
                "SELECT run_id, topology_id, settings, outcomes FROM runs ORDER BY rowid"
            ).fetchall()
            measured: dict[str, dict[str, Any]] = {}
            for topology_id, row in database.execute("SELECT topology_id, row FROM measured ORDER BY rowid"):
                measured.setdefault(topology_id, {}).update(json.loads(row))
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot read what was recorded: {error}") from error
    rows = [
        {"run_id": run_id, "topology_id": topology_id, **json.loads(settings), **json.loads(outcomes)}
        | measured.get(topology_id, {})
        for run_id, topology_id, settings, outcomes in runs
    ]
    return pd.DataFrame(rows)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database in one transaction that nobody else writes into."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=120, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                _prepare(database, path)
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: cannot record a run: {error}") from error


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    application = database.execute("PRAGMA application_id").fetchone()[0]
    tables = database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    if not application and not tables:
        for statement in _TABLES.split(";"):
            database.execute(statement)
    elif application != _APPLICATION:
        raise StoreError(
            f"{path} is an SQLite file of another kind, such as the store of a study; record into a file of its own"
        )


def _mask_set(masks: Any) -> MaskSet:
    if isinstance(masks, Topology):
        return MaskSet.from_topology(masks)
    return masks if isinstance(masks, MaskSet) else load(masks)


def _topology_id(graphs: MaskSet) -> str:
    """A chain has the id that it has in every study."""
    if graphs.is_chain:
        return graphs.to_topology().content_hash
    lines = ["MaskSet", *(f"{name} {graph.content_hash}" for name, graph in graphs.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _measured(graphs: MaskSet, names: list[str]) -> dict[str, float]:
    table = measure(graphs.to_topology() if graphs.is_chain else graphs, names)
    values = table[names].astype(float)
    layers = values.drop(index="network", errors="ignore") if graphs.is_chain else values
    row: dict[str, float] = {}
    if graphs.is_chain:
        for layer, numbers in values.iterrows():
            row |= {f"{layer}_{name}": float(value) for name, value in numbers.items()}
    for name in names:
        column = layers[name].dropna()
        if len(column):
            row |= {f"mean_{name}": column.mean(), f"min_{name}": column.min(), f"max_{name}": column.max()}
    room = sum(graph.n_left * graph.n_right for graph in graphs.values())
    row.setdefault("network_density", sum(graph.n_edges for graph in graphs.values()) / room)
    return {name: value for name, value in row.items() if math.isfinite(value)}


def _checked(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for name, value in values.items():
        plain = value.item() if isinstance(value, np.generic) or getattr(value, "ndim", None) == 0 else value
        is_number = isinstance(plain, (int, float)) and math.isfinite(plain)
        if not (is_number or (what == "setting" and (plain is None or isinstance(plain, str)))):
            allowed = "a finite number" if what == "result" else "text, a finite number, true, false or None"
            raise InvalidParameterError(f"the {what} {name} must be {allowed}, but got {name}={value!r}")
        checked[name] = plain
    if what == "result" and not 0 <= checked.get("test_accuracy", 0) <= 1:
        raise InvalidParameterError(
            f"test_accuracy must be a share in [0, 1], but got test_accuracy={checked['test_accuracy']!r}"
        )
    return checked


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
