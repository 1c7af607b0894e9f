"""The three tables of a published study: runs, topologies, and thinned learning curves."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from trainers.study.plan import Run
from trainers.study.publishing.processor import processor_kind
from trainers.study.records import MACHINE
from trainers.study.store import Store

EPOCHS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100, 120, 140, 160, 180, 200)
"""The epochs whose values are published, beside the last one of each run."""
UNKNOWN = "unknown"
FINAL = "final_"
"""How the names of columns begin that hold what was measured of a network at its end."""
_RUNS = (
    "run_id",
    "topology_id",
    "dataset",
    "trainer",
    "architecture",
    "construction",
    "variant",
    "degrees",
    "topology_seed",
    "seed",
    "test_accuracy",
    "train_accuracy",
    "balanced_accuracy",
    "correct",
    "total",
    "seconds",
)
_CATEGORIES = ("dataset", "trainer", "architecture", "construction", "variant", "degrees", "settings", "changed",
               "recipe", "versions", "processor", "part", "topology_id")  # fmt: skip


def stored_tables(store: Store, planned: Mapping[str, tuple[str, Run]]) -> dict[str, pd.DataFrame]:
    """The finished runs of a store that are planned, as the tables of a published study.

    Parameters
    ----------
    store
        A study's store.
    planned
        Run id → part and run.

    Returns
    -------
    dict
        The tables ``runs``, ``topologies`` and ``curves``.
    """
    every = store.runs("done", [*_RUNS, "settings", "machine"])
    keep = every["run_id"].isin(planned).to_numpy()
    final = store.final_metrics().reindex(every["run_id"]).reset_index(drop=True).add_prefix(FINAL)
    runs = pd.concat([every, store.weight_statistics(), final], axis=1)[keep].reset_index(drop=True)
    # the bits of a training depend on the processor, which a store does not know: only this machine's own are certain
    here = runs.pop("machine") == MACHINE
    runs["processor"] = here.map({True: processor_kind(), False: UNKNOWN})
    chosen = [planned[run_id] for run_id in runs["run_id"]]
    runs["part"] = [part for part, _ in chosen]
    runs["recipe"] = [json.dumps(run.recipe.to_record(), sort_keys=True) for _, run in chosen]
    runs["changed"] = [run.condition.settings for _, run in chosen]
    versions, epochs, curves = {}, {}, []
    for run_id, record in store.records():
        if run_id in planned:
            versions[run_id] = json.dumps(record["versions"], sort_keys=True)
            curves.append(_curve(run_id, record["history"]))
            epochs[run_id] = int(curves[-1]["epoch"].max())
    runs["versions"] = runs["run_id"].map(versions)
    runs["epochs_trained"] = runs["run_id"].map(epochs).astype("int32")
    metrics, _ = store.metric_table()
    used = metrics.index.isin(runs["topology_id"])
    return {
        "runs": runs,
        "topologies": metrics[used].reset_index(),
        "curves": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame({"run_id": [], "epoch": []}),
    }


def _curve(run_id: str, history: Mapping[str, list[float]]) -> pd.DataFrame:
    whole = pd.DataFrame(history)
    whole.insert(0, "epoch", range(1, len(whole) + 1))
    whole = whole[whole["epoch"].isin({*EPOCHS, len(whole)})]
    whole.insert(0, "run_id", run_id)
    return whole.astype({"epoch": "int32"})


def compact(table: pd.DataFrame) -> pd.DataFrame:
    """The table with text that repeats as categories, which Parquet writes once."""
    repeated = [name for name in _CATEGORIES if name in table.columns]
    if "epoch" in table.columns:
        repeated.append("run_id")
    return table.astype(dict.fromkeys(repeated, "category"))


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The inverse of `compact`: text as text."""
    repeated = [name for name in table.columns if isinstance(table[name].dtype, pd.CategoricalDtype)]
    return table.astype(dict.fromkeys(repeated, object)).copy()  # a copy holds its columns in few blocks again
