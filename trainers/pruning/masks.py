"""Chosen edges as a `MaskSet`."""

from __future__ import annotations

from collections.abc import Sequence

from topograph.masks.maskset import MaskSet
from trainers.pruning.edges import Keep
from trainers.pruning.network import ChainNetwork, PrunableNetwork


def mask_set(network: PrunableNetwork, keep: Sequence[Keep]) -> MaskSet:
    """The edges that stay, under the names of the layers, with what was left out and why."""
    graphs = {layer.name: layer.graph(part) for layer, part in zip(network.layers, keep, strict=True)}
    read_as = {layer.name: layer.read_as for layer in network.layers if layer.read_as}
    left_out = getattr(network, "left_out", {})
    return MaskSet(graphs, left_out, isinstance(network, ChainNetwork), read_as)
