"""`load` and `open_source`: any file, folder or model, through one door."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import scipy.sparse as sp

from topograph.doors import frame_labels
from topograph.errors import InvalidMaskError
from topograph.graph import BipartiteGraph
from topograph.labels import numbers
from topograph.masks.formats.registry import format_of
from topograph.masks.layers import read_layers
from topograph.masks.layout import IN_OUT, OUT_IN
from topograph.masks.live import kind_of
from topograph.masks.maskset import MaskSet, mask_set_source
from topograph.masks.options import Reading, ReadingOptions
from topograph.masks.source import Entry, Source, array_entry, faults_of, graph_entry
from topograph.masks.state_dicts import state_entries
from topograph.masks.torch.checkpoints import tensor_table
from topograph.masks.torch.leaves import leaves
from topograph.matrices import as_matrix, is_tensor
from topograph.topology import Topology


def load(source: Any, **options: Unpack[ReadingOptions]) -> MaskSet:
    """Read every mask of a file, a folder or a live model; `topograph.masks.describe_formats` lists what can be read.

    Nothing in a file is executed: no pickle, no code. Each format's own orientation is turned to inputs × outputs, and
    `MaskSet.read_as` says how; `MaskSet.left_out` says what was not read, and why.

    Parameters
    ----------
    source
        A path or a live model.
    **options
        Which weights are edges, which layers are read, how convolutions unfold: the fields of `Reading`.

    Raises
    ------
    InvalidMaskError
        When the file is missing, of another kind, broken or hostile; the message names the file and the fault.
    MissingDependencyError
        When the format needs a package that is not installed; the message names the extra.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "mask.npy")
    >>> np.save(path, np.eye(3))
    >>> load(path)
    MaskSet(mask: 3 × 3)
    """
    reading = Reading.of(options)
    with open_source(source) as opened:
        return MaskSet.from_layers(opened.label, read_layers(opened, reading), is_chain=opened.is_chain)


@contextmanager
def open_source(source: Any) -> Iterator[Source]:
    """See what a source holds, without reading it yet: a path, a live model, graphs, or arrays."""
    with ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            path = Path(source)
            with faults_of(str(path)):
                opened = stack.enter_context(_open_path(path))
        else:
            opened = live_source(source)
        yield opened


def _open_path(path: Path) -> AbstractContextManager[Source]:
    chosen = format_of(path)
    if not path.exists():
        raise InvalidMaskError(f"{path}: no such file")
    return chosen.open(path)


def live_source(source: Any) -> Source:
    """Something in memory as a source."""
    if isinstance(source, Topology):
        source = MaskSet.from_topology(source)
    if isinstance(source, MaskSet):
        return mask_set_source(source)
    kind = kind_of(source)
    if kind is not None:
        return kind.source(source)
    if isinstance(source, Mapping) and not sp.issparse(source):
        return _mapping_source(source)
    if isinstance(source, (list, tuple)) and source and all(isinstance(item, BipartiteGraph) for item in source):
        return Source("the list of graphs", tuple(graph_entry(str(n), graph) for n, graph in enumerate(source)))
    if isinstance(source, BipartiteGraph):
        return Source("the graph", (graph_entry("graph", source),))
    if isinstance(source, (list, tuple)) and _holds_layers(source):
        raise InvalidMaskError(
            f"the {type(source).__name__} holds several arrays; give them names, such as by dict(enumerate(arrays))"
        )
    return Source("the mask", (_matrix_entry("graph", source),))


def _holds_layers(items: Any, depth: int = 3) -> bool:
    """Whether there are whole matrices or mappings in a list, rather than rows of numbers."""
    if isinstance(items, Mapping) or getattr(items, "ndim", 0) >= 2:
        return True
    return isinstance(items, (list, tuple)) and depth > 0 and any(_holds_layers(item, depth - 1) for item in items[:64])


def _mapping_source(arrays: Mapping[Any, Any]) -> Source:
    """Graphs, arrays and tensors by name, also in nested mappings."""
    graphs = {str(name): graph for name, graph in arrays.items() if isinstance(graph, BipartiteGraph)}
    others = {name: _array(value) for name, value in arrays.items() if str(name) not in graphs}
    orientation = OUT_IN if any(is_tensor(value) for _, value in leaves(others)) else IN_OUT
    table = {name: stored for name, stored in tensor_table(others).items() if name not in graphs} if others else {}
    read = {entry.name: entry for entry in state_entries(table, orientation, bare=orientation == IN_OUT)}
    entries = [graph_entry(name, graph) for name, graph in graphs.items()]
    given = {str(name): value for name, value in others.items()}
    entries += [_named(_without_words(entry), given.get(entry.name)) for entry in read.values()]
    order = {str(name): number for number, name in enumerate(arrays)}
    entries.sort(key=lambda entry: order.get(entry.name, len(order)))
    return Source("the mapping", tuple(entries))


def _array(value: Any) -> Any:
    """Rows of numbers as an array; anything else as it is."""
    if not isinstance(value, (list, tuple)) or not value or not isinstance(value[0], (list, tuple)):
        return value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return value
    return array if array.dtype.kind in "biuf" else value


def _without_words(entry: Entry) -> Entry:
    """Arrays in memory that lie as everywhere here need no words on their orientation."""
    layout = entry.layout
    plain = layout is not None and layout.words == "inputs × outputs" and not entry.note
    return replace(entry, layout=replace(layout, words="")) if plain and layout is not None else entry


def _matrix_entry(name: str, source: Any) -> Entry:
    """A matrix in memory, inputs × outputs; anything else is left out with the reason."""
    try:
        matrix = as_matrix(source)
    except InvalidMaskError as error:
        return Entry.left_out(name, str(error))
    if matrix.ndim == 0:
        raise InvalidMaskError(
            f"a {type(source).__name__} holds no masks: give a path, a live model, an array, a graph, or a mapping of "
            "names to arrays"
        )
    return _named(array_entry(name, matrix.shape, lambda: matrix, words=""), source)


def _named(entry: Entry, source: Any) -> Entry:
    """The entry of a matrix with the names of its rows and columns, where a DataFrame has them."""
    if entry.read is None or not (hasattr(source, "iloc") and getattr(source, "ndim", 0) == 2):
        return entry
    try:
        labels = frame_labels(source)
        for names, what in zip(labels, ("the index", "the columns"), strict=True):
            numbers(names or (), what)
    except InvalidMaskError as error:  # the numbers stand without their names
        return replace(entry, note=f"without names: {error}")
    return replace(entry, labels=labels)
