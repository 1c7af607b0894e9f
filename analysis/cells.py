"""Cells: the runs of equal size, degrees and settings that are compared with each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.frame.names import CELL, MODEL_CELL, setting_columns
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError
from topograph.graph import BipartiteGraph

NO_CELLS = "the table has no degrees; name the columns that must be equal among compared runs with cells=[...]"


def cell_columns(frame: pd.DataFrame) -> tuple[str, ...]:
    """The columns that name a cell: runs that agree in all of them differ only in construction and seeds.

    Examples
    --------
    >>> import analysis
    >>> frame = pd.DataFrame({"test_accuracy": [0.8, 0.9], "dropout_hidden": [0.2, 0.5]})
    >>> cell_columns(analysis.load_frame(frame))
    ('dataset', 'trainer', 'architecture', 'degrees', 'dropout_hidden')
    """
    models = "model" in frame.columns and bool(frame["model"].notna().all())
    return (*(MODEL_CELL if models else CELL), *setting_columns(frame))


def check_cells(frame: pd.DataFrame, cells: Sequence[str] | None) -> tuple[str, ...]:
    """The columns that name a cell: those given, else the frame's own.

    Raises
    ------
    UnknownNameError
        When the frame lacks one of them.
    InsufficientDataError
        When none are given and the frame knows no degrees: then no cells follow from it.
    """
    if cells is None and "degrees" in frame.columns and frame["degrees"].isna().all():
        raise InsufficientDataError(NO_CELLS)
    names = cell_columns(frame) if cells is None else tuple(cells)
    for name in names:
        if name not in frame.columns:
            raise UnknownNameError.among("column", name, map(str, frame.columns))
    return names


def held_columns(frame: pd.DataFrame, cells: Sequence[str]) -> tuple[str, ...]:
    """The columns of the cells that hold something fixed: those with several values, else the degrees, else all.

    Examples
    --------
    >>> frame = pd.DataFrame({"dataset": ["unknown"] * 2, "degrees": ["4", "8"]})
    >>> held_columns(frame, ["dataset", "degrees"])
    ('degrees',)
    """
    varying = tuple(cell for cell in cells if frame[cell].nunique(dropna=False) > 1)
    return varying or (("degrees",) if "degrees" in cells else tuple(cells))


def cell_codes(frame: pd.DataFrame, cells: Sequence[str]) -> npt.NDArray[np.int64]:
    """The number of the cell that each row is in, from 0; a setting that was not given is a value like any other.

    Examples
    --------
    >>> cell_codes(pd.DataFrame({"degrees": ["4", "8", "4"], "clip": [1.0, None, None]}), ["degrees", "clip"]).tolist()
    [0, 1, 2]
    """
    if not cells:
        return np.zeros(len(frame), dtype=np.int64)
    keys = frame[list(cells)].reset_index(drop=True)  # an index may have the same names
    try:
        return np.asarray(keys.groupby(list(cells), sort=False, dropna=False).ngroup())
    except TypeError as error:
        raise InvalidParameterError(
            f"the cells must be named by text or numbers, but a value of {', '.join(cells)} is neither ({error})"
        ) from error


def cell_families(codes: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64]) -> int:
    """The number of families of cells: cells with a cluster in common, such as those of two settings, are one.

    Comparing within cells takes one mean from the clusters of each family, whatever the number of its cells.

    Examples
    --------
    >>> cell_families(np.array([0, 1, 0, 1, 2]), clusters=np.array([0, 0, 1, 1, 2]))
    2
    """
    return BipartiteGraph.from_edges(np.unique(np.stack([clusters, codes], axis=1), axis=0)).n_components
