"""`read_layers`: the layers of a source as graphs, one at a time. Memory is bounded by the largest of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.errors import InvalidMaskError, InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.masks.edge_rule import NON_ZERO, EdgeRule, check_numbers, largest
from topograph.masks.layout import OUT_IN, Layout, expert_layout, layout_of
from topograph.masks.options import Reading
from topograph.masks.source import Entry, Source, faults_of
from topograph.masks.unfold import block_graph, check_sides, over_taps, unrolled_graph


@dataclass(frozen=True)
class Layer:
    """One layer that was read, or why it was not.

    Parameters
    ----------
    name
        Its name in the source.
    graph
        Its edges; None when it was left out.
    read_as
        Orientation, unfolding and edge rule, in words.
    reason
        Why it was left out; empty otherwise.
    weights
        The magnitude of the weight on each edge, in the order of ``graph.edges()``; None when they were not asked for,
        and where there are none: a mask says only which weights there are.
    """

    name: str
    graph: BipartiteGraph | None
    read_as: str = ""
    reason: str = ""
    weights: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class _Judged:
    """The weights that the edge rule judges, the layer's size, and the ways from the rule to the graph.

    ``edges_of`` gives the weights on the graph's edges, in their order; None for a mere mask.
    """

    weights: npt.NDArray[Any]
    size: int
    graph_of: Callable[[EdgeRule], BipartiteGraph]
    edges_of: Callable[[EdgeRule], npt.NDArray[np.float64] | None]


def read_layers(source: Source, reading: Reading, *, with_weights: bool = False) -> Iterator[Layer]:
    """Read a source layer by layer; everything it holds appears, as a graph or with the reason why not.

    Raises
    ------
    InvalidMaskError
        When the source itself is broken: the message names it and the fault.
    """
    rules = _global_rules(source, reading) if reading.scope == "global" else {}
    for entry in source.entries:
        reason = _reason(entry, reading)
        if reason:
            yield Layer(entry.name, None, reason=reason)
            continue
        with faults_of(f"{source.label}: {entry.name}"):
            layer = _read(entry, reading, rules.get(entry.name), with_weights)
        yield layer


def _reason(entry: Entry, reading: Reading) -> str:
    if entry.read is None or (entry.needs_orientation and reading.orientation is None):
        return entry.reason
    if entry.needs_orientation:
        return reading.verdict(entry.name)
    reason = entry.reason
    if not reason and entry.doubt and reading.scope == "global":
        reason = f"{entry.doubt}; left out of a density over all layers, include it by name to count it"
    return reading.verdict(entry.name, reason)


def _read(entry: Entry, reading: Reading, rule: EdgeRule | None, with_weights: bool) -> Layer:
    assert entry.read is not None
    weights = entry.weights if reading.by_magnitude and entry.weights is not None else entry.read
    try:
        values = weights()
    except InvalidMaskError as error:  # one damaged or odd tensor: the others still stand
        return Layer(entry.name, None, reason=str(error))
    if isinstance(values, BipartiteGraph):
        if reading.by_magnitude:
            raise InvalidParameterError(f"threshold and density need weights, but {entry.name} has only edges")
        return Layer(entry.name, values, entry.note)
    layout = _layout(entry, values, reading)
    try:
        judged = _prepare(values, layout, reading)
        rule = _rule(judged, reading) if rule is None else rule
        edges = _edge_weights(entry, judged, rule, layout, reading) if with_weights else None
        graph = judged.graph_of(rule)
        if entry.labels != (None, None):
            graph = graph.labelled(*(reversed(entry.labels) if layout.inputs == (1,) else entry.labels))
    except (InvalidMaskError, InvalidParameterError) as error:  # this layer's own trouble: the others still stand
        return Layer(entry.name, None, reason=str(error))
    return Layer(entry.name, graph, _words(entry, values, layout, reading), weights=edges)


def _edge_weights(
    entry: Entry, judged: _Judged, rule: EdgeRule, layout: Layout, reading: Reading
) -> npt.NDArray[np.float64] | None:
    """Weights on the edges, with their signs; where a mask came with weights, those that it lets through."""
    if entry.weights is None or reading.by_magnitude:
        return judged.edges_of(rule)
    if reading.unfold == "unrolled" and layout.taps:
        return None
    keep = rule.keep(judged.weights)
    weights = over_taps(layout.blocks(entry.weights()), reading.unfold)
    return weights[keep].astype(np.float64) if weights.shape == keep.shape else None


def _layout(entry: Entry, values: Any, reading: Reading) -> Layout:
    """The layout of an entry, with what the caller knows better."""
    layout = entry.layout or layout_of(OUT_IN, values.ndim)
    geometry = reading.geometry_of(entry.name)
    if reading.orientation is not None and not layout.part:
        experts = bool(layout.batch) and values.ndim == 3
        layout = (
            expert_layout(reading.orientation)
            if experts
            else layout_of(reading.orientation, values.ndim, layout.geometry)
        )
    if layout.taps and geometry is not None:
        known = layout.geometry.updated(geometry) if layout.geometry is not None else geometry
        layout = replace(layout, geometry=known).grouped(geometry.groups)
    return layout


def _prepare(values: Any, layout: Layout, reading: Reading) -> _Judged:
    if sp.issparse(values):
        return _prepare_sparse(values, layout)
    check_numbers(values)
    if not values.size:
        raise InvalidMaskError(f"is empty: shape {tuple(values.shape)}")
    blocks = over_taps(layout.blocks(values), reading.unfold)

    def graph_of(rule: EdgeRule) -> BipartiteGraph:
        keep = rule.keep(blocks)
        if reading.unfold == "unrolled" and layout.taps:
            assert layout.geometry is not None
            return unrolled_graph(keep, layout.kernel_size(values.shape), layout.geometry)
        return block_graph(keep)

    def edges_of(rule: EdgeRule) -> npt.NDArray[np.float64] | None:
        if reading.unfold == "unrolled" and layout.taps:
            return None  # one weight lies on many edges there
        # rows are (group, input, tap) and columns (group, output), so the blocks hold the edges in their order
        return _as_weights(blocks[rule.keep(blocks)])

    return _Judged(blocks, blocks.size, graph_of, edges_of)


def _prepare_sparse(values: Any, layout: Layout) -> _Judged:
    if values.ndim != 2 or layout.taps or layout.batch or layout.part:
        raise InvalidMaskError(f"is sparse with shape {tuple(values.shape)}, but a sparse mask has two dimensions")
    check_numbers(values.data if values.format != "dok" else values.tocoo().data)
    check_sides(*values.shape)
    matrix = sp.csr_array(values.T if layout.inputs == (1,) else values, copy=True)
    matrix.sum_duplicates()
    check_numbers(matrix.data)

    def graph_of(rule: EdgeRule) -> BipartiteGraph:
        matrix.data = rule.keep(matrix.data)
        matrix.eliminate_zeros()
        return BipartiteGraph(matrix.shape[0], matrix.shape[1], matrix.indptr, matrix.indices)

    data = np.asarray(matrix.data)
    return _Judged(data, math.prod(matrix.shape), graph_of, lambda rule: _as_weights(data[rule.keep(data)]))


def _as_weights(values: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    """The weights; None where all are equal to 1 or booleans, as in a mask."""
    if values.dtype.kind == "b" or (values == 1).all():
        return None
    return values.astype(np.float64)


def _rule(judged: _Judged, reading: Reading) -> EdgeRule:
    if reading.density is not None:
        return largest(lambda: [(judged.weights, judged.size)], reading.density)[0]
    return NON_ZERO if reading.threshold is None else EdgeRule(reading.threshold)


def _global_rules(source: Source, reading: Reading) -> dict[str, EdgeRule]:
    """One cut for all layers; passes over the source several times, one layer at a time."""
    assert reading.density is not None
    names: list[str] = []

    def passes() -> Iterator[tuple[npt.NDArray[Any], int]]:
        names.clear()
        for entry in source.entries:
            if entry.read is None or _reason(entry, reading):
                continue
            with faults_of(f"{source.label}: {entry.name}"):
                try:
                    values = (entry.weights or entry.read)()
                    if isinstance(values, BipartiteGraph):
                        continue
                    judged = _prepare(values, _layout(entry, values, reading), reading)
                except (InvalidMaskError, InvalidParameterError):
                    continue
            names.append(entry.name)
            yield judged.weights, judged.size

    rules = largest(passes, reading.density)
    return dict(zip(names, rules, strict=True))


def _words(entry: Entry, values: Any, layout: Layout, reading: Reading) -> str:
    parts = [f"{layout.words}, turned" if layout.inputs > layout.outputs else layout.words]
    if layout.taps:
        parts.append(f"unfold={reading.unfold}")
    groups = layout.groups
    if groups > 1:
        parts.append(f"{groups} groups")
    if reading.threshold is not None:
        parts.append(f"|w| > {reading.threshold:g}")
    elif reading.density is not None:
        parts.append(f"largest {reading.density:g} ({reading.scope})")
    return "; ".join(part for part in [*parts, entry.note] if part)
