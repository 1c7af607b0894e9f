"""`load_learning_curves`: the history of every finished run of a store."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.frame.stored import nothing_finished
from analysis.published import find_study
from trainers.study.store import Store


def load_learning_curves(store: str | os.PathLike[str]) -> pd.DataFrame:
    """The history of every finished run of a store.

    Parameters
    ----------
    store
        The SQLite file that `trainers.study.run_study` wrote; or published results, by their folder or by their name:
        they hold some of the epochs, the last one among them.

    Returns
    -------
    pandas.DataFrame
        One row per run and epoch: the run's keys, ``epoch`` from 1, and what the trainer recorded, such as ``loss``.

    Raises
    ------
    StoreError
        When the file is missing or is not a store of this version.
    InsufficientDataError
        When no run has finished yet.
    """
    keys = ["run_id", "construction", "architecture", "degrees", "seed"]
    published = find_study(store)
    if published is not None:
        return published.curves().merge(published.runs("done", keys), on="run_id")
    source = Store(Path(store))
    runs = source.runs("done", keys).set_index("run_id")
    pieces = []
    for run_id, record in source.records():
        history = pd.DataFrame(record["history"])
        history.insert(0, "epoch", np.arange(1, len(history) + 1))
        pieces.append(history.assign(run_id=run_id, **runs.loc[run_id].to_dict()))
    if not pieces:
        raise nothing_finished(source)
    return pd.concat(pieces, ignore_index=True)
