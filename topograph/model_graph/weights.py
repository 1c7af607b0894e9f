"""`ModelWeights`: the masks of a model's weights, numbered through, as `topograph.load` reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from topograph.errors import InvalidParameterError
from topograph.masks.layers import read_layers
from topograph.masks.maskable import MaskableLayer, layer_of
from topograph.masks.maskset import nothing_read
from topograph.masks.options import Reading
from topograph.masks.source import Source
from topograph.model_graph.graph import WeightedLayer
from topograph.model_graph.operators import Flags


@dataclass(frozen=True)
class MaskedTensor:
    """One weight tensor: its mask, which elements belong to a layer that was read, and its place in the numbering.

    Where no layer was read the mask is 1: such a weight joins what it can.
    """

    name: str
    shape: tuple[int, ...]
    mask: Flags
    counted: Flags
    first: int


@dataclass(frozen=True)
class ModelWeights:
    """All masked tensors of a model, and the layers in them.

    Parameters
    ----------
    tensors
        By name.
    layers
        The layers that were read.
    """

    tensors: dict[str, MaskedTensor]
    layers: tuple[WeightedLayer, ...]

    @property
    def size(self) -> int:
        """Number of elements of all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    @classmethod
    def read(cls, source: Source, reading: Reading) -> ModelWeights:
        """The masks of a live model.

        Raises
        ------
        InvalidMaskError
            When the model has no layer that can hold a mask.
        InvalidParameterError
            When an option turns the layers, so that they are no longer those which the model computes with.
        """
        if reading.orientation is not None:
            raise InvalidParameterError(
                "with example=, the model itself says how its layers lie; leave out orientation= or example="
            )
        if reading.unfold == "channel" and reading.by_magnitude:
            raise InvalidParameterError(
                "with example=, each weight of a kernel is an edge or not: with threshold= or density=, leave out "
                "unfold='channel', which judges them together"
            )
        # where a convolution lies over its image the model says, too
        reading = replace(reading, unfold="kernel", geometry=None)
        entries = {entry.name: entry for entry in source.entries}
        masks: dict[str, Flags] = {}
        counted: dict[str, Flags] = {}
        layers = []
        left_out = {}
        for layer in read_layers(source, reading):
            if layer.graph is None:
                left_out[layer.name] = layer.reason
                continue
            spot = layer_of(entries[layer.name])
            mask = masks.setdefault(spot.weight, np.ones(spot.shape, dtype=bool))
            own = counted.setdefault(spot.weight, np.zeros(spot.shape, dtype=bool))
            spot.draw(layer.graph, mask)
            _mark(spot, own)
            layers.append(WeightedLayer(layer.name, layer.graph.n_edges, spot.room))
        if not layers:
            raise nothing_read(source.label, left_out)
        first = 0
        tensors = {}
        for name, mask in masks.items():
            tensors[name] = MaskedTensor(name, mask.shape, mask, counted[name], first)
            first += mask.size
        return cls(tensors, tuple(layers))


def _mark(spot: MaskableLayer, counted: Flags) -> None:
    """Flag the elements of a tensor that belong to a layer."""
    view = spot.blocks(counted)
    if np.shares_memory(view, counted):
        view[...] = True
    else:
        counted.reshape(-1)[spot.blocks(np.arange(counted.size).reshape(counted.shape))] = True
