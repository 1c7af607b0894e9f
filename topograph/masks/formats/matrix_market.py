"""MatrixMarket, parsed here: the common parsers crash the process on a malformed file."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.limits import check_expansion, check_nodes
from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.source import Source, array_entry

_FIELDS = ("real", "double", "integer", "unsigned-integer", "pattern")
_SYMMETRIES = ("general", "symmetric", "skew-symmetric")
_LONGEST_LINE = 1 << 16


@contextmanager
def open_matrix_market(path: Path) -> Iterator[Source]:
    """The matrix, under the file's name."""
    with _text(path) as (file, size):
        header = _header(file, size)
    name = path.stem.removesuffix(".mtx") if path.suffix.lower() == ".gz" else path.stem
    yield Source(str(path), (array_entry(name, header.shape, partial(_read, path)),))


@contextmanager
def _text(path: Path) -> Iterator[tuple[TextIO, int]]:
    """The text and its size in bytes, unpacked where the file is packed by gzip."""
    if path.suffix.lower() != ".gz":
        with path.open(encoding="utf-8") as file:
            yield file, path.stat().st_size
        return
    packed = path.stat().st_size
    with gzip.open(path) as stream, tempfile.TemporaryFile() as copy:
        size = 0
        while piece := stream.read(1 << 20):
            size += len(piece)
            check_expansion("the file", packed, size)
            copy.write(piece)
        copy.seek(0)
        yield io.TextIOWrapper(copy, encoding="utf-8"), size


@dataclass(frozen=True)
class _Header:
    """The content of the first lines."""

    is_array: bool
    field: str
    symmetry: str
    shape: tuple[int, int]
    entries: int


def _header(file: TextIO, size: int) -> _Header:
    banner = file.readline(_LONGEST_LINE).lower().split()
    if len(banner) != 5 or banner[:2] != ["%%matrixmarket", "matrix"] or banner[2] not in ("array", "coordinate"):
        raise InvalidMaskError("the first line must be '%%MatrixMarket matrix array|coordinate FIELD SYMMETRY'")
    is_array, field, symmetry = banner[2] == "array", banner[3], banner[4]
    if field not in _FIELDS or symmetry not in _SYMMETRIES or (is_array and field == "pattern"):
        raise InvalidMaskError(
            f"holds a {symmetry} {banner[2]} of {field}, but what can be read is {', '.join(_FIELDS)}; "
            f"{', '.join(_SYMMETRIES)}"
        )
    line = "%"
    while line.startswith("%") or not line.strip():
        line = file.readline(_LONGEST_LINE)
        if not line:
            raise InvalidMaskError("ends before the line of sizes")
    sizes = line.split()
    if len(sizes) != (2 if is_array else 3) or not all(s.isascii() and s.isdecimal() and len(s) < 19 for s in sizes):
        raise InvalidMaskError(
            f"the line of sizes must hold {2 if is_array else 3} whole numbers, but is {line[:80]!r}"
        )
    n_rows, n_columns, *rest = (int(text) for text in sizes)
    if symmetry != "general" and n_rows != n_columns:
        raise InvalidMaskError(f"a {symmetry} matrix is square, but this is {n_rows} × {n_columns}")
    if is_array:
        skipped = 0 if symmetry == "skew-symmetric" else 1
        entries = n_rows * n_columns if symmetry == "general" else n_rows * (n_rows - 1 + 2 * skipped) // 2
    else:
        entries = rest[0]
    shortest = 2 if is_array else 4  # "1" or "1 1", and the end of the line
    if entries * shortest > size + 1:
        raise InvalidMaskError(f"claims {entries} entries, but has only {size} bytes; the file is truncated")
    check_nodes((n_rows, n_columns), size)
    return _Header(is_array, field, symmetry, (n_rows, n_columns), entries)


def _read(path: Path) -> Any:
    with _text(path) as (file, size):
        header = _header(file, size)
        width = 1 if header.is_array else 2 if header.field == "pattern" else 3
        table = np.empty((0, width))
        if header.entries:
            table = np.loadtxt(file, dtype=np.float64, comments="%", ndmin=2)
    if table.shape != (header.entries, width):
        raise InvalidMaskError(f"says {header.entries} lines of {width} numbers follow, but there are {table.shape}")
    return _array(header, table.ravel()) if header.is_array else _coordinates(header, table)


def _array(header: _Header, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Columns one after the other; of a symmetric matrix the lower triangle."""
    if header.symmetry == "general":
        return values.reshape(header.shape[::-1]).T
    matrix = np.zeros(header.shape)
    columns, rows = np.triu_indices(header.shape[0], k=1 if header.symmetry == "skew-symmetric" else 0)
    matrix[rows, columns] = values
    matrix[columns, rows] = -values if header.symmetry == "skew-symmetric" else values
    return matrix


def _coordinates(header: _Header, table: npt.NDArray[np.float64]) -> Any:
    places = table[:, :2]
    if not (np.isfinite(places).all() and (places == np.floor(places)).all()):
        raise InvalidMaskError("rows and columns must be whole numbers")
    if places.size and ((places < 1).any() or (places > np.array(header.shape)).any()):
        raise InvalidMaskError(f"rows and columns are numbered from 1 to {header.shape}, but some lie outside")
    rows, columns = (places - 1).astype(np.int64).T
    values = np.ones(len(table)) if header.field == "pattern" else table[:, 2]
    if header.symmetry != "general":
        off = rows != columns
        mirrored = -values[off] if header.symmetry == "skew-symmetric" else values[off]
        rows, columns = np.concatenate([rows, columns[off]]), np.concatenate([columns, rows[off]])
        values = np.concatenate([values, mirrored])
    return sp.coo_array((values, (rows, columns)), shape=header.shape)


def _write_samples(folder: Path) -> None:
    import scipy.io

    scipy.io.mmwrite(folder / "coordinate.mtx", sp.coo_array(SAMPLE))
    scipy.io.mmwrite(folder / "array.mtx", SAMPLE)
    (folder / "packed.mtx.gz").write_bytes(gzip.compress((folder / "coordinate.mtx").read_bytes(), mtime=0))


FORMAT = Format(
    "matrix_market", (".mtx", ".mtx.gz"), "a MatrixMarket matrix, inputs × outputs", open_matrix_market, _write_samples
)
