"""Edge lists as text: separated by commas, semicolons, tabs or blanks; KONECT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from topograph.errors import InvalidMaskError
from topograph.limits import check_nodes
from topograph.masks.edge_lists.columns import Roles, roles_of
from topograph.masks.edge_lists.numbering import number_ends
from topograph.masks.edge_lists.reading import EdgeTable, read_table
from topograph.masks.formats.format import Format
from topograph.masks.layout import keras_layout
from topograph.masks.source import Entry, Source

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def open_edge_list(path: Path) -> Iterator[Source]:
    """The graph under the file's name, or one graph for each value of a column ``layer``.

    Lines of input, output and, if there is one, weight. A header says which column is which (``input``, ``source``,
    ``from``, …; ``output``, ``target``, ``to``, …; ``weight``; ``mask`` or ``pruned`` for flags); without it they stand
    in this order. Neurons are numbers or names. Numbers begin with 0, unless a comment ``# 784 x 300, numbered from 1``
    says otherwise or every neuron but 0 has an edge; the comment gives the numbers of inputs and outputs, which are
    otherwise one more than the largest number. Whatever has two readings is refused.
    """
    table = read_table(path)
    roles = roles_of(table.header, table.columns)
    size = path.stat().st_size
    if roles.layer is None or table.columns[roles.layer].nunique() < 2:
        entries = [_entry(path.stem, table, roles, slice(None), size)]
    else:
        layers = table.columns[roles.layer].astype(str)
        entries = [_entry(name, table, roles, (layers == name).to_numpy(), size) for name in layers.unique()]
    yield Source(str(path), tuple(entries))


def _entry(name: str, table: EdgeTable, roles: Roles, rows: Any, file_bytes: int) -> Entry:
    columns = [column[rows] for column in table.columns]
    ends = number_ends(
        columns[roles.source],
        columns[roles.target],
        table.sizes,
        table.first,
        sided=roles.sided,
        file_bytes=file_bytes,
    )
    shape = ends.left.size, ends.right.size
    check_nodes(shape, file_bytes)
    left, right = ends.left.numbers, ends.right.numbers
    keys = left * np.int64(shape[1]) + right
    if np.unique(keys).size != keys.size:
        raise InvalidMaskError("holds an edge twice; each pair of input and output stands once")
    matrix = sp.coo_array((_weights(columns, roles), (left, right)), shape=shape)
    words = "; ".join(["edge list, input → output", *roles.notes, *ends.notes])
    return Entry(name, lambda: matrix, keras_layout(2, words=words), labels=(ends.left.labels, ends.right.labels))


def _weights(columns: list[pd.Series], roles: Roles) -> Any:
    if roles.weight is None:
        values = np.ones(len(columns[0]), dtype=bool)
    else:
        values = _numbers(columns[roles.weight], "weights")
    if roles.dropped is not None:
        values = np.where(_numbers(columns[roles.dropped], "flags") != 0, 0, values)
    return values


def _numbers(column: pd.Series, word: str) -> Any:
    values = column.to_numpy()
    if values.dtype.kind in "biuf":
        return values
    try:
        return values.astype(np.float64)
    except ValueError:
        flags = column.str.lower().map({"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0})
        if flags.isna().any():
            bad = column[flags.isna()].iloc[0]
            raise InvalidMaskError(f"the {word} must be numbers, but one is {bad!r}") from None
        return flags.to_numpy(dtype=np.float64)


def _write_samples(folder: Path) -> None:
    (folder / "edges.csv").write_text("# 6 x 4\ninput,output,weight\n0,1,0.5\n5,3,-1\n2,2,0\n")
    (folder / "edges.tsv").write_text("0\t2\n3\t1\n5\t0\n")
    (folder / "edges.edges").write_text("% bip unweighted\n% 3 3 2\n1 1\n2 2\n3 1\n")
    (folder / "names.csv").write_text("source,target\nTP53,apoptosis\nEGFR,growth\nEGFR,apoptosis\n")


FORMAT = Format(
    "edge_list",
    (".csv", ".tsv", ".edges", ".edgelist", ".konect", ".txt"),
    "an edge list: input, output and, if there is one, weight; numbers or names",
    open_edge_list,
    _write_samples,
)
