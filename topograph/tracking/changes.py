"""What changed between two snapshots, and since the first: turnover, overlaps, the share of weights ever used."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from topograph.tracking.snapshot import Bits, LayerBits, count

CHANGES = {
    "n_edges": "number of edges",
    "grown": "edges that the update before did not have",
    "dropped": "edges that only the update before had",
    "turnover": "(grown + dropped) / (edges before + edges now); 0 when nothing changed, 1 when nothing stayed",
    "overlap_previous": "edges in common with the update before, as a share of the union (Jaccard)",
    "overlap_first": "edges in common with the first update, as a share of the union (Jaccard)",
    "explored": "share of all weights that were an edge at any update",
    "isolated_left": "inputs without an edge",
    "isolated_right": "outputs without an edge",
}
"""What a tracker counts for every layer and for the network, whatever metrics are asked for."""

SUMS = ("n_edges", "grown", "dropped", "isolated_left", "isolated_right")


class LayerHistory:
    """One layer over time: its first edges, its last, and all that it ever had.

    Parameters
    ----------
    first
        The edges at the first update.

    Attributes
    ----------
    losses
        How many edges fewer there were after each of the last two updates.
    """

    def __init__(self, first: LayerBits) -> None:
        self.room = first.layer.room
        self.first = self.last = self.ever = first.bits
        self.edges = first.n_edges
        self.common = {"previous": (self.edges, self.edges), "first": (self.edges, self.edges)}
        self.explored = self.edges
        self.grown = self.dropped = 0
        self.previous_edges = self.edges
        self.isolated = _isolated(first)
        self.losses = (0, 0)

    def advance(self, now: LayerBits) -> bool:
        """Take the edges of the next update; returns whether they changed."""
        bits = now.bits
        self.previous_edges = self.edges
        self.losses = (self.losses[1], self.edges - now.n_edges)
        if np.array_equal(bits, self.last):
            self.grown = self.dropped = 0
            self.common["previous"] = (self.edges, self.edges)
            return False
        edges, both = count(bits), count(bits & self.last)
        self.grown, self.dropped = edges - both, self.edges - both
        self.common = {"previous": (both, edges + self.edges - both), "first": _common(bits, self.first)}
        self.ever = self.ever | bits
        self.explored = count(self.ever)
        self.last, self.edges = bits, edges
        self.isolated = _isolated(now)
        return True

    def values(self) -> dict[str, float]:
        """The `CHANGES` of the last update."""
        return {
            "n_edges": self.edges,
            "grown": self.grown,
            "dropped": self.dropped,
            "turnover": _share(self.grown + self.dropped, self.previous_edges + self.edges, 0.0),
            "overlap_previous": _share(*self.common["previous"], 1.0),
            "overlap_first": _share(*self.common["first"], 1.0),
            "explored": self.explored / self.room,
            "isolated_left": self.isolated[0],
            "isolated_right": self.isolated[1],
        }


def network_values(layers: Iterable[LayerHistory]) -> dict[str, float]:
    """The `CHANGES` of all layers together, each edge counted once."""
    histories = list(layers)
    values = {name: math.fsum(history.values()[name] for history in histories) for name in SUMS}
    before = sum(history.previous_edges for history in histories)
    values["turnover"] = _share(values["grown"] + values["dropped"], before + values["n_edges"], 0.0)
    for which in ("previous", "first"):
        pairs = [history.common[which] for history in histories]
        values[f"overlap_{which}"] = _share(sum(both for both, _ in pairs), sum(union for _, union in pairs), 1.0)
    room = sum(history.room for history in histories)
    values["explored"] = sum(history.explored for history in histories) / room
    values["density"] = values["n_edges"] / room
    return values


def _common(bits: Bits, other: Bits) -> tuple[int, int]:
    return count(bits & other), count(bits | other)


def _share(part: float, whole: float, otherwise: float) -> float:
    return part / whole if whole else otherwise


def _isolated(now: LayerBits) -> tuple[int, int]:
    layer = now.layer
    keep = np.unpackbits(now.bits, count=layer.room).view(bool)
    blocks = keep.reshape(layer.groups, layer.inputs * layer.taps, layer.outputs)
    return int((~blocks.any(axis=2)).sum()), int((~blocks.any(axis=1)).sum())
