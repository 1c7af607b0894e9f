"""`MaskSet`: the named layers that a file or a model holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from topograph.errors import InvalidMaskError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.topology import Topology


@dataclass(frozen=True)
class MaskSet(Mapping[str, BipartiteGraph]):
    """Layer name → `BipartiteGraph`, in the order of the source.

    Parameters
    ----------
    graphs
        The layers that were read.
    left_out
        Name → reason for everything in the source that is not a mask: nothing is skipped in silence.
    is_chain
        Whether the source says that the layers follow each other, as a topology file does.
    """

    graphs: Mapping[str, BipartiteGraph]
    left_out: Mapping[str, str] = field(default_factory=dict)
    is_chain: bool = False

    @classmethod
    def from_topology(cls, topology: Topology) -> MaskSet:
        """The layers ``l1``, ``l2``, … of a topology."""
        return cls({f"l{i}": graph for i, graph in enumerate(topology, start=1)}, is_chain=True)

    def to_topology(self) -> Topology:
        """The layers as a chain.

        Raises
        ------
        TopologyMismatchError
            When the widths do not match.
        """
        if not self.graphs:
            raise InvalidMaskError("no mask was read, so there is no topology")
        return Topology(self.graphs.values())

    def __getitem__(self, name: str) -> BipartiteGraph:
        try:
            return self.graphs[name]
        except KeyError:
            raise UnknownNameError.among("layer", name, self.graphs) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.graphs)

    def __len__(self) -> int:
        return len(self.graphs)
