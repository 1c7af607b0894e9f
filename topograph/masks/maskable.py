"""`MaskableLayer`: a weight of a model, or its gate or head, as the shape of a graph; `find_layers` lists them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError, TopologyMismatchError
from topograph.graph import BipartiteGraph
from topograph.masks.layout import OUT_IN, Layout, layout_of
from topograph.masks.live import Mask
from topograph.masks.options import Reading
from topograph.masks.source import Entry, Source, faults_of
from topograph.masks.unfold import block_graph, check_sides


@dataclass(frozen=True)
class MaskableLayer:
    """One layer that can hold a mask: the shape of its graph, and where in its tensor each edge lies.

    The graph is the kernel unfolding that `topograph.load` reads: inputs are (group, input, tap), outputs are (group,
    output), and edges never join two groups.

    Parameters
    ----------
    name
        As `topograph.load` names it, such as ``"lstm.weight_ih_l0:cell"``.
    shape
        Of the whole stored tensor.
    layout
        Which axes of the tensor are inputs, taps and outputs; None for a layer that is a graph already.
    groups, inputs, taps, outputs
        Number of groups, and the sizes of each.
    kernel
        Sizes of the kernel; empty where there is none.
    words
        Orientation and unfolding, for the table.

    Examples
    --------
    >>> from topograph.masks.layout import torch_layout
    >>> layer = MaskableLayer.of("conv.weight", (8, 3, 5, 5), torch_layout(4))
    >>> layer.n_left, layer.n_right, layer.room
    (75, 8, 600)
    """

    name: str
    shape: tuple[int, ...]
    layout: Layout | None
    groups: int
    inputs: int
    taps: int
    outputs: int
    kernel: tuple[int, ...] = ()
    words: str = ""

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...], layout: Layout | None, words: str = "") -> MaskableLayer:
        """The layer that a layout makes of a tensor.

        Raises
        ------
        InvalidMaskError
            When the layout does not fit the shape.
        """
        if layout is None:
            n_left, n_right = shape
            return cls(name, shape, None, 1, n_left, 1, n_right, (), words)
        groups, inputs, taps, outputs = layout.blocks(np.broadcast_to(np.False_, shape)).shape
        check_sides(groups * inputs * taps, groups * outputs)
        return cls(name, shape, layout, groups, inputs, taps, outputs, layout.kernel_size(shape), words)

    @property
    def weight(self) -> str:
        """The name of the tensor: without the gate or the head."""
        return self.name.split(":")[0]

    @property
    def n_left(self) -> int:
        """Number of inputs of the graph."""
        return self.groups * self.inputs * self.taps

    @property
    def n_right(self) -> int:
        """Number of outputs of the graph."""
        return self.groups * self.outputs

    @property
    def room(self) -> int:
        """The number of weights, which is the most edges that the layer can have."""
        return self.groups * self.inputs * self.taps * self.outputs

    @property
    def is_batch(self) -> bool:
        """Whether its groups are layers of their own, such as experts, and not the groups of a convolution."""
        return self.layout is not None and bool(self.layout.batch)

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Where in the flat tensor each pair within a group lies: ``(n_left, outputs)``."""
        whole = np.arange(math.prod(self.shape)).reshape(self.shape)
        return np.ascontiguousarray(self.blocks(whole)).reshape(self.n_left, self.outputs)

    def places_of(self, graph: BipartiteGraph) -> npt.NDArray[np.int64]:
        """Where in the flat tensor the weight of each edge of a graph of the kernel unfolding lies, in its order.

        Examples
        --------
        >>> from topograph.masks.layout import torch_layout
        >>> layer = MaskableLayer.of("fc.weight", (2, 3), torch_layout(2))
        >>> layer.places_of(BipartiteGraph.from_mask([[1, 1], [0, 0], [0, 1]])).tolist()
        [0, 3, 5]
        """
        inputs, outputs = graph.edges().T
        return np.asarray(self.places[inputs, outputs % self.outputs])

    def blocks(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of the whole tensor, or scores, as ``(groups, inputs, taps, outputs)`` of this layer."""
        return values.reshape(1, self.inputs, 1, self.outputs) if self.layout is None else self.layout.blocks(values)

    def graph_of(self, mask: Mask) -> BipartiteGraph:
        """The layer's graph of a mask over the whole tensor."""
        return block_graph(self.blocks(np.asarray(mask, dtype=bool)))

    def draw(self, graph: BipartiteGraph, mask: Mask) -> None:
        """Set a mask over the whole tensor to the edges of a graph, where this layer lies; in place.

        Parameters
        ----------
        graph
            Of the kernel unfolding, or of the channel unfolding: an edge then keeps every tap.
        mask
            Of the tensor's shape.

        Raises
        ------
        TopologyMismatchError
            When the graph does not have the layer's shape, or joins two of its groups.
        """
        span = self._span_of(graph)
        source, output = np.repeat(np.arange(graph.n_left), graph.left_degrees), graph.indices
        group, row = np.divmod(source, self.inputs * span)
        if not np.array_equal(output // self.outputs, group):
            raise TopologyMismatchError(f"{self.name} has {self.groups} groups, but the graph has edges between them")
        channel, tap = np.divmod(row, span)
        column = output % self.outputs
        view = self.blocks(mask)
        drawn = view if np.shares_memory(view, mask) else np.empty(view.shape, dtype=bool)
        drawn[...] = False
        if span == self.taps:
            drawn[group, channel, tap, column] = True
        else:
            drawn[group, channel, :, column] = True
        if drawn is not view:
            places = self.blocks(np.arange(mask.size).reshape(mask.shape))
            mask.reshape(-1)[places] = drawn

    def _span_of(self, graph: BipartiteGraph) -> int:
        """How many taps an input of the graph numbers: all of them, or one for a graph of channels."""
        if graph.shape == (self.n_left, self.n_right):
            return self.taps
        channels = self.groups * self.inputs
        if graph.shape == (channels, self.n_right):
            return 1
        others = f" or {channels} × {self.n_right} (channels)" if self.taps > 1 else ""
        raise TopologyMismatchError(
            f"{self.name} takes a graph of {self.n_left} × {self.n_right}{others}, but got "
            f"{graph.n_left} × {graph.n_right}"
        )


def layer_of(entry: Entry) -> MaskableLayer:
    """An entry of a source as a layer; its tensor is read only where its shape is not known otherwise."""
    assert entry.read is not None
    shape, layout = entry.shape, entry.layout
    if shape is None:
        values = entry.read()
        if isinstance(values, BipartiteGraph):
            return MaskableLayer.of(entry.name, values.shape, None, entry.note)
        shape = tuple(np.shape(values))
    layout = layout or layout_of(OUT_IN, len(shape))
    turned = f"{layout.words}, turned" if layout.inputs > layout.outputs else layout.words
    taps = "unfold=kernel" if layout.taps else ""
    groups = f"{layout.groups} groups" if layout.groups > 1 else ""
    return MaskableLayer.of(entry.name, shape, layout, "; ".join(filter(None, [turned, taps, groups, entry.note])))


def find_layers(source: Source, reading: Reading) -> Iterator[MaskableLayer | tuple[str, str]]:
    """Every layer that can hold a mask, in the order of the source; for all else its name and the reason why not.

    A tensor with several names is one layer. What may not be a layer counts only when ``include`` names it.
    """
    chosen: dict[str, str] = {}
    for entry in source.entries:
        reason = entry.reason
        if entry.read is not None and not entry.needs_orientation:
            doubt = f"{entry.doubt}; include it by name" if entry.doubt else ""
            reason = reading.verdict(entry.name, reason or doubt)
        tensor, _, part = entry.name.partition(":")
        first = f"{entry.same_as or tensor}:{part}"
        if not reason and first in chosen:
            reason = f"is the same tensor as {chosen[first]}: one mask is for both"
        if reason or entry.read is None:
            yield entry.name, reason
            continue
        try:
            with faults_of(f"{source.label}: {entry.name}"):
                layer = layer_of(entry)
        except InvalidMaskError as error:
            yield entry.name, str(error)
            continue
        if math.prod(layer.shape) == 0:
            yield entry.name, f"is empty: shape {layer.shape}"
            continue
        chosen[first] = layer.weight
        yield layer
