"""`PrunableLayer`: one layer's possible edges, numbered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.masks.unfold import block_graph
from trainers.pruning.edges import Keep


@dataclass(frozen=True)
class PrunableLayer:
    """A layer's possible edges, in the order of their graph: groups, inputs, taps, outputs.

    Parameters
    ----------
    name
        The layer's name in its model.
    shape
        Groups, inputs of a group, taps and outputs of a group; ``(1, inputs, 1, outputs)`` for a linear layer.
    candidates
        Which possible edges there are before pruning, flat.
    kernel
        Height and width of a convolution's kernel; None for other layers.
    weight, places
        Name of the weight that holds the layer, and where in its flat memory each possible edge lies; for models.
    read_as
        Orientation and unfolding, in words.
    """

    name: str
    shape: tuple[int, int, int, int]
    candidates: Keep
    kernel: tuple[int, int] | None = None
    weight: str = ""
    places: npt.NDArray[np.int64] | None = None
    read_as: str = ""

    @property
    def possible(self) -> int:
        """Number of possible edges."""
        return math.prod(self.shape)

    @cached_property
    def n_candidates(self) -> int:
        """Number of edges before pruning."""
        return int(np.count_nonzero(self.candidates))

    @property
    def sides(self) -> tuple[int, int]:
        """Inputs (per group, with taps) and outputs, whose product is the number of possible edges."""
        groups, inputs, taps, outputs = self.shape
        return inputs * taps, groups * outputs

    def graph(self, keep: Keep) -> BipartiteGraph:
        """The edges that stay, as a graph in the kernel unfolding."""
        return block_graph(keep.reshape(self.shape))
