"""Families: sparse constructions, and the other ways to have as few parameters, beside each other."""

from __future__ import annotations

import json

import pandas as pd

from analysis.frame.names import is_layer, split_name

_OF_ANY_MATRIX = ("n_left", "n_right")
NOT_SPARSE = "the layers are compressed: their matrices have no zeros, so their graph is that of a dense layer"
"""Why a compressed network has no metrics of its graph."""


def families(constructions: pd.Series, settings: pd.Series) -> pd.Series | None:
    """The family of each run, from its construction and its settings as JSON; None where all are constructions.

    A family is a construction, or the name of the compression that replaces its layers; networks trained with
    DropConnect are one of their own.

    Examples
    --------
    >>> settings = pd.Series(['{"compression": "hashed"}', '{"dropconnect": 0.5}', "{}"])
    >>> families(pd.Series(["random_regular", "dense", "dense"]), settings).tolist()
    ['hashed', 'dense + dropconnect', 'dense']
    """
    numbers, different = pd.factorize(settings)
    known = [json.loads(record) for record in different]
    compression = pd.Series([record.get("compression", "none") for record in known]).iloc[numbers].to_numpy()
    dropped = pd.Series([float(record.get("dropconnect", 0)) for record in known]).iloc[numbers].to_numpy() > 0
    is_compressed = compression != "none"
    if not (is_compressed.any() or dropped.any()):
        return None
    names = constructions.astype(str).reset_index(drop=True)
    names = names.where(~dropped, names + " + dropconnect")
    return names.where(~is_compressed, compression).rename("family")


def is_compressed(frame: pd.DataFrame) -> pd.Series:
    """Whether the layers of each run are compressed."""
    if "family" not in frame.columns:
        return pd.Series(False, index=frame.index)
    return (frame["family"] != frame["construction"]) & ~frame["family"].str.endswith(" + dropconnect")


def with_families(
    frame: pd.DataFrame, family: pd.Series | None, reasons: dict[str, list[str]]
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The frame with ``family``, ``l1_n_parameters``, …, ``network_n_parameters``; the reasons with what is undefined.

    Metrics of the topology of a compressed run are those of the edges that gave its budget, not of its layers: they are
    left undefined, so that no correlation of a graph's metric takes it for a sparse network.
    """
    if family is None:
        return frame, reasons
    attributes = frame.attrs
    frame = frame.assign(family=family.to_numpy())
    compressed = is_compressed(frame)
    said = {column: list(words) for column, words in reasons.items()}
    changed = {}
    for column in map(str, frame.columns):
        layer, metric = split_name(column)
        if not layer or metric in _OF_ANY_MATRIX or metric.startswith("weight_") or not compressed.any():
            continue
        learnt = f"final_{layer}_n_parameters"
        if metric == "n_edges" and (is_layer(layer) or learnt in frame.columns):
            known = frame[learnt] if learnt in frame.columns else frame[column].where(~compressed)
            changed[f"{layer}_n_parameters"] = known.where(compressed, frame[column])
        changed[column] = frame[column].where(~compressed)
        said.setdefault(column, []).append(NOT_SPARSE)
    added = pd.DataFrame({name: values for name, values in changed.items() if name not in frame.columns})
    kept = {name: values for name, values in changed.items() if name in frame.columns}
    frame = pd.concat([frame.assign(**kept), added], axis=1).copy()  # a copy holds its columns in few blocks again
    frame.attrs = attributes
    return frame, said


def by_family(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the family in place of the construction, for what shows constructions beside each other.

    Examples
    --------
    >>> frame = pd.DataFrame({"construction": ["sobol", "sobol"], "family": ["sobol", "hashed"]})
    >>> by_family(frame)["construction"].tolist()
    ['sobol', 'hashed']
    """
    if "family" not in frame.columns or "construction" not in frame.columns:
        return frame
    attributes = frame.attrs
    frame = frame.assign(construction=frame["family"])
    frame.attrs = attributes
    return frame
