"""Compiled elimination of a Laplacian in band form, without a subtraction.

Products keep their order: (w_i / d) w_j is a normal number where w_i w_j would vanish.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import compiled, reordered


@compiled.in_place
def assemble(indptr: Any, indices: Any, weights: Any, left: Any, places: Any, band: Any) -> None:
    """Edges of S = D_R − Bᵀ D_L⁻¹ B: ``band[v, d]`` is the weight of the edge from place v to place v + d."""
    for i in range(indptr.size - 1):
        start, stop = np.int64(indptr[i]), np.int64(indptr[i + 1])
        for e in range(start, stop):
            first = places[indices[e]]
            weight = 1.0 / left[i] if weights is None else weights[e] / left[i]
            for f in range(e + 1, stop):
                second = places[indices[f]]
                share = weight if weights is None else weight * weights[f]
                if first < second:
                    band[first, second - first] += share
                else:
                    band[second, first - second] += share


@compiled
def eliminate(band: Any) -> Any:
    """Eliminate place after place but the last; ``band`` is left with the multipliers w / d, the pivots d returned."""
    n, width = band.shape
    pivots = np.ones(n)
    for v in range(n - 1):
        reach = min(width, n - v)
        total = 0.0
        for d in range(1, reach):
            total += band[v, d]
        pivots[v] = total
        inverse = 1.0 / total
        for a in range(1, reach):
            share = band[v, a] * inverse
            if share > 0.0:
                for b in range(a + 1, reach):
                    band[v + a, b - a] += share * band[v, b]
        for d in range(1, reach):
            band[v, d] *= inverse
    return pivots


@reordered.in_place
def solve(band: Any, pivots: Any, vector: Any) -> None:
    """Replace ``vector`` by the potentials of the currents it holds, the last place at 0."""
    n, width = band.shape
    for v in range(n - 1):
        current = vector[v]
        for d in range(1, min(width, n - v)):
            vector[v + d] += band[v, d] * current
    vector[n - 1] = 0.0
    for v in range(n - 2, -1, -1):
        total = vector[v] / pivots[v]
        for d in range(1, min(width, n - v)):
            total += band[v, d] * vector[v + d]
        vector[v] = total
