"""`PrunableLayer`: one layer's possible edges, numbered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.masks.layout import torch_layout
from topograph.masks.maskable import MaskableLayer
from topograph.masks.unfold import block_graph
from trainers.pruning.edges import Keep


@dataclass(frozen=True)
class PrunableLayer:
    """A layer's possible edges, in the order of its graph: groups, inputs, taps, outputs.

    Parameters
    ----------
    name
        The layer's name in the masks that are made.
    maskable
        Where in its tensor each edge lies.
    candidates
        Which possible edges there are before pruning, flat.
    """

    name: str
    maskable: MaskableLayer
    candidates: Keep

    @classmethod
    def of_chain(cls, number: int, graph: BipartiteGraph) -> PrunableLayer:
        """Layer number ``number`` (from 1) of a topology; its tensor is that of a PyTorch linear layer of its name."""
        name = f"l{number}"
        maskable = MaskableLayer.of(f"{name}.weight", (graph.n_right, graph.n_left), torch_layout(2))
        return cls(name, maskable, graph.to_mask().ravel())

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Groups, inputs of a group, taps and outputs of a group; ``(1, inputs, 1, outputs)`` for a linear layer."""
        layer = self.maskable
        return layer.groups, layer.inputs, layer.taps, layer.outputs

    @property
    def weight(self) -> str:
        """Name of the tensor that holds the layer."""
        return self.maskable.weight

    @property
    def possible(self) -> int:
        """Number of possible edges."""
        return self.maskable.room

    @cached_property
    def n_candidates(self) -> int:
        """Number of edges before pruning."""
        return int(np.count_nonzero(self.candidates))

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Where in the flat memory of its tensor each possible edge lies, flat."""
        return self.maskable.places.ravel()

    def restricted(self, keep: Keep) -> PrunableLayer:
        """The same layer with fewer candidates."""
        return replace(self, candidates=keep)

    def graph(self, keep: Keep) -> BipartiteGraph:
        """The edges that stay, as a graph in the kernel unfolding."""
        return block_graph(keep.reshape(self.shape))
