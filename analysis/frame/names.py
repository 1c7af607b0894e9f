"""The names of a frame's columns: which are keys, which settings, which metrics, and of which layer."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import lru_cache

import numpy as np
import pandas as pd

from topograph.metrics import describe_metrics
from trainers import TrainingConfig

KEY_WORDS = {
    "run_id": "identifies the run; equal for equal topology, data, trainer and settings",
    "topology_id": "identifies the topology; equal for equal edges: the clusters of every interval",
    "dataset": "name of the data set",
    "trainer": "name of the trainer",
    "architecture": "neurons in each layer, such as 784-300-10",
    "construction": "name of the construction or pruner",
    "variant": "what was then done to the topology: plain, null, shuffled_layers, relabelled, or rewired",
    "degrees": "outputs of each input asked for, one per layer, such as 30-10",
    "topology_seed": "seed of the topology",
    "seed": "seed of the training",
    "test_accuracy": "share of test samples classified correctly, in [0, 1]",
    "train_accuracy": "share of training samples classified correctly at the end, in [0, 1]",
    "correct": "number of test samples classified correctly",
    "total": "number of test samples",
    "seconds": "wall-clock time of the training, in seconds",
}
DERIVED_WORDS = {
    "test_accuracy_logit": "ln((correct + ½) / (total − correct + ½)): accuracy on a scale without ceiling",
    "log_density": "natural logarithm of the density",
    "weight_min": "smallest trained weight",
    "weight_max": "largest trained weight",
    "weight_mean": "mean of the trained weights",
    "weight_std": "standard deviation of the trained weights",
    "n_parameters": "weights that the layer learnt: its edges, or what its compression really has",
}
KEYS = tuple(KEY_WORDS)
TEXT_KEYS = ("run_id", "topology_id", "dataset", "trainer", "architecture", "construction", "variant", "degrees")
"""The keys that are names, whatever they look like: ``001`` is not ``1``, and ``null`` is not missing."""
SETTINGS = frozenset(field.name for field in fields(TrainingConfig)) - {"seed"}
SUMMARIES = ("mean", "min", "max")
"""What is taken of a metric over the masked layers of a network: ``mean_normalized_gap``, …"""
_OVER_LAYERS = {"mean": "mean", "min": "smallest", "max": "largest"}
MODEL_WORDS = {
    "model": "the model with its options, such as lstm(hidden=64); missing for chains of dense layers",
    "density": "share of the possible edges of all masked layers asked for; missing for chains of dense layers",
    "allocation": "how the edges were shared among the masked layers of a model; global: by the pruner's score",
}
FAMILY_WORDS = {
    "family": "construction, or the compression that replaces its layers; with + dropconnect where that was used",
}
_OF_MODEL = re.compile(r"density (\S+) (.+)")
CELL = ("dataset", "trainer", "architecture", "degrees")
"""The columns that name a cell, besides the training settings that vary: see `analysis.cells.cell_columns`."""
MODEL_CELL = ("dataset", "trainer", "model", "density", "allocation")
"""The same, under their own names, where all networks are models."""


def split_name(column: object) -> tuple[str, str]:
    """The layer (``"l1"``, ``"network"``, ``"mean"`` over the layers, … or ``""``) and the rest of a column's name.

    Examples
    --------
    >>> split_name("l2_normalized_gap"), split_name("network_density"), split_name("test_accuracy")
    (('l2', 'normalized_gap'), ('network', 'density'), ('', 'test_accuracy'))
    >>> split_name("mean_normalized_gap"), split_name("mean_income")
    (('mean', 'normalized_gap'), ('', 'mean_income'))
    """
    prefix, _, rest = str(column).partition("_")
    if prefix in SUMMARIES and rest in _metric_names():
        return prefix, rest
    return (prefix, rest) if prefix == "network" or is_layer(prefix) else ("", str(column))


def column_words(column: object) -> str:
    """A column name as words.

    Examples
    --------
    >>> column_words("l1_normalized_gap"), column_words("network_density"), column_words("test_accuracy")
    ('normalized gap, layer 1', 'density, whole network', 'test accuracy')
    """
    layer, rest = split_name(column)
    words = rest.replace("_", " ")
    return f"{words}, {layer_words(layer)}" if layer else words


def column_phrase(column: object) -> str:
    """A column name as part of a sentence, where `column_words` is a label.

    Examples
    --------
    >>> column_phrase("l1_normalized_gap"), column_phrase("min_density"), column_phrase("network_density")
    ('the normalized gap of layer 1', 'the smallest density of the layers', 'the density of the whole network')
    >>> column_phrase("test_accuracy"), column_phrase("final_l1_density")
    ('test accuracy', 'the final density of layer 1')
    """
    name = str(column)
    last = "final " if name.startswith("final_") else ""
    layer, rest = split_name(name.removeprefix("final_"))
    words = last + rest.replace("_", " ")
    if layer in SUMMARIES:
        return f"the {_OVER_LAYERS[layer]} {words} of the layers"
    return f"the {words} of {'the ' if layer == 'network' else ''}{layer_words(layer)}" if layer else words


def layer_words(layer: str) -> str:
    """The part of a network that the first part of a column's name means.

    Examples
    --------
    >>> layer_words("l2"), layer_words("network"), layer_words("min")
    ('layer 2', 'whole network', 'smallest of the layers')
    """
    if layer in SUMMARIES:
        return f"{_OVER_LAYERS[layer]} of the layers"
    return "whole network" if layer == "network" else f"layer {layer[1:]}"


def is_layer(prefix: str) -> bool:
    """Whether a prefix names a layer, as ``l1`` does."""
    return prefix[:1] == "l" and prefix[1:].isdigit()


def main_column(frame: pd.DataFrame, metric: str) -> str:
    """The column of a metric that stands for a network where none is named: the first layer's; of models, the mean.

    Examples
    --------
    >>> main_column(pd.DataFrame(columns=["model", "density"]), "normalized_gap")
    'mean_normalized_gap'
    """
    return f"{'mean' if 'model' in frame.columns else 'l1'}_{metric}"


def setting_columns(frame: pd.DataFrame) -> list[str]:
    """The training settings that vary, such as ``dropout_hidden``."""
    return [column for column in frame.columns if column in SETTINGS and frame[column].nunique(dropna=False) > 1]


def layer_degrees(frame: pd.DataFrame, layer: int) -> pd.Series:
    """The degree asked for of a layer, from 1; NaN where ``degrees`` says none.

    Examples
    --------
    >>> layer_degrees(pd.DataFrame({"degrees": ["30-10", "row 1"]}), 2).tolist()
    [10.0, nan]
    """
    parts = frame["degrees"].astype("string").str.split("-").str[layer - 1]
    return pd.to_numeric(parts, errors="coerce").astype(float)


def metric_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that hold one of our metrics, of a layer or of the network.

    Those that summarise layers, such as ``mean_normalized_gap``, are among them only where they say something new:
    where the frame has models, or no column of a layer.

    Examples
    --------
    >>> metric_columns(pd.DataFrame(columns=["l1_density", "mean_density", "min_giant_share", "model_size"]))
    ['l1_density', 'min_giant_share']
    """
    known = _metric_names() | {"log_density"}
    parts = {str(column): split_name(column) for column in frame.columns}
    in_layers = set() if "model" in parts else {rest for layer, rest in parts.values() if is_layer(layer)}
    return [
        column
        for column, (layer, rest) in parts.items()
        if layer and rest in known and not (layer in SUMMARIES and rest in in_layers)
    ]


@lru_cache(maxsize=1)
def _metric_names() -> frozenset[str]:
    return frozenset(map(str, describe_metrics().index))


def of_models(degrees: pd.Series) -> pd.DataFrame:
    """The density and the allocation that the label of a model's masks says; missing for chains.

    Examples
    --------
    >>> of_models(pd.Series(["density 0.1 erk", "30-10"])).values.tolist()
    [[0.1, 'erk'], [nan, nan]]
    """
    parts = degrees.astype("string").str.extract(_OF_MODEL.pattern)
    allocation = parts[1].astype(object).where(parts[1].notna(), np.nan)
    return pd.DataFrame({"density": pd.to_numeric(parts[0], errors="coerce").astype(float), "allocation": allocation})


def other_metric_columns(frame: pd.DataFrame) -> list[str]:
    """The columns of numbers that are the user's own: neither key, setting, density nor derived from one of ours.

    Examples
    --------
    >>> table = pd.DataFrame({"test_accuracy": [0.8, 0.9], "delta_r": [0.1, 0.2], "sparsity": [0.5, 0.9], "seed": 0})
    >>> other_metric_columns(table)
    ['delta_r']
    """
    ours = {*KEYS, *SETTINGS, *DERIVED_WORDS, *metric_columns(frame), frame.attrs.get("outcome")}
    return [
        str(column)
        for column in frame.columns
        if column not in ours
        and not str(column).startswith("final_")
        and split_name(column)[1] not in DERIVED_WORDS
        and split_name(column)[0] not in SUMMARIES
        and not _NO_METRIC & set(name_words(column))
        and pd.api.types.is_numeric_dtype(frame[column])
        and not pd.api.types.is_bool_dtype(frame[column])
        and not pd.api.types.is_complex_dtype(frame[column])
    ]


def global_density(frame: pd.DataFrame) -> tuple[str, bool] | None:
    """The column of a table that holds the density of the whole network, and whether it is a sparsity (1 − density).

    Shares, or percentages: where the name says so, or a sparsity goes beyond 50, as no compression ratio usually does.

    Examples
    --------
    >>> global_density(pd.DataFrame({"Target Sparsity": [0.5, 0.98]})), global_density(pd.DataFrame({"gap": [0.5]}))
    (('Target Sparsity', True), None)
    >>> global_density(pd.DataFrame({"sparsity": [50, 98]})), global_density(pd.DataFrame({"density": [8, 30]}))
    (('sparsity', True), None)
    """
    named = [
        str(c)
        for c in frame.columns
        if pd.api.types.is_numeric_dtype(frame[c]) and split_name(c)[0] in ("", *SUMMARIES)
    ]
    for word, is_sparsity in (("density", False), ("sparsity", True)):
        for column in sorted((c for c in named if word in name_words(c)), key=lambda c: len(name_words(c))):
            values = frame[column].dropna()
            if "log" in name_words(column) or values.empty:
                continue
            says_percent = "%" in column or bool({"percent", "percentage", "pct"} & set(name_words(column)))
            percent = says_percent or (is_sparsity and values.max() > 50)
            if values.between(0, 100 if percent else 1).all() and values.nunique() > 1:
                return column, is_sparsity
    return None


def is_percentage(densities: pd.Series) -> bool:
    """Whether densities or sparsities are percentages: whether any is above 1.

    Examples
    --------
    >>> is_percentage(pd.Series([50.0, 98.0])), is_percentage(pd.Series([0.5, None]))
    (True, False)
    """
    return bool(densities.max() > 1)


def name_words(column: object) -> list[str]:
    """The words of a column's name, in lower case: of ``Target Sparsity``, ``["target", "sparsity"]``."""
    return re.findall(r"[a-z]+|\d+", str(column).lower())


DENSITY_WORDS = frozenset({"density", "sparsity", "degree", "degrees", "compression"})
"""Words of the names of columns that hold density fixed when they are held fixed."""
_NO_METRIC = {"seed", "id", "index", "unnamed", "density", "sparsity", "run", "trial", "fold", "repeat", "replicate"}
