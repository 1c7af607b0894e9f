"""Edge lists as text: CSV and TSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.masks.formats.format import Format
from topograph.masks.limits import check_nodes
from topograph.masks.source import Source, array_entry

_SIZES = re.compile(r"#\s*(?P<left>\d{1,10})\s*(?:x|×|,|\s)\s*(?P<right>\d{1,10})\s*$")


@contextmanager
def open_edge_list(path: Path) -> Iterator[Source]:
    """The graph, under the file's name.

    Lines of input, output and, if there is one, weight; numbered from 0, separated by comma or tab.

    A first line of words is a header. A comment ``# 784 x 300`` gives the numbers of inputs and outputs; without it
    they are one more than the largest number seen.
    """
    matrix = _read_edges(path)
    yield Source(str(path), (array_entry(path.stem, matrix.shape, lambda: matrix, "edge list, input → output"),))


def _read_edges(path: Path) -> Any:
    size = path.stat().st_size
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    shape, first = _preamble(path)
    header = 0 if first and not _is_number(first.split(separator)[0]) else None
    if not first:
        raise InvalidMaskError("is empty; an edge list has a line 'input,output' for each edge")
    table = pd.read_csv(path, sep=separator, header=header, comment="#", skipinitialspace=True, dtype=np.float64)
    if table.shape[1] not in (2, 3):
        raise InvalidMaskError(
            f"has {table.shape[1]} columns, but an edge list has two (input, output) or three (input, output, weight); "
            "save a dense matrix as .npy"
        )
    columns = [_whole_numbers(table.iloc[:, side], word) for side, word in enumerate(("input", "output"))]
    if shape is None:
        shape = tuple(int(column.max()) + 1 if column.size else 0 for column in columns)  # type: ignore[assignment]
    assert shape is not None
    check_nodes(shape, size)
    for column, side, word in zip(columns, shape, ("input", "output"), strict=True):
        if column.size and column.max() >= side:
            raise InvalidMaskError(f"names the {word} {column.max()}, but says there are {side}, numbered from 0")
    pairs = np.stack(columns, axis=1)
    if len(np.unique(pairs, axis=0)) != len(pairs):
        raise InvalidMaskError("holds an edge twice; each pair of input and output stands once")
    weights = table.iloc[:, 2].to_numpy() if table.shape[1] == 3 else np.ones(len(pairs), dtype=bool)
    return sp.coo_array((weights, (columns[0], columns[1])), shape=shape)


def _preamble(path: Path) -> tuple[tuple[int, int] | None, str]:
    """The sizes from the comments at the top, if they say them, and the first line that is not a comment."""
    shape = None
    with path.open(encoding="utf-8") as file:
        while line := file.readline(1 << 16):
            if not line.lstrip().startswith("#"):
                if line.strip():
                    return shape, line.strip()
                continue
            sizes = _SIZES.match(line.strip())
            if sizes:
                shape = int(sizes["left"]), int(sizes["right"])
    return shape, ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _whole_numbers(column: pd.Series, word: str) -> Any:
    values = column.to_numpy()
    if not (np.isfinite(values).all() and (values >= 0).all() and (values == np.floor(values)).all()):
        raise InvalidMaskError(f"the {word}s must be whole numbers from 0")
    if values.size and values.max() >= 2**31:
        raise InvalidMaskError(f"names the {word} {values.max():.0f}, more than an array can number")
    return values.astype(np.int64)


def _write_samples(folder: Path) -> None:
    (folder / "edges.csv").write_text("# 6 x 4\ninput,output,weight\n0,1,0.5\n5,3,-1\n2,2,0\n")
    (folder / "edges.tsv").write_text("0\t1\n3\t2\n5\t0\n")


FORMAT = Format(
    "edge_list",
    (".csv", ".tsv"),
    "an edge list: input, output and, if there is one, weight; numbered from 0",
    open_edge_list,
    _write_samples,
)
