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
        return len(np.unique(self.clusters))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        notes = []
        if self.dead_cells:
            cells = "1 cell" if self.dead_cells == 1 else f"{self.dead_cells} cells"
            notes.append(f"{cells} ({self.dead_runs} runs) in which the outcome has one value left out")
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
    values = named[outcome].astype(float)
    by_cell = values.groupby(codes)
    spread = by_cell.transform("max") - by_cell.transform("min")
    shared = (named.groupby(codes)[groups].transform("nunique") > 1).to_numpy()
    scale = float(np.ptp(values.to_numpy())) if len(values) else 0.0
    flat = (spread <= 1e-9 * scale).to_numpy()
    # two runs may agree by chance; three do not, nor two at the end of the scale
    several = (named.groupby(codes)[groups].transform("nunique") > 2).to_numpy()
    extreme = ((values == values.min()) | (values == values.max())).to_numpy()
    dead = shared & flat & (several | extreme) & (len(np.unique(codes)) > 1)
    rows = named[shared & ~dead]
    return Compared(
        data=rows,
        codes=np.unique(codes[shared & ~dead], return_inverse=True)[1].ravel(),
        clusters=pd.factorize(rows[groups])[0],
        dead_cells=len(np.unique(codes[dead])),
        dead_runs=int(dead.sum()),
        unknown=len(data) - len(named),
    )
