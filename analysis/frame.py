"""`load_frame`: a study's store as one tidy table, one row a run."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from topograph.errors import InsufficientDataError
from trainers.study.store import Store

KEYS = (
    "run_id",
    "topology_id",
    "dataset",
    "trainer",
    "architecture",
    "construction",
    "degrees",
    "topology_seed",
    "seed",
    "test_accuracy",
    "train_accuracy",
    "correct",
    "total",
    "seconds",
)
CELL = ("dataset", "trainer", "architecture", "degrees")
"""Runs that agree in these differ only in construction and seeds."""


def load_frame(store: str | os.PathLike[str]) -> pd.DataFrame:
    """The finished runs of a study with the metrics of their topologies.

    Parameters
    ----------
    store
        The SQLite file that `trainers.study.run_study` wrote.

    Returns
    -------
    pandas.DataFrame
        One row a run. First the key columns: ``run_id``, ``topology_id`` (equal for equal connections), ``dataset``,
        ``trainer``, ``architecture``, ``construction``, ``degrees``, ``topology_seed``, ``seed`` (of the training),
        ``test_accuracy`` and ``train_accuracy`` in [0, 1], ``correct`` and ``total`` test samples, ``seconds``. Then
        ``l1_<metric>``, ``l2_<metric>``, … for each layer pair and ``network_<metric>``, with ``<layer>_log_density``,
        the natural logarithm, beside each density. A metric that is undefined is NaN; its reason is in
        ``frame.attrs["reasons"]``.

    Raises
    ------
    StoreError
        When the file is missing or no store of this version.
    InsufficientDataError
        When no run has finished yet.
    """
    source = Store(Path(store))
    runs = source.runs()
    done = runs[runs["status"] == "done"]
    if done.empty:
        raise InsufficientDataError(f"{store}: none of its {len(runs)} runs has finished")
    metrics = source.metrics()
    metrics["column"] = metrics["layer"] + "_" + metrics["metric"]
    order = list(dict.fromkeys(metrics["column"]))
    values = metrics.pivot(index="topology_id", columns="column", values="value").reindex(columns=order).astype(float)
    values = values.dropna(axis="columns", how="all")
    density = values.filter(regex=r"_density$")
    logs = np.log(density.where(density > 0)).add_suffix("").rename(columns=lambda name: name[:-7] + "log_density")
    values.columns.name = None
    frame = done[list(KEYS)].merge(values.join(logs), left_on="topology_id", right_index=True, how="left")
    reasons = metrics.dropna(subset="reason")
    frame.attrs["reasons"] = {
        column: sorted(set(group["reason"])) for column, group in reasons.groupby("column", sort=False)
    }
    frame.attrs["meta"] = source.meta()
    return frame.reset_index(drop=True)


def metric_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that hold a metric of a layer or of the network."""
    return [column for column in frame.columns if column.split("_")[0] == "network" or _is_layer(column.split("_")[0])]


def density_columns(frame: pd.DataFrame) -> list[str]:
    """The log densities of the layers that vary: what has to be held fixed for density to be held fixed."""
    return [
        column
        for column in frame.columns
        if column.endswith("_log_density") and _is_layer(column.split("_")[0]) and frame[column].nunique() > 1
    ]


def _is_layer(prefix: str) -> bool:
    return prefix[:1] == "l" and prefix[1:].isdigit()
