"""From the bytes of an edge list to a table: encoding, comments, separator, header."""

from __future__ import annotations

import ast
import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from topograph.errors import InvalidMaskError
from topograph.masks.edge_lists.columns import is_known

if TYPE_CHECKING:
    import pandas as pd

# for texts with single blanks only, so that no two repetitions compete for a run of blanks
_SIZES = re.compile(r"# ?(?P<left>\d{1,10})(?: ?[x×,] ?| )(?P<right>\d{1,10})(?:$|[,;]? ?numbered)")
_KONECT_SIZES = re.compile(r"%\s*\d{1,19}\s+(?P<left>\d{1,10})\s+(?P<right>\d{1,10})\s*$")
_FIRST = re.compile(r"#.*\bnumbered from (?P<first>[01])\b")
_COMMENT = re.compile(r"^[ \t]*[#%].*(?:\n|\Z)", re.MULTILINE)
_REMARK = re.compile(r"(?<!\s)\s+#.*$")
_KONECT = ["input", "output", "weight", "time"]  # the columns of a KONECT file, as many as there are
_LONGEST_LINE = 1 << 16
_LOOKED_AT = 20  # lines that tell the separator
_ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class EdgeTable:
    """An edge list as it stands in its file.

    Parameters
    ----------
    columns
        The columns, numbers where all are numbers and texts elsewhere.
    header
        Their names; None where the file has no header.
    sizes
        Numbers of inputs and outputs, where a comment says them.
    first
        The lowest number of a node, 0 or 1, where a comment says it.
    """

    columns: list[pd.Series]
    header: list[str] | None
    sizes: tuple[int, int] | None
    first: int | None


def read_table(path: Path) -> EdgeTable:
    """Read a text file of edges, one per line."""
    with path.open("rb") as raw:
        start = raw.read(4)
    encoding = next((name for mark, name in _ENCODINGS if start.startswith(mark)), "utf-8")
    with path.open(encoding=encoding, newline=None) as file:
        sizes, first, konect, line = _preamble(file)
        text = line + file.read()
    if not line:
        raise InvalidMaskError("is empty; an edge list has a line 'input,output' for each edge")
    if "#" in text or "%" in text:
        text = _COMMENT.sub("", text)
    head = [row for row in text[: _LONGEST_LINE * _LOOKED_AT].split("\n", _LOOKED_AT)[:_LOOKED_AT] if row.strip()]
    separator = _separator(head, path.suffix.lower())
    if separator == " " and any("{" in row for row in head):
        text = _without_dictionaries(text)
        head = [row for row in text.split("\n", _LOOKED_AT)[:_LOOKED_AT] if row.strip()]
    rows = [_cells(row, separator) for row in head]
    width = max(map(len, rows))
    header: list[str] | None
    if konect:
        header, body = _KONECT[:width], text
    else:
        header, body = _split_header(rows, text, separator, declared=sizes is not None or first is not None)
    table = _parse(body, separator, width if header is None else None)
    if header is not None and table.shape[1] == len(header) + 1:
        header = ["", *header]  # R leaves out the name of its column of row names
    if header is not None and len(header) != table.shape[1] and table.size:
        raise InvalidMaskError(f"has a header of {len(header)} names, but lines of {table.shape[1]} entries")
    columns = [_cleaned(table[name]) for name in table]
    return EdgeTable(columns, header, sizes, first)


def _preamble(file: TextIO) -> tuple[tuple[int, int] | None, int | None, bool, str]:
    """Sizes, first number and whether it is KONECT, from the comments at the top, and the first line behind them."""
    sizes, first, konect = None, None, False
    while line := file.readline(_LONGEST_LINE):
        text = " ".join(line.split())
        if not text:
            continue
        if text[0] not in "#%":
            return sizes, first, konect, line
        if re.match(r"%\s*(bip|asym|sym)\b", text):
            if not re.match(r"%\s*bip\b", text):
                raise InvalidMaskError(f"is a KONECT network that is not bipartite: {text[:40]!r}")
            konect, first = True, 1
        found = (_KONECT_SIZES if konect else _SIZES).match(text)
        if found:
            sizes = int(found["left"]), int(found["right"])
        if numbered := _FIRST.match(text):
            first = int(numbered["first"])
    return sizes, first, konect, ""


def _separator(head: list[str], suffix: str) -> str:
    order = ["\t", ",", ";"] if suffix in (".tsv", ".tab") else [",", ";", "\t"]
    for separator in order:
        if all(separator in row for row in head):
            return separator
    for separator in order:
        if separator in head[-1]:
            return separator
    return " "


def _cells(row: str, separator: str) -> list[str]:
    if separator == " ":
        return next(csv.reader([" ".join(row.split())], delimiter=" "))
    return [cell.strip() for cell in next(csv.reader([row], delimiter=separator, skipinitialspace=True))]


def _without_dictionaries(text: str) -> str:
    """Networkx writes the attributes of an edge as a dictionary: of those only the weight stays."""
    lines = []
    for line in text.splitlines():
        ends, brace, rest = line.partition("{")
        if not brace:
            lines.append(line)
            continue
        try:
            attributes = ast.literal_eval(brace + rest)
            weight = attributes.get("weight", 1) if isinstance(attributes, dict) else None
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            weight = None
        if not isinstance(weight, (int, float)):
            raise InvalidMaskError(f"cannot read the attributes of an edge: {line[:80]!r}")
        lines.append(f"{ends} {weight!r}")
    widths = {len(line.split()) for line in lines if line.strip()}
    if widths == {3} and all(line.endswith(" 1") for line in lines if line.strip()):
        lines = [line[:-2] for line in lines]
    return "\n".join(lines) + "\n"


def _split_header(rows: list[list[str]], text: str, separator: str, *, declared: bool) -> tuple[list[str] | None, str]:
    """The header, if there is one, and what follows it."""
    first, rest = rows[0], text.partition("\n")[2]
    if any(map(is_known, first)) or (not first[0] and any(first)):
        return first, rest
    numeric = [_is_number(cell) for cell in first]
    if all(numeric):
        if not declared and separator in ",;\t" and first in (["0", "1"], ["0", "1", "2"]):
            return _numbered_header(rows, first, rest, text)
        return None, text
    if len(rows) > 1 and any(
        not number and all(len(row) > side and _is_number(row[side]) for row in rows[1:])
        for side, number in enumerate(numeric)
    ):
        return first, rest  # words over numbers
    if len(rows) > 1 and len(first) == len(rows[1]) - 1:
        return first, rest
    others = [_cells(row, separator) for row in rest.splitlines() if row.strip()]
    if any(cell in {row[side] for row in others if len(row) > side} for side, cell in enumerate(first[:2])):
        return None, text
    raise InvalidMaskError(
        f"the first line {','.join(first)!r} may be an edge or a header: put 'input,output' above it if it is an edge, "
        "or in its place if it is a header"
    )


def _numbered_header(rows: list[list[str]], first: list[str], rest: str, text: str) -> tuple[list[str] | None, str]:
    """A first line 0,1: the names that pandas gives to columns without any, or an edge."""
    if first[:2] in [row[:2] for row in rows[1:]]:
        return first, rest  # it would be an edge twice
    raise InvalidMaskError(
        f"the first line {','.join(first)!r} may be an edge, or the header that pandas writes for columns without "
        "names: put 'input,output' above it if it is an edge, or in its place if it is a header"
    )


def _parse(text: str, separator: str, width: int | None) -> pd.DataFrame:
    import pandas as pd

    if not text.strip():
        return pd.DataFrame({0: [], 1: []}, dtype="int64")
    table: pd.DataFrame = pd.read_csv(
        io.StringIO(text),
        sep=r"\s+" if separator == " " else separator,
        header=None,
        names=None if width is None else list(range(width)),
        index_col=False,
        skipinitialspace=True,
        keep_default_na=False,
        na_values=[],
        low_memory=False,
        decimal="," if separator == ";" else ".",
    )
    return table


def _cleaned(column: pd.Series) -> pd.Series:
    """Numbers where all are numbers but for a remark behind them; texts without blanks around them."""
    import pandas as pd

    if column.dtype.kind in "biuf":
        return column
    texts = column.astype(str).str.strip()
    bare = texts.str.replace(_REMARK, "", regex=True)
    numbers = pd.to_numeric(bare, errors="coerce")
    if len(bare) and numbers.notna().all() and not bare.str.contains("nan|inf", case=False).any():
        return numbers
    return texts


def _is_number(text: str) -> bool:
    """Whether a cell is a number, but for a remark behind it."""
    try:
        float(_REMARK.sub("", text))
    except ValueError:
        return False
    return True
