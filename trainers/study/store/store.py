"""`Store`: the results of a study in one SQLite file, with one writer and any number of readers."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from topograph.errors import StoreError, UnknownNameError
from topograph.masks.maskset import MaskSet
from topograph.metrics.registry import select_metrics
from topograph.topology import Topology
from trainers.compression.budget import written_out
from trainers.config import TrainingConfig
from trainers.result import TrainingResult, sparse_weights
from trainers.study.spec import recipe_from_record
from trainers.study.spec.values import expand
from trainers.study.store.access import check_path, damage_said, read, readable, written
from trainers.study.store.profiles import long_metrics, wide_metrics
from trainers.study.store.schema import is_empty
from trainers.study.store.writer import StoreWriter

STATUSES = ("pending", "done", "failed")
_DESIGN = ("topology_id", "architecture", "construction", "variant", "degrees", "topology_seed")
_CONDITION = ("dataset", "trainer", "settings")
_RESULTS = (
    "seed",
    "status",
    "attempts",
    "test_accuracy",
    "train_accuracy",
    "balanced_accuracy",
    "correct",
    "total",
    "seconds",
    "worker_seconds",
    "machine",
    "finished",
    "reason",
    "traceback",
)
_STATISTICS = ("min", "max", "mean", "std")


@dataclass(frozen=True)
class Store:
    """The store of a study. Any number of processes may read it while one writes.

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
    ...         asked = writer.plan([], {"name": "empty"})
    ...     store.counts()
    {'pending': 0, 'done': 0, 'failed': 0}
    """

    path: Path
    _file: Path = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", check_path(self.path))
        object.__setattr__(self, "_file", self.path.absolute())  # a trainer may leave the folder

    @contextmanager
    def writer(self) -> Iterator[StoreWriter]:
        """Open the store for writing; only one process at a time can.

        Raises
        ------
        StoreError
            When another process is writing, the file is not a store of this version, or the disk is full. Everything
            written before stays.
        """
        with written(self._file) as connection:
            yield StoreWriter(connection, self.path)

    def is_new(self) -> bool:
        """Whether there is no file yet, or only an empty one, left by a process that was killed at once.

        Raises
        ------
        StoreError
            When there is a file that is not a database.
        """
        if not os.path.exists(self._file):
            return True
        with readable(self._file) as connection:
            return is_empty(connection, self.path)

    # ------------------------------------------------------------------ runs

    def counts(self) -> dict[str, int]:
        """Number of runs by status."""
        with read(self._file) as connection:
            found = dict(connection.execute("SELECT status, COUNT(*) FROM runs GROUP BY status"))
        return {status: found.get(status, 0) for status in STATUSES}

    def runs(self, status: str | None = None, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """One row per planned run, all or those of one status, in the order of the plan.

        Columns, all or the named ones: the run's id, its topology's (missing before it was first made), the place
        in the grid, the training settings as JSON, the status, and the results.
        """
        order = ("run_id", "topology_id", "dataset", "trainer", *_DESIGN[1:], "settings", *_RESULTS)
        chosen = order if columns is None else tuple(columns)
        for name in chosen:
            if name not in order:
                raise UnknownNameError.among("column of runs", name, order)
        if status is not None and status not in STATUSES:
            raise UnknownNameError.among("status", status, STATUSES)
        which = "" if status is None else f" WHERE status = '{status}'"
        with read(self._file) as connection:
            recipes = _table(connection, f"SELECT recipe, {', '.join(_DESIGN)} FROM recipes")
            conditions = _table(connection, f"SELECT condition, {', '.join(_CONDITION)} FROM conditions")
            own = [name for name in ("run_id", *_RESULTS) if name in chosen]
            runs = _table(
                connection, f"SELECT {', '.join([*own, 'recipe', 'condition'])} FROM runs{which} ORDER BY run"
            )
            settings = {text: all_settings(text) for text in conditions["settings"]}
            conditions["settings"] = np.array([settings[text] for text in conditions["settings"]], dtype=object)
            found: dict[str, Any] = {name: runs[name] for name in own}
            for table, key in ((recipes, "recipe"), (conditions, "condition")):
                positions = pd.Index(table[key]).get_indexer(runs[key]) if len(runs[key]) else np.empty(0, dtype=int)
                # text exists once per row of the small table; the column only points to it
                found |= {name: pd.Series(table[name]).array.take(positions) for name in table if name in chosen}
            return pd.DataFrame({name: found[name] for name in chosen})

    def weight_statistics(self) -> pd.DataFrame:
        """Smallest, largest, mean and standard deviation of each layer's trained weights: one row per finished run.

        Columns ``l1_weight_min``, …, in the order of ``runs("done")``.
        """
        with read(self._file) as connection:
            blobs = [blob for (blob,) in connection.execute(
                "SELECT weight_stats FROM runs WHERE status = 'done' ORDER BY run"
            )]  # fmt: skip
            widest = max((len(blob) for blob in blobs), default=0) // 8
            padding = np.full(widest, np.nan).tobytes()
            joined = b"".join(blob if len(blob) == 8 * widest else (blob + padding)[: 8 * widest] for blob in blobs)
            values = (
                np.frombuffer(joined, dtype="<f8").reshape(len(blobs), widest) if widest else np.empty((len(blobs), 0))
            )
            layers = range(1, widest // len(_STATISTICS) + 1)
            return pd.DataFrame(
                values, columns=[f"l{layer}_weight_{statistic}" for layer in layers for statistic in _STATISTICS]
            )

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The whole record of each finished run, with its id: `trainers.TrainingResult.from_record` reads it."""
        with read(self._file) as connection:
            query = "SELECT run_id, record FROM runs JOIN records USING (run) WHERE status = 'done' ORDER BY run"
            for run_id, record in connection.execute(query):
                yield run_id, json.loads(record)

    def overview(self) -> pd.DataFrame:
        """Progress of the study: one row per construction, variant, architecture and degrees."""
        query = """
            SELECT construction, variant, architecture, degrees, SUM(status = 'done') AS done,
                   SUM(status = 'pending') AS pending, SUM(status = 'failed') AS failed,
                   AVG(test_accuracy) AS accuracy, MAX(test_accuracy) AS best
            FROM runs JOIN recipes USING (recipe) GROUP BY construction, variant, architecture, degrees
            ORDER BY MIN(recipe)"""
        with read(self._file) as connection:
            cursor = connection.execute(query)
            return pd.DataFrame(cursor.fetchall(), columns=[column[0] for column in cursor.description])

    def failures(self) -> list[tuple[str, int]]:
        """The reasons of failed runs with their counts, the most frequent first."""
        query = "SELECT reason, COUNT(*) FROM runs WHERE status = 'failed' GROUP BY reason ORDER BY 2 DESC, 1"
        with read(self._file) as connection:
            return connection.execute(query).fetchall()

    def unmeasured(self) -> list[tuple[str, int]]:
        """Reasons why topologies could not be measured, with their counts; ``topograph study measure`` tries again."""
        with read(self._file) as connection:
            rows = connection.execute(
                "SELECT unmeasured, COUNT(DISTINCT topology_id) FROM recipes WHERE unmeasured IS NOT NULL "
                "GROUP BY unmeasured ORDER BY 2 DESC"
            )
            return [(str(reason), int(count)) for reason, count in rows]

    def pace(self, last: int = 200) -> tuple[float, float]:
        """Networks per hour over the ``last`` finished runs, and hours left at that pace; NaN where it is unknown."""
        with read(self._file) as connection:
            recent = connection.execute(
                "SELECT finished, cost FROM runs WHERE status = 'done' AND finished IS NOT NULL "
                f"ORDER BY finished DESC LIMIT {int(last)}"
            ).fetchall()
            (left,) = connection.execute("SELECT SUM(cost) FROM runs WHERE status = 'pending'").fetchone()
            hours = (recent[0][0] - recent[-1][0]) / 3600 if len(recent) > 1 else 0.0
            if not hours:
                return np.nan, np.nan if left else 0.0
            done = sum(cost for _, cost in recent[:-1])
            return (len(recent) - 1) / hours, hours * (left or 0.0) / done

    # ------------------------------------------------------------------ one run

    def topology(self, run_id: str) -> Topology | MaskSet:
        """The topology of a run, or the masks of its model, made again from its recipe.

        Raises
        ------
        UnknownNameError, StoreError
            When there is no such run, or its recipe gives other edges in this version.
        """
        record, known = self._one(run_id, "record, topology_id", "runs JOIN recipes USING (recipe)")
        with damage_said(self.path):
            recipe = recipe_from_record(json.loads(record))
        topology = recipe.build()
        if known and topology.content_hash[:20] != known:
            raise StoreError(
                f"{self.path}: the recipe of run {run_id} gives other edges than when it was trained "
                f"({topology.content_hash[:20]}, not {known}): use the topograph that made the store"
            )
        return topology

    def final_topology(self, run_id: str) -> Topology | MaskSet:
        """The topology, or the masks, that a run ended with: another than the first where edges change while training.

        Compressed layers, written out, have all pairs of neurons.

        Raises
        ------
        UnknownNameError, StoreError
            When there is no such run, or it has not finished.
        """
        settings, record = self._one(
            run_id, "settings, record", "runs JOIN conditions USING (condition) LEFT JOIN records USING (run)"
        )
        known = json.loads(settings)
        if known.get("rewiring", "none") == "none":
            first = self.topology(run_id)
            if known.get("compression", "none") == "none":
                return first
            if isinstance(first, Topology):
                return written_out(first)
        if record is None:
            raise StoreError(f"{self.path}: run {run_id} has not finished, so its last topology is not known")
        with damage_said(self.path):
            final: Topology | MaskSet | None = TrainingResult.from_record(json.loads(record)).topology
        assert final is not None
        return final

    def final_metrics(self) -> pd.DataFrame:
        """What was measured of networks at their end: one row per run that has any, indexed by ``run_id``.

        Columns ``topology_id`` and ``l1_<metric>``, …, ``network_<metric>``: of the edges of rewired networks, of the
        trained weights of all where the study has such metrics; and ``l1_n_parameters``, … of compressed ones.
        """
        query = (
            "SELECT run_id, json_extract(record, '$.final') FROM runs JOIN conditions USING (condition) "
            f"JOIN records USING (run) WHERE status = 'done'{self._with_final()} ORDER BY run"
        )
        rows = {}
        with damage_said(self.path), read(self._file) as connection:
            for run_id, text in connection.execute(query):
                if final := json.loads(text or "{}"):
                    known = {"topology_id": final["topology_id"]} if "topology_id" in final else {}
                    rows[run_id] = known | final["metrics"]
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run_id")

    def _with_final(self) -> str:
        """Which runs may say something of their end, so that the records of no others are read."""
        wanted = self.meta().get("spec", {}).get("metrics", ())
        try:
            if wanted and any(metric.needs == "weights" for metric in select_metrics(expand(wanted))):
                return ""
        except UnknownNameError:  # of a plug-in that is not installed here
            return ""
        return " AND (settings LIKE '%\"rewiring\"%' OR settings LIKE '%\"compression\"%')"

    def weights(self, run_id: str) -> tuple[tuple[Any, ...], tuple[npt.NDArray[np.floating[Any]], ...]]:
        """The trained weights of a run, one sparse array per layer, and its biases (of a model none).

        Raises
        ------
        UnknownNameError, StoreError
            When there is no such run, or its weights were not kept.
        """
        (packed,) = self._one(run_id, "weights", "runs LEFT JOIN records USING (run)")
        if packed is None:
            raise StoreError(
                f"{self.path}: the weights of run {run_id} were not kept; study run --keep-weights keeps those of the "
                "runs it trains"
            )
        topology = self.final_topology(run_id)
        with damage_said(self.path):
            with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
                values = [archive[f"weights_{layer}"] for layer in range(1, len(topology) + 1)]
                names = [f"biases_{layer}" for layer in range(1, len(topology) + 1)]
                biases = tuple(archive[name] for name in names if name in archive)
            return sparse_weights(topology, values), biases

    def _one(self, run_id: str, columns: str, tables: str) -> tuple[Any, ...]:
        with read(self._file) as connection:
            row: tuple[Any, ...] | None = connection.execute(
                f"SELECT {columns} FROM {tables} WHERE run_id = ?", (run_id,)
            ).fetchone()
        if row is None:
            raise UnknownNameError(f"{self.path} has no run {run_id!r}")
        return row

    # ------------------------------------------------------------------ metrics and the study

    def metrics(self) -> pd.DataFrame:
        """Metrics of all topologies: columns topology_id, layer, metric, value, residual, reason."""
        return long_metrics(self._file, self.path)

    def metric_table(self) -> tuple[pd.DataFrame, dict[str, list[str]]]:
        """Metrics of all topologies side by side, with the reasons of undefined ones.

        Returns
        -------
        table
            One row per topology, indexed by its id; columns such as ``l1_density`` and ``network_density``.
        reasons
            Column → the reasons given for undefined values.
        """
        return wide_metrics(self._file, self.path)

    def meta(self) -> dict[str, Any]:
        """Facts about the study from when it was last run, such as its spec and versions."""
        with read(self._file) as connection:
            return {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}


def open_store(path: str | os.PathLike[str]) -> Store:
    """A store by its path."""
    return Store(check_path(path))


def _table(connection: sqlite3.Connection, query: str) -> dict[str, npt.NDArray[Any]]:
    """The columns of a query as arrays, read in pieces so that millions of rows fit; only text is kept as objects."""
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    pieces: list[list[npt.NDArray[Any]]] = [[] for _ in names]
    while rows := cursor.fetchmany(50_000):
        for piece, values in zip(pieces, zip(*rows, strict=True), strict=True):
            piece.append(_array(values))
    return {name: _joined(piece) for name, piece in zip(names, pieces, strict=True)}


def _array(values: tuple[Any, ...]) -> npt.NDArray[Any]:
    kinds = set(map(type, values))
    if kinds <= {int}:
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float, type(None)} and kinds != {type(None)}:
        return np.array(values, dtype=np.float64)  # None becomes NaN
    return np.array(values, dtype=object)


def _joined(pieces: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    if not pieces:
        return np.empty(0, dtype=object)
    return np.concatenate(pieces)


def all_settings(text: str) -> str:
    """Settings as JSON, completed by those that they do not name or that are newer: these have their defaults."""
    record = TrainingConfig.from_record(json.loads(text)).to_record()
    return json.dumps({name: value for name, value in record.items() if name != "seed"})
