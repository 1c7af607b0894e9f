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


def layers_down(table: pd.DataFrame, left_out: Mapping[str, str], *, list_left_out: bool = False, width: int = 100,
                colour: bool = False) -> str:  # fmt: skip
    """A table of metrics for the terminal: one row per layer, columns beside each other as far as the width goes.

    Parameters
    ----------
    table
        With the columns ``file``, ``layer`` and ``reason`` beside the metrics.
    left_out
        What is not a mask, with the reason.
    list_left_out
        Whether to list it, rather than to count it.
    width
        Columns of the terminal.
    colour
        Whether names are bold.
    """
    several = table["file"].nunique() > 1
    names = [f"{file}:{layer}" if several else layer for file, layer in zip(table["file"], table["layer"], strict=True)]
    values = table.drop(columns=["file", "layer", "reason", "read_as"], errors="ignore")
    cells = [[_number(value) for value in values[column]] for column in values.columns]
    blocks = _blocks(_shortened(names, max(12, width // 3)), list(map(str, values.columns)), cells, width)
    lines = [line for block in blocks for line in (*_painted(block, colour), "")]
    lines += _same_words("undefined", names, table["reason"])
    lines += _same_words("read as", names, table.get("read_as", pd.Series([""] * len(names))))
    if list_left_out:
        lines += [f"left out: {name}: {reason}" for name, reason in left_out.items()]
    elif left_out:
        lines.append(f"{len(left_out)} arrays are not masks ({_examples(list(left_out))}); --left-out lists them")
    return "\n".join(lines).rstrip("\n") + "\n"


def _blocks(names: list[str], heads: list[str], cells: list[list[str]], width: int) -> Iterator[list[str]]:
    """The columns in blocks that fit the width, each with the names at its left; words of a heading are stacked."""
    first = max(map(len, [*names, "layer"]))
    words = [head.split("_") for head in heads]
    widths = [max(map(len, [*head, *column])) for head, column in zip(words, cells, strict=True)]
    start = 0
    while start < len(heads):
        end, used = start, first
        while end < len(heads) and (end == start or used + 2 + widths[end] <= width):
            used += 2 + widths[end]
            end += 1
        chosen = range(start, end)
        deep = max(len(words[i]) for i in chosen)
        stacked = {i: [""] * (deep - len(words[i])) + words[i] for i in chosen}
        block = []
        for depth in range(deep):
            name = "layer" if depth == deep - 1 else ""
            block.append(name.ljust(first) + "".join("  " + stacked[i][depth].rjust(widths[i]) for i in chosen))
        for row, name in enumerate(names):
            block.append(name.ljust(first) + "".join("  " + cells[i][row].rjust(widths[i]) for i in chosen))
        yield [line.rstrip() for line in (*block[:deep], "-" * used, *block[deep:])]
        start = end


def _painted(block: list[str], colour: bool) -> list[str]:
    """The block with its headings in bold."""
    if not colour:
        return block
    rule = next(i for i, line in enumerate(block) if set(line) == {"-"})
    return [f"\x1b[1m{line}\x1b[0m" if i < rule else line for i, line in enumerate(block)]


def _same_words(what: str, names: Sequence[str], words: Iterable[object]) -> list[str]:
    """One line for all layers of which the same is said."""
    by_words: dict[str, list[str]] = {}
    for name, word in zip(names, words, strict=True):
        if isinstance(word, str) and word:
            by_words.setdefault(word, []).append(name)
    return [f"{what}: {word} ({_examples(layers)})" for word, layers in by_words.items()]


def _examples(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shortened(names: list[str], width: int) -> list[str]:
    """Names that are too long for their column, without their middle."""
    half = (width - 1) // 2
    return [name if len(name) <= width else f"{name[:half]}…{name[-half:]}" for name in names]


def _number(value: Any) -> str:
    return "–" if pd.isna(value) else f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
