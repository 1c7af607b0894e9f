"""`describe_columns`: the meaning of each column."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.frame.names import DERIVED_WORDS, FAMILY_WORDS, KEY_WORDS, MODEL_WORDS, SETTINGS, layer_words, split_name
from topograph.metrics import describe_metrics


def describe_columns(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """The meaning of each column of a frame, or of every column there can be.

    Parameters
    ----------
    frame
        From `analysis.load_frame`; without one, the table covers every column of the first layer and of the network.

    Returns
    -------
    pandas.DataFrame
        One row per column: ``part`` (run, layer or whole network) and ``meaning``.

    Examples
    --------
    >>> print(describe_columns().loc["l1_density", "meaning"])
    share of the possible edges that exist
    """
    catalogue = describe_metrics()["summary"].to_dict() | DERIVED_WORDS
    if frame is None:
        names = [*KEY_WORDS, "test_accuracy_logit", *(f"l1_{name}" for name in catalogue), *_network(catalogue)]
    else:
        names = [str(column) for column in frame.columns]
    rows = {}
    for name in names:
        last = name.startswith("final_")  # of the network at its end
        layer, rest = split_name(name.removeprefix("final_"))
        part = layer_words(layer) if layer else "run"
        meaning = (
            KEY_WORDS.get(name.removeprefix("final_"))
            or MODEL_WORDS.get(name)
            or FAMILY_WORDS.get(name)
            or _setting_words(name)
            or DERIVED_WORDS.get(name)
            or catalogue.get(rest)
        )
        if last and meaning:
            meaning = f"{meaning}: of the network at its end"
        rows[name] = {"part": part, "meaning": meaning or "a column of the user's, kept as it is"}
    return pd.DataFrame.from_dict(rows, orient="index")


def _network(catalogue: Mapping[str, str]) -> list[str]:
    return [f"network_{name}" for name in catalogue if not name.startswith("weight_")]


def _setting_words(name: str) -> str | None:
    return f"training setting {name}: see trainers.TrainingConfig" if name in SETTINGS else None
