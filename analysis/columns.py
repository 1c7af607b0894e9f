"""`Columns`: the roles that a frame's columns play, found once and handed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.cells import check_cells
from analysis.frame.names import is_layer, setting_columns, split_name
from analysis.guards import check_columns, is_constant
from topograph.errors import InsufficientDataError, UnknownNameError

OUTCOME = "test_accuracy"
_CONNECTIVITY = ("algebraic_connectivity", "normalized_gap")


@dataclass(frozen=True)
class Columns:
    """The roles that a frame's columns play.

    Parameters
    ----------
    outcome
        The dependent variable.
    controls
        The columns that hold density fixed in a regression.
    connectivity
        The metrics that the analysis is about: those that were named, else the paper's two measures of connectivity,
        else all that vary.
    settings
        The training settings that vary.
    cells
        The columns that together name a cell; None where the frame does not know.
    """

    outcome: str
    controls: tuple[str, ...]
    connectivity: tuple[str, ...]
    settings: tuple[str, ...]
    cells: tuple[str, ...] | None


def find_columns(
    frame: pd.DataFrame,
    *,
    outcome: str | None = None,
    controls: Sequence[str] | None = None,
    cells: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
) -> Columns:
    """The roles of a frame's columns: as given, else as their names say.

    Examples
    --------
    >>> import analysis
    >>> table = pd.DataFrame({"test_accuracy": [0.9, 0.8], "l1_density": [0.1, 0.05], "l1_normalized_gap": [0.2, 0.3]})
    >>> columns = find_columns(analysis.load_frame(table))
    >>> columns.controls, columns.connectivity
    (('l1_log_density',), ('l1_normalized_gap',))
    """
    try:
        known: tuple[str, ...] | None = check_cells(frame, cells)
    except (InsufficientDataError, UnknownNameError):
        if cells is not None:
            raise
        known = None
    outcome = outcome or str(frame.attrs.get("outcome", OUTCOME))
    check_columns(frame, [outcome, *(controls or ())])
    return Columns(
        outcome=outcome,
        controls=tuple(density_columns(frame) if controls is None else controls),
        connectivity=tuple(metrics or connectivity_columns(frame)),
        settings=tuple(setting_columns(frame)),
        cells=known,
    )


def density_columns(frame: pd.DataFrame) -> list[str]:
    """The log densities of the layers that vary: holding them fixed holds density fixed.

    In a table of networks of different depth, only layers that all of them have count: the others are missing in some
    rows of a regression. A table that knows no layer's density has that of the network, if any.
    """
    layers = [
        column
        for column in frame.columns
        if is_layer(split_name(column)[0])
        and split_name(column)[1] == "log_density"
        and frame[column].nunique() > 1
        and _every_architecture_has(frame, column)
    ]
    whole = [c for c in ("network_log_density", "log_density") if c in frame.columns and frame[c].nunique() > 1]
    return layers or whole[:1]


def connectivity_columns(frame: pd.DataFrame) -> list[str]:
    """The paper's two measures of connectivity, those that vary: of the first layer, for models on average."""
    for part in ("mean", "l1") if "model" in frame.columns else ("l1", "mean"):
        names = [f"{part}_{metric}" for metric in _CONNECTIVITY]
        varying = [c for c in names if c in frame.columns and not is_constant(frame[c].dropna())]
        if varying:
            return varying
    return []


def _every_architecture_has(frame: pd.DataFrame, column: str) -> bool:
    architectures = frame["architecture"] if "architecture" in frame.columns else np.zeros(len(frame))
    return bool(frame[column].notna().groupby(architectures).any().all())
