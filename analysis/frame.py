"""`load_frame`: a study's store, or anybody's table, as one tidy frame with one row a run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.guards import is_constant
from topograph.errors import InsufficientDataError, InvalidParameterError, StoreError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.metrics import describe_metrics
from trainers import TrainingConfig
from trainers.study.store import Store

_KEY_WORDS = {
    "run_id": "identifies the run; equal for equal topology, data, trainer and settings",
    "topology_id": "identifies the topology; equal for equal connections: the clusters of every interval",
    "dataset": "name of the data set",
    "trainer": "name of the trainer",
    "architecture": "neurons in each layer, such as 784-300-10",
    "construction": "name of the construction",
    "variant": "what was done to the topology then: plain, null, relabelled, or rewired towards something",
    "degrees": "outputs of each input asked for, one a layer pair, such as 30-10",
    "topology_seed": "seed of the topology",
    "seed": "seed of the training",
    "test_accuracy": "share of test samples classified correctly, in [0, 1]",
    "train_accuracy": "share of training samples classified correctly at the end, in [0, 1]",
    "correct": "number of test samples classified correctly",
    "total": "number of test samples",
    "seconds": "wall-clock time of the training, in seconds",
}
_DERIVED_WORDS = {
    "test_accuracy_logit": "ln((correct + ½) / (total − correct + ½)): accuracy on a scale without ceiling",
    "log_density": "natural logarithm of the density",
    "weight_min": "smallest trained weight",
    "weight_max": "largest trained weight",
    "weight_mean": "mean of the trained weights",
    "weight_std": "standard deviation of the trained weights",
}
KEYS = tuple(_KEY_WORDS)
_SETTINGS = {field.name for field in fields(TrainingConfig)} - {"seed"}
CELL = ("dataset", "trainer", "architecture", "degrees")
"""The columns that name a cell, besides the training settings that vary: see `cell_columns`."""


def load_frame(source: str | os.PathLike[str] | pd.DataFrame, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Finished runs with the metrics of their topologies.

    Parameters
    ----------
    source
        The SQLite file that `trainers.study.run_study` wrote; or a table of somebody else's networks: a ``.csv`` or
        ``.parquet`` file, or a DataFrame.
    columns
        For a table: its column → ours, such as ``{"acc": "test_accuracy", "sparse_dens": "l1_density"}``. Other columns
        are kept under their own names.

    Returns
    -------
    pandas.DataFrame
        One row a run: the key columns, then ``l1_<metric>``, ``l2_<metric>``, … for each layer pair and
        ``network_<metric>``, with ``<layer>_log_density`` beside each density and, from a store,
        ``<layer>_weight_min/max/mean/std`` of the trained weights; `describe_columns` says what each is. A metric that
        is undefined is NaN; its reason is in ``frame.attrs["reasons"]``, why whole topologies have no metrics in
        ``frame.attrs["unmeasured"]``, the spec in ``frame.attrs["meta"]``. In a
        table, key columns that are missing are filled in: each row is a topology and a cell of its own unless it says
        otherwise. A training setting that varies in a store is a column under its own name, such as
        ``dropout_hidden``; ``frame.attrs["settings"]`` lists them.

    Raises
    ------
    StoreError
        When the file is missing, or no store of this version.
    InsufficientDataError
        When no run has finished yet.
    UnknownNameError, InvalidParameterError
        When ``columns`` names what the table lacks, or the accuracies are no shares.

    Examples
    --------
    >>> table = pd.DataFrame({"acc": [0.9, 0.8], "dens": [0.1, 0.05]})
    >>> load_frame(table, columns={"acc": "test_accuracy", "dens": "l1_density"})["l1_log_density"].round(3).tolist()
    [-2.303, -2.996]
    """
    if isinstance(source, pd.DataFrame):
        return _foreign(source, columns or {})
    path = Path(source)
    if path.suffix.lower() in (".csv", ".parquet"):
        if not path.is_file():
            raise StoreError(f"{path}: no such file")
        try:
            table = pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read as a table: {error}") from error
        return _foreign(table, columns or {})
    if columns:
        raise InvalidParameterError("columns= renames the columns of a table; a store's are named already")
    return _from_store(Store(path))


def describe_columns(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """What each column means: one row a column of ``frame``, or of every column there can be.

    Examples
    --------
    >>> print(describe_columns().loc["l1_density", "meaning"])
    share of possible connections that exist
    """
    catalogue = describe_metrics()["summary"].to_dict() | _DERIVED_WORDS
    if frame is None:
        names = [*_KEY_WORDS, "test_accuracy_logit", *(f"l1_{name}" for name in catalogue), *_network(catalogue)]
    else:
        names = [str(column) for column in frame.columns]
    rows = {}
    for name in names:
        prefix, _, rest = name.partition("_")
        part = "whole network" if prefix == "network" else f"layer {prefix[1:]}" if _is_layer(prefix) else "run"
        meaning = (
            _KEY_WORDS.get(name)
            or _setting_words(name)
            or _DERIVED_WORDS.get(name)
            or catalogue.get(rest if part != "run" else name)
        )
        rows[name] = {"part": part, "meaning": meaning or "not ours: kept as it came"}
    return pd.DataFrame.from_dict(rows, orient="index")


def setting_columns(frame: pd.DataFrame) -> list[str]:
    """The training settings that vary, such as ``dropout_hidden``."""
    return [column for column in frame.columns if column in _SETTINGS and frame[column].nunique(dropna=False) > 1]


def cell_columns(frame: pd.DataFrame) -> tuple[str, ...]:
    """The columns that name a cell: runs that agree in all of them differ only in construction and seeds.

    Examples
    --------
    >>> frame = pd.DataFrame({"test_accuracy": [0.8, 0.9], "dropout_hidden": [0.2, 0.5]})
    >>> cell_columns(load_frame(frame))
    ('dataset', 'trainer', 'architecture', 'degrees', 'dropout_hidden')
    """
    return (*CELL, *setting_columns(frame))


def cell_codes(frame: pd.DataFrame, cells: Sequence[str]) -> npt.NDArray[np.int64]:
    """The number of the cell that each row is in, from 0; a setting that was not given is a value like any other.

    Examples
    --------
    >>> cell_codes(pd.DataFrame({"degrees": ["4", "8", "4"], "clip": [1.0, None, None]}), ["degrees", "clip"]).tolist()
    [0, 1, 2]
    """
    if not cells:
        return np.zeros(len(frame), dtype=np.int64)
    return np.asarray(frame.groupby(list(cells), sort=False, dropna=False).ngroup())


def cell_families(codes: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64]) -> int:
    """How many families of cells there are: cells with a cluster in common, such as those of two settings, are one.

    Comparing within cells takes one mean from the clusters of each family, whatever the number of its cells.

    Examples
    --------
    >>> cell_families(np.array([0, 1, 0, 1, 2]), clusters=np.array([0, 0, 1, 1, 2]))
    2
    """
    return BipartiteGraph.from_edges(np.unique(np.stack([clusters, codes], axis=1), axis=0)).n_components


def layer_degrees(frame: pd.DataFrame, layer: int) -> pd.Series:
    """The degree asked for of a layer pair, from 1; NaN where ``degrees`` says none.

    Examples
    --------
    >>> layer_degrees(pd.DataFrame({"degrees": ["30-10", "row 1"]}), 2).tolist()
    [10.0, nan]
    """
    return pd.to_numeric(frame["degrees"].str.split("-").str[layer - 1], errors="coerce").astype(float)


def metric_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that hold a metric of a layer or of the network."""
    known = set(describe_metrics().index) | {"log_density"}
    return [
        column
        for column in map(str, frame.columns)
        if (column.split("_")[0] == "network" or _is_layer(column.split("_")[0])) and column.partition("_")[2] in known
    ]


def density_columns(frame: pd.DataFrame) -> list[str]:
    """The log densities of the layers that vary: what has to be held fixed for density to be held fixed.

    Of networks of different depth, those of the layers that all have: the others are no columns of one regression.
    """
    return [
        column
        for column in frame.columns
        if column.endswith("_log_density")
        and _is_layer(column.split("_")[0])
        and frame[column].nunique() > 1
        and _every_architecture_has(frame, column)
    ]


def _every_architecture_has(frame: pd.DataFrame, column: str) -> bool:
    architectures = frame["architecture"] if "architecture" in frame.columns else np.zeros(len(frame))
    return bool(frame[column].notna().groupby(architectures).any().all())


def connectivity_columns(frame: pd.DataFrame) -> list[str]:
    """The paper's two measures of connectivity of the first layer, those that vary."""
    columns = ("l1_algebraic_connectivity", "l1_normalized_gap")
    return [c for c in columns if c in frame.columns and not is_constant(frame[c].dropna())]


def learning_curves(store: str | os.PathLike[str]) -> pd.DataFrame:
    """The history of every finished run of a store: one row a run and epoch, with the run's keys."""
    source = Store(Path(store))
    keys = ["run_id", "construction", "architecture", "degrees", "seed"]
    runs = source.runs("done", keys).set_index("run_id")
    pieces = []
    for run_id, record in source.records():
        history = pd.DataFrame(record["history"])
        history.insert(0, "epoch", np.arange(1, len(history) + 1))
        pieces.append(history.assign(run_id=run_id, **runs.loc[run_id].to_dict()))
    if not pieces:
        raise _nothing_finished(source)
    return pd.concat(pieces, ignore_index=True)


def _nothing_finished(source: Store) -> InsufficientDataError:
    return InsufficientDataError(f"{source.path}: none of its {sum(source.counts().values())} runs has finished")


def _from_store(source: Store) -> pd.DataFrame:
    done = source.runs("done", [*KEYS, "settings"])
    if done.empty:
        raise _nothing_finished(source)
    table, reasons = source.metric_table()
    table = table.dropna(axis="columns", how="all")
    values = table.reindex(done["topology_id"]).reset_index(drop=True)
    settings = _settings(done["settings"])
    frame = _derived(pd.concat([done[list(KEYS)], settings, values], axis=1))
    frame = pd.concat([frame, source.weight_statistics().dropna(axis="columns", how="all")], axis=1)
    frame.attrs["reasons"] = reasons
    frame.attrs["settings"] = list(settings.columns)
    frame.attrs["unmeasured"] = dict(source.unmeasured())
    frame.attrs["meta"] = source.meta()
    return frame


def _foreign(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Somebody else's table under our names, with what is missing filled in."""
    for column in columns:
        if column not in table.columns:
            raise UnknownNameError.among("column", column, map(str, table.columns))
    frame = table.rename(columns=dict(columns)).reset_index(drop=True)
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        raise InvalidParameterError(f"columns= gives the name {doubled[0]!r} twice")
    if "test_accuracy" not in frame.columns:
        raise UnknownNameError(
            f"the table has no column test_accuracy; name it with columns={{'theirs': 'test_accuracy'}}. Available: "
            f"{', '.join(map(str, table.columns))}"
        )
    accuracy = pd.to_numeric(frame["test_accuracy"], errors="coerce")
    words = frame["test_accuracy"][accuracy.isna() & frame["test_accuracy"].notna()]
    if len(words):
        raise InvalidParameterError(
            f"test_accuracy must hold numbers, but {len(words)} rows do not, first {words.iloc[0]!r}"
        )
    if accuracy.max() > 1 or accuracy.min() < 0:
        raise InvalidParameterError(
            f"test_accuracy must be a share in [0, 1], but runs from {accuracy.min():g} to {accuracy.max():g}; "
            "divide percentages by 100"
        )
    frame["test_accuracy"] = accuracy
    numbers = [f"row {i}" for i in range(len(frame))]
    filled: dict[str, object] = dict.fromkeys(("run_id", "topology_id", "degrees"), numbers)
    filled |= dict.fromkeys(("construction", "dataset", "trainer", "architecture"), "unknown")
    filled |= {"variant": "plain"}
    filled |= dict.fromkeys(("topology_seed", "seed"), 0)
    filled |= dict.fromkeys(("train_accuracy", "correct", "total", "seconds"), np.nan)
    for column, value in filled.items():
        if column not in frame.columns:
            frame[column] = value
    return _derived(frame[[*KEYS, *(column for column in frame.columns if column not in KEYS)]])


def _derived(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the logit of the accuracy, and the logarithm of each density."""
    added = {}
    if frame["total"].notna().any():
        added["test_accuracy_logit"] = np.log((frame["correct"] + 0.5) / (frame["total"] - frame["correct"] + 0.5))
    for column in frame.columns:
        prefix, _, rest = str(column).partition("_")
        if rest == "density" and (_is_layer(prefix) or prefix == "network"):
            values = frame[column].astype(float)
            added[f"{prefix}_log_density"] = np.log(values.where(values > 0))
    new = {name: values for name, values in added.items() if name not in frame.columns}
    return frame.assign(**new)


def _settings(records: pd.Series) -> pd.DataFrame:
    """The training settings that vary, one column each."""
    numbers, different = pd.factorize(records)
    table = pd.DataFrame([json.loads(record) for record in different])
    varying = [name for name in table.columns if table[name].nunique(dropna=False) > 1]
    return table[varying].iloc[numbers].reset_index(drop=True)


def _network(catalogue: Mapping[str, str]) -> list[str]:
    return [f"network_{name}" for name in catalogue if not name.startswith("weight_")]


def _setting_words(name: str) -> str | None:
    return f"training setting {name}: see trainers.TrainingConfig" if name in _SETTINGS else None


def _is_layer(prefix: str) -> bool:
    return prefix[:1] == "l" and prefix[1:].isdigit()
