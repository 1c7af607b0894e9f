"""What a search can aim at: quantities whose change under a swap of two edges is known from a few eigenvectors.

Each is written as a *score* that grows with expansion: the smallest of a family s_1 ≤ s_2 ≤ … with vectors p_j on the
inputs and q_j on the outputs, so that replacing the edges (a, b), (c, d) by (a, d), (c, b) changes s_j, to first order,
by c · (p_j[a] − p_j[c]) · (q_j[b] − q_j[d]).

========================  ==============  =============  =====  ====================================
quantity                  s_j             p_j, q_j       c      from
========================  ==============  =============  =====  ====================================
algebraic_connectivity    λ_(j+1)         the vector     2      xᵀLx, the degrees being fixed
normalized_gap            1 − σ_(j+1)     D^-½ (u, v)    1      uᵀ D_L^-½ B D_R^-½ v
ramanujan_ratio           −σ_(j+1)/bound  (u, v)         1/bound  uᵀBv; the degrees fix the bound
========================  ==============  =============  =====  ====================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.metrics.ramanujan import ramanujan_bound

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quantity:
    """A metric that a search can raise or lower.

    Parameters
    ----------
    name
        The metric's name.
    sign
        1 where a larger value means a better expander, −1 where a smaller one does.
    """

    name: str
    sign: int

    def value(self, graph: BipartiteGraph) -> float:
        """The metric itself, from the package's own solvers; NaN where it is undefined."""
        spectrum = graph.spectrum()
        if self.name == "algebraic_connectivity":
            return spectrum["algebraic_connectivity"].require()
        if self.name == "normalized_gap":
            return 1.0 - spectrum["normalized_sigma2"].require()
        bound = ramanujan_bound(graph).value
        return spectrum["sigma2"].require() / bound if bound else math.nan


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity("algebraic_connectivity", 1),
        Quantity("normalized_gap", 1),
        Quantity("ramanujan_ratio", -1),
    )
}


def get_quantity(name: Any) -> Quantity:
    """The quantity of that name; an error lists what there is."""
    if name not in QUANTITIES:
        raise InvalidParameterError(f"metric must be one of {', '.join(QUANTITIES)}, but got metric={name!r}")
    return QUANTITIES[name]


@dataclass(frozen=True)
class Modes:
    """The lowest scores of one graph and what a swap does to each.

    Parameters
    ----------
    scores
        Shape ``(s,)``, ascending; the first is the score of the graph.
    left, right
        Shapes ``(n_left, s)`` and ``(n_right, s)``: p and q.
    scale
        The factor c.
    """

    scores: Vector
    left: Vector
    right: Vector
    scale: float
