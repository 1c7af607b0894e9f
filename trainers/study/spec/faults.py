"""Errors of a specification that name the key and the line they are about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from topograph.errors import SpecError, TopographError, UnknownNameError

Path = tuple[str | int, ...]
"""Keys from the root of the specification, such as ``("grid", 0, "degrees")``; numbers count repeated tables."""

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEYS = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE = re.compile(rf"\s*(\[\[?)\s*({_KEYS})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_KEYS})\s*=")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*|[\[\]{}]')


class SpecFault(SpecError):
    """A fault of a specification.

    Parameters
    ----------
    message
        What was given and what is allowed.
    path
        The key that the fault is about.
    """

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{where(self.path)}: {self.message}" if self.path else self.message


def where(path: Path) -> str:
    """A path as TOML writes it.

    Examples
    --------
    >>> where(("grid", 1, "training", "epochs")), where(("metrics",)), where(("grid",))
    ('[[grid]] 2, training.epochs', 'metrics', '[grid]')
    """
    head, rest = str(path[0]), list(path[1:])
    if rest and isinstance(rest[0], int):
        head = f"[[{head}]] {int(rest.pop(0)) + 1}"
    elif rest or head in ("grid", "training"):
        head = f"[{head}]"
    keys = ".".join(str(key) for key in rest)
    return ", ".join(part for part in (head, keys) if part) if head.startswith("[[") else f"{head} {keys}".strip()


@contextmanager
def at(path: Path) -> Iterator[None]:
    """Any error raised inside the block becomes a fault of the key ``path``."""
    try:
        yield
    except SpecFault as fault:
        raise fault if fault.path else SpecFault(fault.message, path) from fault
    except TopographError as error:
        raise SpecFault(str(error), path) from error


def check_keys(content: Mapping[str, Any], known: Iterable[str], path: Path = (), kind: str = "key") -> None:
    """Refuse unknown keys, and name the nearest known one."""
    for key in content:
        if key not in known:
            raise SpecFault(str(UnknownNameError.among(kind, key, known)), (*path, key))


def find_line(text: str, path: Path, aliases: Mapping[str, str] | None = None) -> int | None:
    r"""The line of a TOML text, from 1, on which a key stands, or else that of the nearest enclosing table.

    Python's TOML reader keeps no positions, and a second parser might disagree with it. This only looks for lines that
    begin a table or a value. ``aliases`` are other names of a key.

    Examples
    --------
    >>> find_line('name = "x"\n[[grid]]\nseeds = [\n  1]\n[[grid]]\nseeds = 2', ("grid", 1, "seeds"))
    6
    """
    wanted = _without_zero(path)
    best, line = 0, None
    for number, found in _positions(text):
        matched = _without_zero(tuple((aliases or {}).get(str(key), key) for key in found))
        if len(matched) > best and wanted[: len(matched)] == matched:
            best, line = len(matched), number
    return line


def _without_zero(path: Path) -> Path:
    """[grid] is the same as the first [[grid]]."""
    return tuple(key for key in path if key != 0)


def _positions(text: str) -> Iterator[tuple[int, Path]]:
    table: Path = ()
    counts: dict[Path, int] = {}
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not depth and not quote:
            if header := _TABLE.match(line):
                table = _keys(header[2])
                if header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                elif table[:1] in counts:  # [grid.training] belongs to the last [[grid]]
                    table = (table[0], counts[table[:1]], *table[1:])
                yield number, table
                continue
            if assignment := _ASSIGNMENT.match(line):
                yield number, (*table, *_keys(assignment[1]))
        for token in _TOKEN.findall(line):
            if quote:
                quote = "" if token == quote else quote
            elif token in ('"""', "'''"):
                quote = token
            elif token in "[{":
                depth += 1
            elif token in "]}":
                depth = max(0, depth - 1)


def _keys(text: str) -> Path:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, text))
