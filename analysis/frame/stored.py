"""A study's store as a frame."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from analysis.frame.attributes import Shared
from analysis.frame.derived import with_derived
from analysis.frame.families import families, with_families
from analysis.frame.layers import with_summaries
from analysis.frame.names import KEYS, of_models
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
    design = _design(done)
    models = frozenset(done["architecture"][design["model"].notna()]) if "model" in design else frozenset[str]()
    architectures = done.drop_duplicates("topology_id").set_index("topology_id")["architecture"]
    table = table[table.index.isin(architectures.index)]
    table, reasons = with_summaries(table, architectures.reindex(table.index), reasons, models)
    values = table.reindex(done["topology_id"]).reset_index(drop=True)
    settings = _settings(done["settings"])
    frame = with_derived(pd.concat([done[list(KEYS)], design, settings, values], axis=1))
    weights = source.weight_statistics()
    if models:  # the first layer of one model is another thing than that of another
        weights = weights.mask(
            np.repeat(done["architecture"].isin(models).to_numpy()[:, None], weights.shape[1], axis=1)
        )
    frame = pd.concat([frame, weights.dropna(axis="columns", how="all")], axis=1)
    final = source.final_metrics()
    if not final.empty:
        whole = final.reindex(done["run_id"]).reset_index(drop=True)
        columns, _ = with_summaries(whole, done["architecture"], {}, models)
        frame = pd.concat([frame, columns.add_prefix("final_").dropna(axis="columns", how="all")], axis=1)
    frame, reasons = with_families(frame, families(done["construction"], done["settings"]), reasons)
    frame.attrs["reasons"] = Shared(reasons)
    frame.attrs["settings"] = list(settings.columns)
    frame.attrs["unmeasured"] = Shared(source.unmeasured())
    frame.attrs["meta"] = Shared(source.meta())
    return frame


def nothing_finished(source: Store | PublishedStudy) -> InsufficientDataError:
    """The refusal of a store without a finished run."""
    return InsufficientDataError(f"{source.path}: none of its {sum(source.counts().values())} runs has finished")


def _design(done: pd.DataFrame) -> pd.DataFrame:
    """The columns ``model``, ``density`` and ``allocation``; none where the study has chains only."""
    labels = pd.Series(done["degrees"].unique())
    parts = of_models(labels).set_axis(labels)
    if parts["allocation"].isna().all():
        return pd.DataFrame(index=done.index)
    design = parts.reindex(done["degrees"]).reset_index(drop=True)
    design.insert(0, "model", done["architecture"].where(design["allocation"].notna().to_numpy(), np.nan).to_numpy())
    return design


def _settings(records: pd.Series) -> pd.DataFrame:
    """The training settings that vary, one column each."""
    numbers, different = pd.factorize(records)
    table = pd.DataFrame([json.loads(record) for record in different])
    varying = [name for name in table.columns if table[name].nunique(dropna=False) > 1]
    return table[varying].iloc[numbers].reset_index(drop=True)
