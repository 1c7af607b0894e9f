"""`publish_study`: the finished runs of a study's stores as a few small files that can be committed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from topograph.errors import SpecError, StoreError
from topograph.files import whole
from trainers.study.plan import DataFacts, Run, plan_runs, trainer_versions
from trainers.study.publishing.card import TABLES, Card, Part, table_facts
from trainers.study.publishing.describing import describe_tables
from trainers.study.publishing.published import is_published, open_published
from trainers.study.publishing.tables import compact, stored_tables
from trainers.study.spec import StudySpec
from trainers.study.store import Store

LICENCE = "MIT"
Planned = Mapping[str, tuple[str, Run]]


@dataclass(frozen=True)
class PublishedSummary:
    """What was published.

    Parameters
    ----------
    folder
        Where the files are.
    planned, published
        Number of runs that the specs plan, and that the files hold.
    added
        Runs that were not there before.
    left_out
        Runs of the stores or of the former files that no spec plans now.
    size
        Bytes of all tables.
    """

    folder: Path
    planned: int
    published: int
    added: int
    left_out: int
    size: int

    def __str__(self) -> str:
        left = f", {self.left_out} left out that no spec plans" if self.left_out else ""
        return (
            f"{self.published} of {self.planned} planned runs published, {self.added} of them new{left}; "
            f"{self.size / 1e6:.2f} MB in {self.folder}"
        )


def publish_study(
    specs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    stores: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    licence: str = LICENCE,
) -> PublishedSummary:
    """Write the finished runs of a study as Parquet, with a card and a description.

    What is in the folder already stays, so that parts can be run one after the other or on several machines, and their
    stores thrown away. Runs that no spec plans any longer, because a spec, a data set or the version of a trainer's
    numbers changed, are left out.

    Parameters
    ----------
    specs
        A TOML file, a folder of them, or several files: the parts of the study, in the order of their names.
    stores
        The folder that holds the stores; every ``.sqlite`` file in it is read.
    folder
        Where to write ``runs.parquet``, ``topologies.parquet``, ``curves.parquet``, ``study.json`` and ``README.md``.
        Its name is the name of the study.
    licence
        Licence of the tables.

    Raises
    ------
    SpecError
        When a spec is broken, or two have the same name.
    StoreError
        When a store or what was published before cannot be read, or no planned run has finished.
    """
    target, source = Path(folder), Path(stores)
    if not source.is_dir():
        raise StoreError(f"{source} is not a folder of stores; run the parts first: topograph study run SPEC")
    parts = _read_specs(specs)
    planned, data, trainers = _plan(parts)
    gathered = _Gathered()
    if is_published(target):
        gathered.add_published(target)
    former = set(gathered.seen)
    for path in sorted(source.glob("*.sqlite")):
        gathered.add_store(Store(path), planned)
    tables = gathered.tables(planned)
    runs = tables["runs"]
    if runs.empty:
        failed = len(gathered.failed & set(planned))
        raise StoreError(
            f"none of the {len(planned)} planned runs has finished in a store of {source}"
            + (f"; {failed} failed, topograph study status says why" if failed else "")
        )
    target.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with whole(target / f"{name}.parquet") as file:
            compact(table).to_parquet(file, index=False, compression="zstd", compression_level=12)
    columns = set(tables["topologies"].columns)
    card = Card(
        name=target.resolve().name,
        licence=licence,
        parts=_parts(parts, planned, runs["part"], gathered.failed - set(runs["run_id"])),
        data=data,
        trainers=trainers,
        reasons={column: sorted(words) for column, words in sorted(gathered.reasons.items()) if column in columns},
        unmeasured=gathered.unmeasured,
        tables={name: table_facts(target / f"{name}.parquet", len(table)) for name, table in tables.items()},
    )
    card.write(target)
    with whole(target / "README.md") as file:
        file.write(describe_tables(card, tables).encode())
    return PublishedSummary(
        target,
        len(planned),
        len(runs),
        added=len(set(runs["run_id"]) - former),
        left_out=len(gathered.seen - set(planned)),
        size=sum(facts["bytes"] for facts in card.tables.values()),
    )


@dataclass
class _Gathered:
    """All that is known of a study's finished runs, from what was published and from stores."""

    pieces: list[dict[str, pd.DataFrame]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    reasons: dict[str, set[str]] = field(default_factory=dict)
    unmeasured: dict[str, int] = field(default_factory=dict)

    def add_published(self, folder: Path) -> None:
        """What a folder holds already."""
        former = open_published(folder)
        self.pieces.append({name: former.table(name) for name in TABLES})
        self.seen.update(former.runs_table["run_id"])
        self.unmeasured |= former.card.unmeasured
        self._add_reasons(former.card.reasons)

    def add_store(self, store: Store, planned: Planned) -> None:
        """The finished runs of a store."""
        self.seen.update(store.runs("done", ["run_id"])["run_id"])
        self.failed.update(store.runs("failed", ["run_id"])["run_id"])
        self.unmeasured |= dict(store.unmeasured())
        self._add_reasons(store.metric_table()[1])
        self.pieces.append(stored_tables(store, planned))

    def _add_reasons(self, reasons: Mapping[str, Iterable[str]]) -> None:
        for column, words in reasons.items():
            self.reasons.setdefault(column, set()).update(words)

    def tables(self, planned: Planned) -> dict[str, pd.DataFrame]:
        """One set of tables, in the order of the plan; of a run that occurs twice, the first is kept."""
        order = {run_id: position for position, run_id in enumerate(planned)}
        runs = self._joined("runs", ["run_id"])
        runs = runs[runs["run_id"].isin(order)].sort_values("run_id", key=lambda ids: ids.map(order), ignore_index=True)
        runs["part"] = [planned[run_id][0] for run_id in runs["run_id"]]
        topologies = self._joined("topologies", ["topology_id"])
        topologies = topologies[topologies["topology_id"].isin(runs["topology_id"])]
        curves = self._joined("curves", ["run_id", "epoch"])
        curves = curves[curves["run_id"].isin(order)]
        curves = curves.iloc[(curves["run_id"].map(order) * 1_000_000 + curves["epoch"]).argsort()]
        return {
            "runs": runs,
            "topologies": topologies.sort_values("topology_id", ignore_index=True),
            "curves": curves.reset_index(drop=True),
        }

    def _joined(self, name: str, key: list[str]) -> pd.DataFrame:
        tables = [piece[name] for piece in self.pieces if len(piece[name])]
        if not tables:
            return pd.DataFrame({column: [] for column in [*key, "topology_id"]})
        return pd.concat(tables, ignore_index=True).drop_duplicates(key, ignore_index=True)


def _read_specs(specs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[StudySpec]:
    if isinstance(specs, (str, os.PathLike)):
        path = Path(specs)
        paths = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not paths:
            raise SpecError(f"{path} holds no .toml file: give the specs of the study's parts, or their folder")
    else:
        paths = [Path(path) for path in specs]
    parts = [StudySpec.from_toml(path) for path in paths]
    for name, times in Counter(part.name for part in parts).items():
        if times > 1:
            raise SpecError(f"{times} specs have the name {name!r}: each part of a study needs its own")
    return parts


def _plan(
    parts: Iterable[StudySpec],
) -> tuple[dict[str, tuple[str, Run]], dict[str, dict[str, Any]], dict[str, str]]:
    """Run id → part and run; the facts of the data sets; the versions of the trainers."""
    planned: dict[str, tuple[str, Run]] = {}
    facts: dict[str, DataFacts] = {}
    trainers: dict[str, str] = {}
    for spec in parts:
        for name in sorted({point.dataset for point in spec.points} - set(facts)):
            facts[name] = DataFacts.of(name)
        trainers |= trainer_versions(spec)
        for run in plan_runs(spec, facts):
            planned.setdefault(run.run_id, (spec.name, run))
    return planned, {name: dict(vars(fact)) for name, fact in facts.items()}, trainers


def _parts(
    specs: Iterable[StudySpec], planned: Planned, done: Iterable[str], failed: Iterable[str]
) -> tuple[Part, ...]:
    plans = Counter(part for part, _ in planned.values())
    published = Counter(done)
    failures = Counter(planned[run_id][0] for run_id in failed if run_id in planned)
    return tuple(
        Part(
            spec.name,
            str(spec.content.get("question", "")),
            planned=plans[spec.name],
            done=published[spec.name],
            failed=failures[spec.name],
        )
        for spec in specs
    )
