"""Seeded rules that make a `BipartiteGraph` from sizes and a degree; one family per file."""

from topograph.constructions.allocation import ALLOCATIONS, allocate_edges
from topograph.constructions.guarantees import Guarantee
from topograph.constructions.registry import (
    Connected,
    Construction,
    available_constructions,
    construct,
    construction,
    describe_constructions,
    get_construction,
)

__all__ = [
    "ALLOCATIONS",
    "Connected",
    "Construction",
    "Guarantee",
    "allocate_edges",
    "available_constructions",
    "construct",
    "construction",
    "describe_constructions",
    "get_construction",
]
