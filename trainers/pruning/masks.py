"""Chosen edges as a `MaskSet`."""

from __future__ import annotations

from collections.abc import Sequence

from topograph.masks.maskset import MaskSet
from trainers.pruning.edges import Keep
from trainers.pruning.network import ChainNetwork, PrunableNetwork


def mask_set(network: PrunableNetwork, keep: Sequence[Keep]) -> MaskSet:
    """The edges that stay, under the names of the layers, with what was left out and why."""
    graphs = {layer.name: layer.graph(part) for layer, part in zip(network.layers, keep, strict=True)}
    if isinstance(network, ChainNetwork):
        return MaskSet(graphs, is_chain=True)
    read_as = {layer.name: layer.maskable.words for layer in network.layers}
    return MaskSet(graphs, network.left_out, read_as=read_as)
