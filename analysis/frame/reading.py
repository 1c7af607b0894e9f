"""Files of tables, read so that names stay text and only numbers become numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Literal

import pandas as pd

from topograph.errors import InvalidParameterError, StoreError

_PACKED = (".gz", ".bz2", ".xz", ".zip")
ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
_MISSING = frozenset(["", "NA", "N/A", "n/a", "na", "NaN", "nan", "null", "NULL", "None", "none", "#N/A", "?", "-"])
_SQLITE = b"SQLite format 3"
_COMMA = re.compile(r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?\s*%?")


def is_table(path: Path) -> bool:
    """Whether a file's name ends as a table's does, such as ``.csv`` or ``.csv.gz``.

    Examples
    --------
    >>> [is_table(Path(name)) for name in ("t.csv", "t.TSV", "t.csv.gz", "t.sqlite")]
    [True, True, True, False]
    """
    return _ending(path) in ENDINGS


def is_store(path: Path) -> bool:
    """Whether an existing file is an SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def read_table(path: Path) -> pd.DataFrame:
    """A table as text where the format has no types, as it is where it has.

    Raises
    ------
    StoreError
        When the file is missing or cannot be read.
    """
    if not path.is_file():
        raise StoreError(f"{path}: no such file")
    ending = _ending(path)
    try:
        if ending == ".parquet":
            return pd.read_parquet(path)
        if ending in (".json", ".jsonl"):
            return pd.read_json(path, dtype=False, precise_float=True, lines=ending == ".jsonl")
        separators = ("\t", ",") if ending == ".tsv" else (",", ";", "\t", "|")
        columns = {separator: _read_text(path, separator, rows=0).shape[1] for separator in separators}
        best = next((s for s in separators if columns[s] > 1), separators[0])
        header = _read_text(path, best, rows=1, header=None).iloc[0]
        doubled = header[header.duplicated() & (header != "")]
        if len(doubled):
            raise InvalidParameterError(f"{path} has the column {doubled.iloc[0]!r} twice; rename one")
        table = _read_text(path, best)
        return table if best == "," else table.apply(_with_points)
    except InvalidParameterError:
        raise
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is not UTF-8 text: {error}; save it as UTF-8") from error
    except Exception as error:  # pandas and its engines raise errors of many kinds
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreError(f"{path} cannot be read as a table: {first}") from error


def _read_text(
    path: Path, separator: str, rows: int | None = None, header: Literal["infer"] | None = "infer"
) -> pd.DataFrame:
    return pd.read_csv(
        path,
        sep=separator,
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig",
        nrows=rows,
        header=header,
        skipinitialspace=separator != "\t",
    )


def _with_points(values: pd.Series) -> pd.Series:
    """Numbers with decimal commas, as some spreadsheets write them beside semicolons, as numbers with points."""
    text = values.str.strip()
    known = text[~text.isin(_MISSING)]
    if known.empty or not known.str.contains(",").any() or not known.map(lambda v: bool(_COMMA.fullmatch(v))).all():
        return values
    return text.str.replace(",", ".")


def _ending(path: Path) -> str:
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix


def as_text(values: pd.Series) -> pd.Series:
    """Names as text; what is missing stays so.

    Examples
    --------
    >>> as_text(pd.Series([1, None])).tolist(), as_text(pd.Series(["001", ""])).tolist()
    (['1', None], ['001', None])
    """
    known = values.notna()
    text = [_text(value) if k else None for value, k in zip(values, known, strict=True)]
    return pd.Series([value or None for value in text], index=values.index, dtype=object)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def as_numbers(values: pd.Series) -> pd.Series:
    """A column of text as numbers, where all that is not missing is one; else as it is, an empty text as missing.

    Percentages, where all values are, become shares.

    Examples
    --------
    >>> as_numbers(pd.Series(["0.5", "NA", "-inf"])).tolist(), as_numbers(pd.Series(["adam", "null"])).tolist()
    ([0.5, nan, -inf], ['adam', 'null'])
    >>> as_numbers(pd.Series(["93.5 %", "7%"])).tolist(), as_numbers(pd.Series([0.5, "n/a"], dtype=object)).tolist()
    ([0.935, 0.07], [0.5, nan])
    """
    if pd.api.types.is_numeric_dtype(values):
        return values
    if isinstance(values.dtype, pd.CategoricalDtype):
        if pd.api.types.is_numeric_dtype(values.cat.categories):  # numbers that were declared to be names
            return values
        values = values.astype(object)
    kinds = {type(value) for value in values.dropna()}
    numeric = {kind for kind in kinds if kind is not bool and issubclass(kind, Real | Decimal)}
    if kinds and kinds == numeric:  # a column of objects, as a list with None or decimal numbers makes it
        return values.astype(float)
    if not all(kind in numeric or issubclass(kind, str) for kind in kinds):
        return values
    text = values.map(str, na_action="ignore").fillna("").astype(str).str.strip()
    missing = text.isin(_MISSING)
    if not missing.all() and text[~missing].isin({"True", "False"}).all() and not missing.any():
        return text == "True"
    percent = not missing.all() and bool(text[~missing].str.endswith("%").all())
    numbers = pd.to_numeric(text.where(~missing).str.removesuffix("%"), errors="coerce") / (100 if percent else 1)
    if (
        not percent and text.str.endswith("%").any()
    ):  # a share here, a percentage there: which is which is not ours to say
        numbers = numbers.where(~text.str.endswith("%"))
    if (numbers.notna() | missing).all() and not missing.all():
        return numbers
    return pd.Series(numbers.where(missing, None) if missing.all() else text.where(text != "", None))
