"""Mean, smallest and largest value of each metric over the masked layers of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.frame.names import SUMMARIES, is_layer, split_name
from topograph.metrics import describe_metrics

_NOT_SUMMARISED = ("sizes", "degrees", "blocks")
_BESIDES = ("density", "left_degree_std", "right_degree_std")


def with_summaries(
    table: pd.DataFrame, architectures: pd.Series, reasons: Mapping[str, list[str]], models: frozenset[str]
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """A table of metrics with ``mean_<metric>``, ``min_<metric>`` and ``max_<metric>`` over the layers.

    Summarised are the density, the spread of degrees, and the metrics that are neither sizes nor degrees. A layer in
    which no network of an architecture has a metric, as one of a single output may, has no part in it; where a metric
    is undefined in another layer, its summaries are undefined.

    Parameters
    ----------
    table
        One row per topology or run, with columns such as ``l1_density``.
    architectures
        The architecture, or the model, of each row.
    reasons
        Column → reasons why values are undefined.
    models
        Those architectures that are models: since ``l1_density`` is of another kind of layer in each, such columns are
        left out for their rows.

    Returns
    -------
    table, reasons
        With the new columns before those of the network.

    Examples
    --------
    >>> table = pd.DataFrame({"l1_density": [0.1, 0.2], "l2_density": [0.3, 0.6], "network_density": [0.2, 0.4]})
    >>> with_summaries(table, pd.Series(["4-3-2"] * 2), {}, frozenset())[0].round(3).to_dict("list")
    {'l1_density': [0.1, 0.2], 'l2_density': [0.3, 0.6], 'mean_density': [0.2, 0.4], 'min_density': [0.1, 0.2], \
'max_density': [0.3, 0.6], 'network_density': [0.2, 0.4]}
    """
    by_metric: dict[str, list[str]] = {}
    for column in map(str, table.columns):
        layer, metric = split_name(column)
        if is_layer(layer):
            by_metric.setdefault(metric, []).append(column)
    ordered = architectures.reset_index(drop=True)
    groups = {str(name): rows for name, rows in ordered.groupby(ordered).indices.items()}
    summarised, said = {}, dict(reasons)
    for metric in [name for name in by_metric if name in _summarised()]:
        columns = by_metric[metric]
        if len(columns) < 2 and not models:
            continue
        values = table[columns].to_numpy(dtype=float)
        found = np.full((len(SUMMARIES), len(table)), np.nan)
        for name, rows in groups.items():
            part = values[rows]
            layers = ~np.isnan(part).all(axis=0)
            if layers.sum() > 1 or (name in models and layers.any()):
                found[:, rows] = [summarise(part[:, layers], axis=1) for summarise in _FUNCTIONS]
        if np.isnan(found).all():
            continue
        for prefix, one in zip(SUMMARIES, found, strict=True):
            summarised[f"{prefix}_{metric}"] = one
            why = sorted({reason for column in columns for reason in reasons.get(column, [])})
            if why and np.isnan(one).any():
                said[f"{prefix}_{metric}"] = why
    of_layers = [column for columns in by_metric.values() for column in columns]
    kept = table[[column for column in table.columns if column in set(of_layers)]]
    if models:
        is_model = architectures.isin(models).to_numpy()
        kept = kept.astype(float).mask(np.repeat(is_model[:, None], kept.shape[1], axis=1)).dropna(axis=1, how="all")
        said = {name: why for name, why in said.items() if name not in of_layers or name in kept.columns}
    new = pd.DataFrame(summarised, index=table.index)
    return pd.concat([kept, new, table.drop(columns=of_layers)], axis=1), said


_FUNCTIONS: tuple[Callable[..., Any], ...] = (np.mean, np.min, np.max)


def _summarised() -> frozenset[str]:
    groups = describe_metrics()["group"]
    return frozenset(name for name, group in groups.items() if group not in _NOT_SUMMARISED) | set(_BESIDES)
