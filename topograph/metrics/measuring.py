"""`measure`: any mask in, a table of metrics out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

from topograph.checks import check_integer
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.masks.layers import read_layers
from topograph.masks.live import kind_of
from topograph.masks.loading import open_source
from topograph.masks.maskset import MaskSet, nothing_read
from topograph.masks.options import Reading, ReadingOptions
from topograph.metrics.chunks import Item, measure_stream
from topograph.metrics.measured import Measured, Record
from topograph.metrics.metric import Metric, Value
from topograph.metrics.registry import select_metrics
from topograph.topology import Topology

if TYPE_CHECKING:
    import pandas as pd

LONG_COLUMNS = ("layer", "metric", "value", "residual", "reason")


def measure(
    source: Any,
    metrics: str | Iterable[str] | None = None,
    *,
    long: bool = False,
    progress: bool | None = None,
    workers: int | None = None,
    null: str | None = None,
    example: Any = None,
    **options: Unpack[ReadingOptions],
) -> pd.DataFrame:
    """Compute graph metrics of anything that holds masks.

    Files and models are read a few layers at a time, and each graph is dropped once it is measured: the memory needed
    is that of the largest layers, not of the model. The spectrum that many metrics read is computed once per graph;
    tiny layers of one shape are solved together.

    Parameters
    ----------
    source
        A `BipartiteGraph`, a `Topology`, a `MaskSet`, a mask (dense array or SciPy sparse matrix, rows are inputs), a
        mapping from names to masks, a list of graphs, a graph of networkx or igraph, a live PyTorch or Keras model, a
        state dict, or the path of a file or a folder; see `topograph.load`. A mapping from names (of files, of epochs)
        to such sources is measured one by one.
    metrics
        Names of metrics or of groups: a theme (``"degrees"``, ``"spectral"``, ``"paths"``, …; see ``topograph list
        metrics``), ``"short"``, the default: sizes, density, mean degrees, isolated neurons, components, λ2, the
        normalised gap and the Ramanujan ratio; ``"fast"``: all of degrees, components, spectral gaps and Ramanujan
        measures, at most linear in the edges beyond the spectrum; or ``"all"``. More expensive metrics, those of
        weights, and those of the paths through a whole network (``"network"``) are computed when they are asked for.
    long
        A tidy table instead: one row per layer and metric, with the value's residual (or error) and reason;
        ``attrs["conventions"]`` has the definition of each metric.
    progress
        Whether to show a bar over the layers; by default in a terminal, when it takes more than two seconds.
    workers
        Processes that share the layers. By default one; one per core when much work remains.
    null
        Compare each value with those of random graphs instead: ``"rewired"``, ``"layerwise"``, …; the table is then
        that of `topograph.compare_with_null`, which says more.
    example
        For a live model of PyTorch, or of Keras on PyTorch: a batch of inputs (the first is taken), a tuple of them for
        several arguments, a mapping for named ones, or the shape of one sample. The table then has the row
        ``"network"`` for the graph of the whole model, whatever it is made of; see `topograph.network_graph`.
    **options
        What is an edge, which layers, how convolutions unfold: the fields of `topograph.masks.Reading`.

    Returns
    -------
    pandas.DataFrame
        One row per layer and, for a topology or with ``example``, a row ``"network"`` for all its neurons as one graph
        and for the metrics of a chain. One column per metric, counts as whole numbers (``<NA>`` where there is none),
        and ``reason``: why a value is undefined, empty when none is. From a file or a model there is also ``read_as``:
        the orientation, unfolding and edge rule of each layer; the tidy table has the same as ``attrs["read_as"]``.
        What is not a mask has no row: ``attrs["left_out"]`` maps it to the reason, so that nothing is skipped in
        silence. For a mapping of sources the rows have a first level ``source``.

    Raises
    ------
    InvalidMaskError, InvalidParameterError, UnknownNameError

    Examples
    --------
    >>> measure([[1, 1, 0], [0, 1, 1]], metrics=["n_edges", "algebraic_connectivity"]).round(3)
           n_edges  algebraic_connectivity reason
    layer
    graph        4                   0.382

    Metrics that need weights find them in a weight matrix:

    >>> measure([[3.0, 0.0], [-1.0, 2.0]], metrics=["weighted_gap"]).round(3)
           weighted_gap reason
    layer
    graph         1.414
    """
    if null is not None:
        if example is not None:
            raise InvalidParameterError("null= compares layers with random graphs; leave out example= or null=")
        from topograph.design import compare_with_null  # the one arrow up: a short form for it

        return compare_with_null(source, metrics, null=null, workers=workers, **options)
    reading = Reading.of(options)
    chosen = select_metrics("short" if metrics is None else metrics)
    if workers is not None:
        workers = check_integer("workers", workers, low=1)
    return by_source(source, lambda one: _measure(one, reading, chosen, long, progress, workers, example))


def by_source(source: Any, table_of: Callable[[Any], pd.DataFrame]) -> pd.DataFrame:
    """The table of a source; for a mapping of several, all their tables with a first level ``source``.

    A mapping of mere matrices or graphs is one source: a set of masks.
    """
    import pandas as pd

    if not _holds_sources(source):
        return table_of(source)
    tables = {name: table_of(one) for name, one in source.items()}
    table = pd.concat(tables, names=["source"])
    if table.index.names[-1] is None:  # a tidy table numbers its rows
        table = table.reset_index(level="source").reset_index(drop=True)
    for key in {key for one in tables.values() for key in one.attrs}:
        values = {name: one.attrs.get(key) for name, one in tables.items()}
        same = all(value == next(iter(values.values())) for value in values.values())
        table.attrs[key] = next(iter(values.values())) if same else values
    return table


def _holds_sources(source: Any) -> bool:
    if not isinstance(source, Mapping) or isinstance(source, MaskSet) or sp.issparse(source):  # SciPy's dok is a dict
        return False
    several = [not _is_matrix(value) and _is_source(value) for value in source.values()]
    return any(several) and all(
        is_one or _is_matrix(value) for is_one, value in zip(several, source.values(), strict=True)
    )


def _is_source(value: Any) -> bool:
    """Whether a value of a mapping is a source of its own, and not one mask."""
    return isinstance(value, (str, os.PathLike, Topology, Mapping)) or kind_of(value) is not None


def _is_matrix(value: Any) -> bool:
    return isinstance(value, (BipartiteGraph, np.ndarray)) or sp.issparse(value)


def _measure(
    source: Any,
    reading: Reading,
    chosen: list[Metric],
    long: bool,
    progress: bool | None,
    workers: int | None,
    example: Any,
) -> pd.DataFrame:
    """The table of one source."""
    import pandas as pd

    with_weights = any(metric.needs == "weights" for metric in chosen)
    names = [metric.name for metric in chosen]
    parts: list[Measured] = []
    left_out: dict[str, str] = {}
    read_as: dict[str, str] = {}
    chain: list[BipartiteGraph] = []
    with open_source(source) as opened:
        total = len(opened.entries)

        def items() -> Iterator[Item]:
            for layer in read_layers(opened, reading, with_weights=with_weights):
                if layer.graph is None:
                    left_out[layer.name] = layer.reason
                    bar.update()
                    continue
                if layer.read_as:
                    read_as[layer.name] = layer.read_as
                if opened.is_chain:
                    chain.append(layer.graph)
                yield Item(layer.name, layer.graph, layer.weights)

        hidden = None if progress is None else not progress
        with tqdm(total=total, unit="layer", delay=2, disable=hidden) as bar:
            for part in measure_stream(items(), chosen, total=total, workers=workers):
                parts.append(part)
                bar.update(len(part))
        # a file of an optimizer's state is understood, and its table says so; a file that cannot be read is an error
        judged = [entry for entry in opened.entries if entry.read is not None and not entry.needs_orientation]
        understood = reading.include is None and bool(judged) and all(entry.reason for entry in judged)
        if not parts and not understood:
            raise nothing_read(opened.label, left_out)
    if chain and len(chain) == total:
        parts.append(Measured.of(network_records(Topology(chain), chosen), names))
    elif example is not None:
        from topograph.model_graph.row import model_records  # the one that knows models

        parts.append(Measured.of(model_records(source, example, reading, chosen), names))
    measured = Measured.joined(parts, names)
    if long:
        table = pd.DataFrame(list(measured), columns=list(LONG_COLUMNS))
        table.attrs["read_as"], table.attrs["left_out"] = read_as, left_out
        table.attrs["conventions"] = {metric.name: metric.summary for metric in chosen}
        return table
    wide = wide_table(measured, [metric.name for metric in chosen if metric.integer])
    wide.attrs["left_out"] = left_out
    if read_as:
        wide["read_as"] = pd.Series(read_as, dtype=object).reindex(wide.index, fill_value="")
    return wide


def network_records(topology: Topology, metrics: Sequence[Metric]) -> list[Record]:
    """Records of the row ``"network"``."""
    whole = topology.as_graph()
    records: list[Record] = []
    for metric in metrics:
        if metric.needs == "chain":
            value = metric.compute(topology)
        elif metric.name == "density":  # the one notion of size that the graph of all neurons cannot know
            value = Value(topology.density)
        elif metric.network:
            value = metric.compute(whole)
        else:
            value = Value.undefined("defined for a layer, not for a network")
        records.append(("network", metric.name, float(value.value), float(value.residual), value.reason))
    return records


def wide_table(measured: Measured, integers: Iterable[str] = ()) -> pd.DataFrame:
    """One row per layer."""
    import pandas as pd

    table = pd.DataFrame(measured.values, index=pd.Index(measured.layers, name="layer"), columns=measured.metrics)
    table = table.astype({name: "int64" if table[name].notna().all() else "Int64" for name in integers})
    table["reason"] = measured.reasons_by_layer()
    return table
