"""`verify_published`: a random sample of published runs is trained again and compared."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from topograph.checks import check_integer
from topograph.errors import StoreError
from trainers.study.engine.worker import execute
from trainers.study.publishing.processor import processor_kind
from trainers.study.publishing.published import PublishedStudy, open_published
from trainers.study.records import Job

ACCURACY_TOLERANCE = 0.01
"""How far a test accuracy may be from the published one on another kind of machine."""
WEIGHT_TOLERANCE = 0.05
"""How far the standard deviation of a layer's weights may be from the published one there, as a share of it."""


@dataclass(frozen=True)
class Verification:
    """What came of training published runs again.

    Parameters
    ----------
    table
        One row per run: ``run_id``, ``architecture``, ``construction``, ``degrees``, ``published`` and ``again`` (test
        samples classified correctly), ``same_machine`` (whether equality to the bit is asked for), ``identical``
        (whether it holds), ``compared`` (False where a search or a pruner chose other edges on this other kind of
        machine), ``passed`` and ``reason``.
    """

    table: pd.DataFrame

    @property
    def passed(self) -> bool:
        """Whether every run that could be compared came out as published, and there is one."""
        return bool(self.table["compared"].any()) and self.failed == 0

    @property
    def failed(self) -> int:
        """Number of runs that were compared and did not come out as published."""
        return int((self.table["compared"] & ~self.table["passed"]).sum())

    def __str__(self) -> str:
        table = self.table
        exact, loose = int(table["identical"].sum()), int((table["passed"] & ~table["identical"]).sum())
        lines = [
            f"{int(table['compared'].sum())} runs trained again: {exact} equal to the bit, {loose} within the tolerance"
        ]
        if loose:
            lines[0] += f" (test accuracy ± {ACCURACY_TOLERANCE}, weights' standard deviation ± {WEIGHT_TOLERANCE:.0%})"
        lines += _listed(table[table["compared"] & ~table["passed"]])
        if others := _listed(table[~table["compared"]]):
            lines += [f"{len(others)} not compared, since a search or a pruner chooses other edges on this machine:"]
            lines += others
        return "\n".join(lines)


def _listed(rows: pd.DataFrame) -> list[str]:
    return [f"  {row.run_id} ({row.construction} {row.degrees}): {row.reason}" for row in rows.itertuples()]


def verify_published(study: str | os.PathLike[str] | PublishedStudy, sample: int = 10, seed: int = 0) -> Verification:
    """Train a random sample of published runs again.

    A run must come out equal to the bit where the kind of processor and the versions of the packages are those it was
    trained with: correct test samples, accuracies, the published part of the learning curves, and minimum, maximum,
    mean and standard deviation of each layer's weights. Elsewhere its test accuracy may differ by 0.01, and the
    standard deviation of each layer's weights by 5 % (where it was trained for as many epochs): float32 sums in another
    order round otherwise, and training amplifies it. Searches and pruners choose edges by such numbers: where they
    choose others there, the run is not compared.

    Parameters
    ----------
    study
        The folder of the published files, or what `open_published` gave.
    sample
        Number of runs; all of them where there are fewer.
    seed
        Seed of the draw of the sample.

    Raises
    ------
    StoreError
        When the files cannot be read, or hold no run.
    """
    check_integer("sample", sample, low=1)
    check_integer("seed", seed, low=0)
    published = study if isinstance(study, PublishedStudy) else open_published(Path(study))
    runs = published.runs_table
    if runs.empty:
        raise StoreError(f"{published.path} holds no run")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(runs))[:sample])
    curves = published.curves()
    rows = [_verify(published, runs.iloc[position], curves) for position in chosen]
    return Verification(pd.DataFrame(rows))


def _verify(published: PublishedStudy, row: pd.Series, curves: pd.DataFrame) -> dict[str, Any]:
    job = Job(
        0,
        published.recipe(row),
        condition=published.condition(row),
        seed=int(row["seed"]),
    )
    (result,) = execute([job])
    found = {name: row[name] for name in ("run_id", "architecture", "construction", "degrees")}
    found |= {"published": int(row["correct"]), "again": -1, "same_machine": False, "identical": False}
    if result.record is None:
        return found | {"compared": True, "passed": False, "reason": result.reason}
    record = result.record
    versions = json.dumps(record["versions"], sort_keys=True)
    same = row["processor"] == processor_kind() and row["versions"] == versions
    if result.topology_id != row["topology_id"]:
        reason = f"its recipe gives other edges (content {result.topology_id}) than the published {row['topology_id']}"
        compared = same or not job.recipe.depends_on_rounding
        return found | {"same_machine": same, "compared": compared, "passed": False, "reason": reason}
    differences = _differences(row, curves[curves["run_id"] == row["run_id"]], record)
    found |= {"again": record["correct"], "same_machine": same, "identical": not differences, "compared": True}
    reason = "; ".join(differences) if same else _beyond_tolerance(row, record)
    return found | {"passed": not reason, "reason": reason}


def _differences(row: pd.Series, curve: pd.DataFrame, record: dict[str, Any]) -> list[str]:
    """Whatever is not equal to the bit, in words."""
    words = [
        f"{name} is {record[name]}, published {row[name]}"
        for name in ("correct", "total", "train_accuracy", "balanced_accuracy")
        if not _equal(row[name], record[name])
    ]
    for layer, statistics in _numbered(record["weight_stats"]):
        for name, value in statistics.items():
            published = row.get(f"{layer}_weight_{name}", math.nan)
            if not _equal(published, value):
                words.append(f"{layer}_weight_{name} is {value}, published {published}")
    epochs = curve["epoch"].to_numpy()
    for name, values in record["history"].items():
        if len(values) != row["epochs_trained"]:
            words.append(f"{len(values)} epochs of {name}, published {row['epochs_trained']}")
            break
        again = np.asarray(values, dtype=float)[epochs - 1]
        if not np.array_equal(again, curve[name].to_numpy(dtype=float), equal_nan=True):
            words.append(f"the learning curve of {name} differs")
    return words


def _beyond_tolerance(row: pd.Series, record: dict[str, Any]) -> str:
    """What is farther from the published run than another machine explains; empty when nothing is."""
    if abs(record["test_accuracy"] - row["test_accuracy"]) > ACCURACY_TOLERANCE:
        return f"test accuracy is {record['test_accuracy']:.4f}, published {row['test_accuracy']:.4f}"
    epochs = {len(values) for values in record["history"].values()}
    if epochs != {row["epochs_trained"]}:
        return ""  # it stopped at another epoch, so its weights have grown for another time
    for layer, statistics in _numbered(record["weight_stats"]):
        published = row[f"{layer}_weight_std"]
        if abs(statistics["std"] - published) > WEIGHT_TOLERANCE * published:
            return f"{layer}_weight_std is {statistics['std']:.6g}, published {published:.6g}"
    return ""


def _numbered(statistics: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Statistics of weights under the names that layers have in the table."""
    for number, one in enumerate(statistics.values(), start=1):
        yield f"l{number}", one


def _equal(first: Any, second: Any) -> bool:
    if second is None:
        return bool(pd.isna(first))
    return bool(first == second)
