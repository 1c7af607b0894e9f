"""`compare_masks`: two masks, models or files in, a table of their distances out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

from topograph.errors import InvalidMaskError, TopologyMismatchError
from topograph.graph import BipartiteGraph
from topograph.masks.layers import read_layers
from topograph.masks.loading import open_source
from topograph.masks.maskset import MaskSet
from topograph.masks.options import Reading, ReadingOptions
from topograph.metrics.measured import Measured
from topograph.metrics.measuring import LONG_COLUMNS, wide_table
from topograph.metrics.registry import select_comparisons
from topograph.topology import Topology

if TYPE_CHECKING:
    import pandas as pd


def compare_masks(
    first: Any,
    second: Any,
    metrics: str | Iterable[str] | None = None,
    *,
    long: bool = False,
    **options: Unpack[ReadingOptions],
) -> pd.DataFrame:
    """Compare two masks layer by layer, and as whole networks where they are chains.

    Parameters
    ----------
    first, second
        Whatever `topograph.load` or `topograph.measure` reads: masks, graphs, topologies, models, paths. Layers are
        compared by name; two sources of one layer each are compared whatever its name.
    metrics
        Names among those of `describe_comparisons`, or ``"fast"``, ``"all"``. By default the fast ones, linear in the
        edges: ``overlap``, ``jaccard``, ``hamming``, ``density_distance``, ``degree_distance``. By name: ``nnstd``
        (matches neurons optimally, m³ for m neurons per layer), ``nnstd_greedy`` (m² log m), ``spectral_distance``.
    long
        A tidy table instead: one row per layer and metric, with residual and reason.
    **options
        How both sources are read: the fields of `topograph.masks.Reading`.

    Returns
    -------
    pandas.DataFrame
        One row per layer, compared alone, and, for two topologies, a row ``"network"``; one column per metric, and
        ``reason``.

    Raises
    ------
    TopologyMismatchError
        When the sources have no layer in common, or one of different shapes.
    InvalidMaskError, InvalidParameterError, UnknownNameError

    Examples
    --------
    >>> compare_masks([[1, 1], [0, 1]], [[1, 0], [0, 1]], metrics=["overlap", "jaccard"]).round(3)
           overlap  jaccard reason
    layer
    graph      1.0    0.667
    """
    import pandas as pd

    chosen = select_comparisons(metrics)
    reading = Reading.of(options)
    one, other = _read(first, reading), _read(second, reading)
    rows: list[tuple[str, Topology, Topology]] = []
    for name, mine, theirs in _pairs(one, other):
        if mine.shape != theirs.shape:
            raise TopologyMismatchError(
                f"layer {name!r} has shape {mine.shape} in the first source and {theirs.shape} in the second; masks to "
                "compare must have one shape"
            )
        rows.append((name, Topology([mine]), Topology([theirs])))
    if one.is_chain and other.is_chain and len(rows) == len(one) == len(other):
        rows.append(("network", Topology(one.values()), Topology(other.values())))
    records = []
    for name, mine_chain, their_chain in rows:
        for comparison in chosen:
            value = comparison.compute(mine_chain, their_chain)
            records.append((name, comparison.name, value.value, value.residual, value.reason))
    if long:
        table = pd.DataFrame(records, columns=list(LONG_COLUMNS))
        table.attrs["conventions"] = {comparison.name: comparison.summary for comparison in chosen}
        return table
    return wide_table(Measured.of(records, [comparison.name for comparison in chosen]))


def _read(source: Any, reading: Reading) -> MaskSet:
    with open_source(source) as opened:
        return MaskSet.from_layers(opened.label, read_layers(opened, reading), is_chain=opened.is_chain)


def _pairs(one: MaskSet, other: MaskSet) -> list[tuple[str, BipartiteGraph, BipartiteGraph]]:
    if len(one) == len(other) == 1:
        return [(name, graph, next(iter(other.values()))) for name, graph in one.items()]
    shared = [name for name in one if name in other]
    if not shared:
        raise TopologyMismatchError(
            f"the sources have no layer in common: {', '.join(list(one)[:5])} … and {', '.join(list(other)[:5])} …; "
            "pass mappings from names to masks to say which belong together"
        )
    left = [name for name in [*one, *other] if name not in shared]
    if left:
        raise InvalidMaskError(
            f"{len(left)} layers are in one source only, first {left[0]!r}; pass exclude= or include= to say what to "
            "compare"
        )
    return [(name, one[name], other[name]) for name in shared]
