"""`Snapshot`: the edges of every layer at one moment, one bit for each weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.graph import BipartiteGraph
from topograph.masks.loading import open_source
from topograph.masks.maskable import MaskableLayer, find_layers
from topograph.masks.maskset import nothing_read
from topograph.masks.options import Reading
from topograph.masks.unfold import block_graph

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LayerBits:
    """One layer's edges.

    Parameters
    ----------
    layer
        Its shape.
    bits
        Shape ``(⌈room / 8⌉,)``: a bit for each weight, in the order (group, input, tap, output).
    """

    layer: MaskableLayer
    bits: Bits

    @property
    def graph(self) -> BipartiteGraph:
        """The edges as a graph."""
        layer = self.layer
        shape = (layer.groups, layer.inputs, layer.taps, layer.outputs)
        return block_graph(np.unpackbits(self.bits, count=layer.room).view(bool).reshape(shape))

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return count(self.bits)


Snapshot = Mapping[str, LayerBits]


def take_snapshot(target: Any, reading: Reading) -> dict[str, LayerBits]:
    """Read every layer of whatever `topograph.load` reads; a weight that is not 0, or that its mask keeps, is an edge.

    Raises
    ------
    InvalidMaskError
        When there is no layer.
    """
    with open_source(target) as source:
        entries = {entry.name: entry for entry in source.entries}
        left_out: dict[str, str] = {}
        layers: dict[str, LayerBits] = {}
        for item in find_layers(source, reading):
            if isinstance(item, MaskableLayer):
                read = entries[item.name].read
                assert read is not None
                layers[item.name] = LayerBits(item, _bits(item, read()))
            else:
                left_out[item[0]] = item[1]
        if not layers:
            raise nothing_read(source.label, left_out)
    return layers


def count(bits: Bits) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def _bits(layer: MaskableLayer, values: Any) -> Bits:
    if isinstance(values, BipartiteGraph):
        keep = values.to_mask()
    elif sp.issparse(values):
        keep = layer.blocks(values.toarray() != 0)
    else:
        keep = layer.blocks(np.asarray(values) != 0)
    return np.packbits(keep, axis=None)
