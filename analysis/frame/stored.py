"""A study's store as a frame."""

from __future__ import annotations

import json

import pandas as pd

from analysis.frame.attributes import Shared
from analysis.frame.derived import with_derived
from analysis.frame.names import KEYS
from topograph.errors import InsufficientDataError
from trainers.study.publishing import PublishedStudy
from trainers.study.store import Store


def from_store(source: Store | PublishedStudy) -> pd.DataFrame:
    """The finished runs of a store, or of published results, with settings that vary, metrics and weights."""
    done = source.runs("done", [*KEYS, "settings"])
    if done.empty:
        raise nothing_finished(source)
    table, reasons = source.metric_table()
    table = table.dropna(axis="columns", how="all")
    values = table.reindex(done["topology_id"]).reset_index(drop=True)
    settings = _settings(done["settings"])
    frame = with_derived(pd.concat([done[list(KEYS)], settings, values], axis=1))
    frame = pd.concat([frame, source.weight_statistics().dropna(axis="columns", how="all")], axis=1)
    final = source.final_metrics() if isinstance(source, Store) else pd.DataFrame()
    if not final.empty:
        columns = final.reindex(done["run_id"]).reset_index(drop=True).add_prefix("final_")
        frame = pd.concat([frame, columns.dropna(axis="columns", how="all")], axis=1)
    frame.attrs["reasons"] = Shared(reasons)
    frame.attrs["settings"] = list(settings.columns)
    frame.attrs["unmeasured"] = Shared(source.unmeasured())
    frame.attrs["meta"] = Shared(source.meta())
    return frame


def nothing_finished(source: Store | PublishedStudy) -> InsufficientDataError:
    """The refusal of a store without a finished run."""
    return InsufficientDataError(f"{source.path}: none of its {sum(source.counts().values())} runs has finished")


def _settings(records: pd.Series) -> pd.DataFrame:
    """The training settings that vary, one column each."""
    numbers, different = pd.factorize(records)
    table = pd.DataFrame([json.loads(record) for record in different])
    varying = [name for name in table.columns if table[name].nunique(dropna=False) > 1]
    return table[varying].iloc[numbers].reset_index(drop=True)
