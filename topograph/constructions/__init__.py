"""Seeded rules that make a `BipartiteGraph` from sizes and a degree; one family a file."""

from topograph.constructions.registry import (
    Construction,
    available_constructions,
    construct,
    construction,
    get_construction,
)

__all__ = ["Construction", "available_constructions", "construct", "construction", "get_construction"]
