"""Small graphs whose answers are known by hand, shared by every sweep."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, pi, sqrt

import numpy as np

from topograph import BipartiteGraph


@dataclass(frozen=True)
class Toy:
    name: str
    graph: BipartiteGraph
    answers: dict[str, float] = field(default_factory=dict)  # NaN where the metric is undefined


def _path(nodes: int) -> BipartiteGraph:
    """The path on so many nodes, its even ones left."""
    edges = [(i // 2, i // 2) if i % 2 == 0 else ((i + 1) // 2, i // 2) for i in range(nodes - 1)]
    return BipartiteGraph.from_edges(edges, (nodes + 1) // 2, nodes // 2)


def _cycle(half: int) -> BipartiteGraph:
    return BipartiteGraph.from_edges([(i, (i + s) % half) for i in range(half) for s in (0, 1)], half, half)


_NAN = float("nan")

TOYS = [
    Toy(
        "complete 4 × 4",
        BipartiteGraph.from_mask(np.ones((4, 4))),
        {
            "n_edges": 16,
            "density": 1,
            "n_components": 1,
            "giant_share": 1,
            "algebraic_connectivity": 4,
            "laplacian_gap": 4,
            "giant_connectivity": 4,
            "laplacian_max": 8,
            "laplacian_second_max": 4,
            "adjacency_gap": 4,
            "normalized_gap": 1,
            "ramanujan_bound": 2 * sqrt(3),
            "ramanujan_gap": 2 * sqrt(3),
            "ramanujan_ratio": 0,
            "left_degree_std": 0,
        },
    ),
    Toy(
        "complete 30 × 20",
        BipartiteGraph.from_mask(np.ones((30, 20))),
        {
            "algebraic_connectivity": 20,
            "laplacian_max": 50,
            "laplacian_second_max": 30,
            "adjacency_gap": sqrt(600),
            "normalized_gap": 1,
        },
    ),
    Toy(
        "single edge",
        BipartiteGraph.from_mask([[1]]),
        {
            "algebraic_connectivity": 2,
            "laplacian_gap": 2,
            "laplacian_max": 2,
            "laplacian_second_max": _NAN,
            "adjacency_gap": 1,
            "normalized_gap": 1,
            "ramanujan_bound": 0,
            "ramanujan_ratio": _NAN,
            "giant_share": 1,
        },
    ),
    Toy(
        "single edge and isolated nodes",
        BipartiteGraph.from_edges([(1, 2)], 3, 4),
        {
            "algebraic_connectivity": 0,
            "laplacian_gap": 2,
            "giant_connectivity": 2,
            "normalized_gap": 1,
            "isolated_left": 2,
            "isolated_right": 3,
            "n_components": 6,
            "giant_share": 2 / 7,
            "ramanujan_bound": 0,
        },
    ),
    Toy(
        "empty",
        BipartiteGraph.from_mask(np.zeros((3, 2))),
        {
            "n_edges": 0,
            "density": 0,
            "n_components": 5,
            "giant_share": 0.2,
            "algebraic_connectivity": 0,
            "laplacian_gap": _NAN,
            "giant_connectivity": _NAN,
            "laplacian_max": _NAN,
            "laplacian_second_max": _NAN,
            "adjacency_gap": 0,
            "normalized_gap": _NAN,
            "ramanujan_bound": _NAN,
            "ramanujan_gap": _NAN,
            "ramanujan_ratio": _NAN,
        },
    ),
    Toy(
        "star 1 × 5",
        BipartiteGraph.from_mask(np.ones((1, 5))),
        {
            "algebraic_connectivity": 1,
            "laplacian_max": 6,
            "laplacian_second_max": 1,
            "adjacency_gap": sqrt(5),
            "normalized_gap": 1,
            "ramanujan_bound": 2,
            "ramanujan_ratio": 0,
        },
    ),
    Toy(
        "1 × 5 with two isolated",
        BipartiteGraph.from_mask([[1, 0, 1, 0, 1]]),
        {"algebraic_connectivity": 0, "laplacian_gap": 1, "giant_connectivity": 1, "laplacian_max": 4},
    ),
    Toy(
        "perfect matching of 5",
        BipartiteGraph.from_mask(np.eye(5)),
        {
            "algebraic_connectivity": 0,
            "laplacian_gap": 2,
            "giant_connectivity": 2,
            "laplacian_max": 2,
            "laplacian_second_max": 2,
            "adjacency_gap": 0,
            "normalized_gap": 0,
            "n_components": 5,
            "ramanujan_ratio": _NAN,
        },
    ),
    Toy(
        "path of 7",
        _path(7),
        {
            "algebraic_connectivity": 2 - 2 * cos(pi / 7),
            "laplacian_max": 2 - 2 * cos(6 * pi / 7),
            "adjacency_gap": 2 * cos(pi / 8) - 2 * cos(2 * pi / 8),
        },
    ),
    Toy(
        "cycle of 12",
        _cycle(6),
        {
            "algebraic_connectivity": 2 - 2 * cos(2 * pi / 12),
            "laplacian_max": 4,
            "laplacian_second_max": 2 - 2 * cos(10 * pi / 12),
            "adjacency_gap": 2 - 2 * cos(2 * pi / 12),
            "normalized_gap": 1 - cos(2 * pi / 12),
            "ramanujan_bound": 2,
        },
    ),
    Toy(
        "two complete 3 × 3",
        BipartiteGraph.from_mask(np.kron(np.eye(2), np.ones((3, 3)))),
        {
            "algebraic_connectivity": 0,
            "laplacian_gap": 3,
            "giant_connectivity": 3,
            "laplacian_max": 6,
            "laplacian_second_max": 6,
            "adjacency_gap": 0,
            "normalized_gap": 0,
            "n_components": 2,
            "giant_share": 0.5,
        },
    ),
    Toy(
        "complete 3 × 3 with a dead neuron",
        BipartiteGraph.from_mask(np.hstack([np.ones((3, 3)), np.zeros((3, 1))])),
        {
            "algebraic_connectivity": 0,
            "laplacian_gap": 3,
            "normalized_gap": 1,
            "isolated_right": 1,
            "ramanujan_bound": 2 * sqrt(2),
            "adjacency_gap": 3,
        },
    ),
]
