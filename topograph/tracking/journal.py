"""A tracker's rows on disk while it runs: a folder of Parquet parts, or a table in SQLite. A kill loses one step."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from topograph.errors import InvalidParameterError, StoreError
from topograph.files import whole

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("step", "layer", "metric", "value")
Row = tuple[int, str, str, float]
_PART = re.compile(r"part-(\d{8})-(\d{8})\.parquet")
_MOST_PARTS = 50


class Journal(Protocol):
    """Where rows are kept as they come."""

    def append(self, rows: Sequence[Row]) -> None:
        """Keep the rows of one step; once this returns, nothing but the disk can lose them."""


def open_journal(path: str | os.PathLike[str]) -> Journal:
    """A journal by its path's ending: ``.sqlite`` or ``.db``, or ``.parquet`` for a folder of Parquet parts.

    Raises
    ------
    InvalidParameterError
        When the ending is another.
    """
    target = Path(path)
    if target.suffix in (".sqlite", ".db"):
        return SqliteJournal(target)
    if target.suffix == ".parquet":
        return ParquetJournal(target)
    raise InvalidParameterError(
        f"a tracker writes to a path ending in .parquet (a folder of parts), .sqlite or .db, but got {target}"
    )


def read_history(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table that a tracker wrote, also while it still writes, and after a kill.

    Returns
    -------
    pandas.DataFrame
        Columns ``step``, ``layer``, ``metric``, ``value``. Of rows that were written twice, as after a run that was
        resumed from an earlier step, the last counts.

    Raises
    ------
    InvalidParameterError, StoreError
        When the path has another ending, or holds no such table.
    """
    target = Path(path)
    if not target.exists():
        raise StoreError(f"{target}: no tracker has written there")
    return open_journal(target).table()  # type: ignore[attr-defined]


def tidy(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each step, layer and metric: the last one written, in the order of the steps."""
    last = table.drop_duplicates(["step", "layer", "metric"], keep="last")
    return last.sort_values("step", kind="stable").reset_index(drop=True)


class ParquetJournal:
    """A folder of Parquet files, one for each step; older ones are joined, so that there are never many.

    Parameters
    ----------
    folder
        Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise InvalidParameterError(f"{folder} is a file, but a tracker writes a folder of Parquet parts")
        self.folder = folder

    def append(self, rows: Sequence[Row]) -> None:
        """Write the rows of one step as one more part."""
        import pandas as pd

        self.folder.mkdir(parents=True, exist_ok=True)
        parts = self._parts()
        number = parts[-1][1] + 1 if parts else 0
        self._write(number, number, pd.DataFrame(rows, columns=list(COLUMNS)))
        if len(parts) >= _MOST_PARTS:
            self._join([*parts, (number, number)])

    def table(self) -> pd.DataFrame:
        """All rows."""
        import pandas as pd

        tables = [pd.read_parquet(self._path(*part)) for part in self._parts()]
        if not tables:
            raise StoreError(f"{self.folder} holds no part that a tracker wrote")
        return tidy(pd.concat(tables, ignore_index=True))

    def _join(self, parts: Sequence[tuple[int, int]]) -> None:
        import pandas as pd

        tables = [pd.read_parquet(self._path(*part)) for part in parts]
        first, last = parts[0][0], parts[-1][1]
        self._write(first, last, pd.concat(tables, ignore_index=True))
        for part in parts:
            self._path(*part).unlink()

    def _parts(self) -> list[tuple[int, int]]:
        """First and last number of each part, in order; a part that lies within a joined one is left by a kill."""
        names = [match for path in self.folder.glob("part-*.parquet") if (match := _PART.fullmatch(path.name))]
        spans = sorted(((int(match[1]), int(match[2])) for match in names), key=lambda span: (span[0], -span[1]))
        parts: list[tuple[int, int]] = []
        for span in spans:
            if not parts or span[1] > parts[-1][1]:
                parts.append(span)
        return parts

    def _path(self, first: int, last: int) -> Path:
        return self.folder / f"part-{first:08d}-{last:08d}.parquet"

    def _write(self, first: int, last: int, table: pd.DataFrame) -> None:
        with whole(self._path(first, last)) as file:
            table.to_parquet(file, index=False)


class SqliteJournal:
    """The table ``tracking`` of a SQLite database; each step is one transaction.

    Parameters
    ----------
    path
        Made when it is not there; other tables in it stay.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, rows: Sequence[Row]) -> None:
        """Write the rows of one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as database, database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS tracking (step INTEGER, layer TEXT, metric TEXT, value REAL, "
                    "PRIMARY KEY (step, layer, metric))"
                )
                database.executemany("INSERT OR REPLACE INTO tracking VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot write the rows of a step: {error}") from error

    def table(self) -> pd.DataFrame:
        """All rows."""
        import pandas as pd

        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as database:
                rows = database.execute("SELECT step, layer, metric, value FROM tracking ORDER BY rowid").fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} holds no table that a tracker wrote: {error}") from error
        return tidy(pd.DataFrame(rows, columns=list(COLUMNS)).astype({"value": "float64"}))
