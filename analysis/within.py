"""The runs that can be compared within cells, and the runs that cannot, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.cells import cell_codes
from analysis.frame.names import SETTINGS


@dataclass(frozen=True, eq=False)
class Compared:
    """Runs that share a cell with runs of another cluster.

    Parameters
    ----------
    data
        The runs.
    codes
        Number of the cell of each run, from 0.
    clusters
        Number of the cluster of each run, from 0.
    dead_cells, dead_runs
        Cells in which the outcome has one value, as where nothing was learnt, and their runs: left out, since there is
        nothing to explain in them.
    unknown
        Runs left out since a column that names the cell is missing.
    """

    data: pd.DataFrame
    codes: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    dead_cells: int
    dead_runs: int
    unknown: int

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return int(np.count_nonzero(np.bincount(self.clusters)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        notes = []
        if self.dead_cells:
            notes.append(dead_words(self.dead_cells, self.dead_runs))
        if self.unknown:
            notes.append(f"{self.unknown} runs of unknown cell left out")
        return tuple(notes)


def compared(data: pd.DataFrame, cells: Sequence[str], outcome: str, groups: str) -> Compared:
    """The runs that can be compared within cells.

    Parameters
    ----------
    data
        Runs whose outcome is known.
    cells
        Columns that together name a cell. A run is left out where one is missing, unless it is a training setting:
        one that was not given is a value like any other.
    outcome
        The dependent variable.
    groups
        Column of the clusters.

    Examples
    --------
    >>> data = pd.DataFrame({"size": [1, 1, 2, 2, 2, 3], "y": [0.5, 0.6, 0.1, 0.1, 0.1, 0.9], "id": list("abcdef")})
    >>> found = compared(data, ["size"], "y", "id")
    >>> found.data["id"].tolist(), found.notes
    (['a', 'b'], ('1 cell (3 runs) in which the outcome has one value left out',))
    """
    named = data.dropna(subset=[cell for cell in cells if cell not in SETTINGS])
    codes = cell_codes(named, cells)
    clusters = pd.factorize(named[groups])[0]
    dead = dead_cells(named[outcome].to_numpy(dtype=float), codes, clusters)
    used = ((_clusters_of_cells(codes, clusters) > 1) & ~dead)[codes]
    rows = named[used]
    return Compared(
        data=rows,
        codes=np.unique(codes[used], return_inverse=True)[1].ravel(),
        clusters=pd.factorize(rows[groups])[0],
        dead_cells=int(dead.sum()),
        dead_runs=int(dead[codes].sum()),
        unknown=len(data) - len(named),
    )


def dead_cells(
    values: npt.NDArray[np.float64], codes: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """For each cell, whether its outcome has one value, as where nothing was learnt.

    Two runs may agree by chance; three clusters do not, nor two at an end of the scale.

    Examples
    --------
    >>> dead_cells(np.array([0.1, 0.1, 0.5, 0.6]), np.array([0, 0, 1, 1]), np.arange(4)).tolist()
    [True, False]
    """
    if not len(values):
        return np.zeros(0, dtype=bool)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    low, high = (function.reduceat(values[order], starts) for function in (np.minimum, np.maximum))
    flat = high - low <= 1e-9 * np.ptp(values)
    end = (low == values.min()) | (high == values.max())
    n_clusters = _clusters_of_cells(codes, clusters)
    return np.asarray((n_clusters > 1) & flat & ((n_clusters > 2) | end) & (len(starts) > 1))


def dead_words(cells: int, runs: int) -> str:
    """What is said of cells left out for an outcome of one value."""
    return f"{cells} cell{'' if cells == 1 else 's'} ({runs} runs) in which the outcome has one value left out"


def _clusters_of_cells(codes: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of clusters in each cell."""
    size = len(codes) + 1
    return np.bincount(np.unique(codes * size + clusters) // size) if len(codes) else np.zeros(0, dtype=np.int64)
