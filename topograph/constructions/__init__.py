"""Seeded rules that make a `BipartiteGraph` from sizes and a degree; one family a file."""

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
    "Connected",
    "Construction",
    "available_constructions",
    "construct",
    "construction",
    "describe_constructions",
    "get_construction",
]
