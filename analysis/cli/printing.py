"""What the commands print: words for people, JSON for scripts."""

from __future__ import annotations

import argparse
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np
import pandas as pd

from topograph.errors import StoreError, TopographError
from topograph.files import whole


def say(options: argparse.Namespace, text: str, record: Any) -> None:
    """Print the text, or with ``--format json`` the record."""
    if options.format == "json":
        text = json.dumps(plain(record), indent=1, ensure_ascii=False)
        print("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))
    else:
        print("\n".join(printable(line) for line in text.split("\n")))


def printable(text: str) -> str:
    r"""Text with everything escaped that a terminal would act on: names come from files, and files from strangers.

    Examples
    --------
    >>> print(printable("fc\x1b[2J\nforged"), printable("λ2 of fc1"))
    fc\x1b[2J\nforged λ2 of fc1
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_table(table: pd.DataFrame) -> pd.DataFrame:
    """A table with every text in it printable, so that each row is one line."""
    text = {
        column: table[column].map(lambda value: printable(value) if isinstance(value, str) else value)
        for column in table.columns
        if not pd.api.types.is_numeric_dtype(table[column])
    }
    return table.assign(**text)


@contextmanager
def writing(path: Path, inputs: Iterable[Path] = ()) -> Iterator[IO[bytes]]:
    """A file to write into that appears whole or not at all, and never in the place of an input.

    Raises
    ------
    StoreError
        When the system does not let it be written.
    InvalidParameterError
        When it is one of the inputs.
    """
    with unwritable_said(path), whole(path, inputs) as file:
        yield file


@contextmanager
def unwritable_said(path: Path) -> Iterator[None]:
    """Errors of the system about a file that cannot be written, as our own."""
    try:
        yield
    except TopographError:
        raise
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error}") from error


def write_table(table: pd.DataFrame, file: IO[bytes], ending: str) -> None:
    """Write a table as ``".parquet"`` or ``".csv"``."""
    if ending == ".parquet":
        table.attrs = {}
        table.to_parquet(file, index=False)
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    table.to_csv(text, index=False)
    text.flush()
    text.detach()


def plain(value: Any) -> Any:
    """A value as JSON has it: no NaN, no NumPy, tables as lists of rows.

    Examples
    --------
    >>> plain({"a": np.float64(0.5), "b": float("nan"), "c": (1, 2)})
    {'a': 0.5, 'b': None, 'c': [1, 2]}
    """
    if isinstance(value, pd.DataFrame):
        return [plain(row) for row in value.to_dict(orient="records")]
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, PurePath) else value


def columns(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table with a column as wide as its widest cell."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [header, tuple("-" * width for width in widths), *rows]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def metrics_across_layers(table: pd.DataFrame) -> str:
    """A table of metrics for the terminal: metrics down, layers across, reasons below."""
    several = table["file"].nunique() > 1
    names = [f"{file}:{layer}" if several else layer for file, layer in zip(table["file"], table["layer"], strict=True)]
    values = table.drop(columns=["file", "layer", "reason", "read_as"], errors="ignore")
    cells = {name: [_number(v) for v in values.iloc[i]] for i, name in enumerate(names)}
    text: str = pd.DataFrame(cells, index=values.columns).to_string() + "\n"
    for name, reason in zip(names, table["reason"], strict=True):
        if reason:
            text += f"{name}: undefined: {reason}\n"
    for name, read_as in zip(names, table.get("read_as", [""] * len(names)), strict=True):
        if isinstance(read_as, str) and read_as:
            text += f"{name}: read as {read_as}\n"
    return text


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.0f}" if float(value).is_integer() else f"{value:.6g}"
