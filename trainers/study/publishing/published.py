"""`PublishedStudy`: published results, read as a store is read; nothing can be trained into them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from topograph.errors import UnknownNameError
from trainers.study.plan import Condition
from trainers.study.publishing.card import CARD, Card, damaged
from trainers.study.publishing.tables import FINAL, plain
from trainers.study.spec import AnyRecipe, recipe_from_record
from trainers.study.store.store import all_settings

_STATISTICS = ("min", "max", "mean", "std")


@dataclass(frozen=True)
class PublishedStudy:
    """Published results of a study. Has the reading half of `trainers.study.Store`.

    Parameters
    ----------
    path
        The folder with the card and the tables.
    card
        What it says about itself.
    """

    path: Path
    card: Card

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables ``runs``, ``topologies`` and ``curves``, after its file was compared with the card.

        Raises
        ------
        StoreError
            When the file is missing or is not the one that was published.
        """
        if name not in self.card.tables:
            raise UnknownNameError.among("published table", name, self.card.tables)
        path = self.path / f"{name}.parquet"
        facts = self.card.tables[name]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise damaged(path, f"it cannot be read ({error})") from error
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise damaged(path, f"it has {len(content)} bytes, and its SHA-256 is not the one in {CARD}")
        try:
            table = plain(pd.read_parquet(path))
        except (OSError, ValueError) as error:
            raise damaged(path, f"it cannot be read ({error})") from error
        return table

    @cached_property
    def runs_table(self) -> pd.DataFrame:
        """One row per run, with the recipe, all settings and the statistics of the trained weights."""
        table = self.table("runs")
        completed = {text: all_settings(text) for text in table["settings"].unique()}
        return table.assign(settings=table["settings"].map(completed))

    def counts(self) -> dict[str, int]:
        """Number of runs by status, as `trainers.study.Store.counts`."""
        failed = sum(part.failed for part in self.card.parts)
        done = self.card.done
        return {"pending": self.card.planned - done - failed, "done": done, "failed": failed}

    def runs(self, status: str | None = "done", columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Published runs, one row each; all columns, or those that are named.

        Parameters
        ----------
        status
            ``"done"`` or None: finished runs only are published. Others give no row.
        columns
            Names of columns.
        """
        table = self.runs_table if status in (None, "done") else self.runs_table.iloc[:0]
        if columns is None:
            return table.copy()
        chosen = list(columns)
        for name in chosen:
            if name not in table.columns:
                raise UnknownNameError.among("column of runs", name, table.columns)
        return table[chosen].copy()

    def weight_statistics(self) -> pd.DataFrame:
        """Smallest, largest, mean and standard deviation of each layer's trained weights, one row per run."""
        names = [name for name in self.runs_table.columns if name.rpartition("_weight_")[2] in _STATISTICS]
        return self.runs_table[[name for name in names if "_weight_" in name]].copy()

    def final_metrics(self) -> pd.DataFrame:
        """What was measured of networks at their end, as `trainers.study.Store.final_metrics`."""
        names = [name for name in self.runs_table.columns if name.startswith(FINAL)]
        if not names:
            return pd.DataFrame()
        table = self.runs_table.set_index("run_id")[names].dropna(how="all")
        return table.rename(columns=lambda name: name.removeprefix(FINAL))

    def metric_table(self) -> tuple[pd.DataFrame, dict[str, list[str]]]:
        """Metrics of all topologies side by side, and why some are undefined, as `trainers.study.Store`."""
        return self.table("topologies").set_index("topology_id"), dict(self.card.reasons)

    def curves(self) -> pd.DataFrame:
        """Thinned learning curves: one row per run and published epoch."""
        return self.table("curves")

    def unmeasured(self) -> list[tuple[str, int]]:
        """Why topologies have no metrics, and how many."""
        return sorted(self.card.unmeasured.items())

    def meta(self) -> dict[str, Any]:
        """What is known of the study."""
        return {"spec": {"name": self.card.name}, "parts": [vars(part) for part in self.card.parts]}

    def overview(self) -> pd.DataFrame:
        """How far each part has been run: columns ``part``, ``planned``, ``done``, ``failed``, ``question``."""
        rows = [(p.name, p.planned, p.done, p.failed, p.question) for p in self.card.parts]
        return pd.DataFrame(rows, columns=["part", "planned", "done", "failed", "question"])

    def recipe(self, row: pd.Series) -> AnyRecipe:
        """The recipe of a run's topology, from its row of ``runs_table``."""
        return recipe_from_record(json.loads(row["recipe"]))

    def condition(self, row: pd.Series) -> Condition:
        """The data, trainer and settings of a run, from its row of ``runs_table``."""
        return Condition(row["dataset"], self.card.data[row["dataset"]]["content_hash"], row["trainer"], row["changed"])


def is_published(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder with a published study's card.

    Examples
    --------
    >>> is_published("no such folder")
    False
    """
    return (Path(path) / CARD).is_file()


def open_published(path: str | os.PathLike[str]) -> PublishedStudy:
    """Published results by their folder.

    Parameters
    ----------
    path
        The folder that `publish_study` wrote.

    Raises
    ------
    StoreError
        When there are none, the card is damaged, or it is of another version. Tables are checked when they are read.
    """
    folder = Path(path)
    return PublishedStudy(folder, Card.read(folder))
