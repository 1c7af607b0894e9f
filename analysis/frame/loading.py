"""`load_frame`: a study's store, or anybody's table, as one tidy frame with one row per run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from analysis.frame.reading import ENDINGS, is_store, is_table, read_table
from analysis.frame.stored import from_store
from analysis.frame.tables import from_table, without_infinities
from analysis.published import find_study
from analysis.recording import is_recorded, recorded_table
from topograph.errors import InvalidParameterError, StoreError
from trainers.study.store import Store


def load_frame(
    source: str | os.PathLike[str] | pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    *,
    outcome: str = "test_accuracy",
) -> pd.DataFrame:
    """Finished runs with the metrics of their topologies.

    Parameters
    ----------
    source
        The SQLite file that `trainers.study.run_study` or `analysis.record` wrote; published results, by their folder
        or by their name, such as ``"paper"``; or a table of somebody else's networks: a ``.csv``, ``.tsv``, ``.json``,
        ``.jsonl`` or ``.parquet`` file, packed or not; or a DataFrame of pandas, or of a library that has
        ``to_pandas()``, such as Polars; the named levels of its index are columns. Names, as of topologies and
        variants, are text: ``001`` is not ``1``, and ``null`` is not missing.
    columns
        For a table: its column → ours, such as ``{"acc": "test_accuracy", "sparse_dens": "l1_density"}``. Other columns
        are kept under their own names.
    outcome
        Column that a table must have, such as ``"bleu"``; reports are about it unless they are told otherwise.

    Returns
    -------
    pandas.DataFrame
        One row per run: the key columns, then ``l1_<metric>``, ``l2_<metric>``, … for each layer and
        ``network_<metric>``, with ``<layer>_log_density`` beside each density and, from a store,
        ``<layer>_weight_min/max/mean/std`` of the trained weights; `describe_columns` says what each is. A metric that
        is undefined is NaN; its reason is in ``frame.attrs["reasons"]``, why whole topologies have no metrics in
        ``frame.attrs["unmeasured"]``, the spec in ``frame.attrs["meta"]``. In a
        table, key columns that are missing are filled in: each row is a topology of its own unless it says otherwise,
        and degrees stay missing. An infinite value is NaN, with a reason. A table that knows the density or sparsity of
        the whole network only gets ``log_density`` from it. A training setting that varies in a store is a column
        under its own name, such as ``dropout_hidden``; ``frame.attrs["settings"]`` lists them.

    Raises
    ------
    StoreError
        When the file is missing, or is not a store of this version.
    InsufficientDataError
        When no run has finished yet.
    UnknownNameError, InvalidParameterError
        When ``columns`` names what the table lacks, or the accuracies are not shares.

    Examples
    --------
    >>> table = pd.DataFrame({"acc": [0.9, 0.8], "dens": [0.1, 0.05]})
    >>> load_frame(table, columns={"acc": "test_accuracy", "dens": "l1_density"})["l1_log_density"].round(3).tolist()
    [-2.303, -2.996]
    """
    if isinstance(source, pd.DataFrame):
        return from_table(source, columns or {}, outcome)
    if hasattr(source, "to_pandas"):  # tables of Polars, Arrow, Dask, …
        return from_table(source.to_pandas(), columns or {}, outcome)
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidParameterError(
            f"source must be a path or a table such as a DataFrame, but got {type(source).__name__}; "
            "pandas.DataFrame(...) makes a table of lists, dictionaries and arrays"
        )
    path = Path(source)
    if is_table(path):
        return from_table(read_table(path), columns or {}, outcome)
    if path.is_file() and not is_store(path):
        raise StoreError(
            f"{path} is not a study's store, and its name does not end as a table's: {', '.join(ENDINGS)}, also "
            "packed; save a spreadsheet as .csv, or read it with pandas and pass the DataFrame"
        )
    if path.is_file() and is_recorded(path):
        return from_table(recorded_table(path), columns or {}, outcome)
    published = find_study(source)
    frame = without_infinities(from_store(Store(path) if published is None else published))
    if columns:
        raise InvalidParameterError("columns= renames the columns of a table; a store's are named already")
    return frame
