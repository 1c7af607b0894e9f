"""`match_outputs`: which outputs of one mask stand for which of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topograph.checks import check_choice
from topograph.errors import TopologyMismatchError
from topograph.graph import BipartiteGraph

Permutation = npt.NDArray[np.int64]
Costs = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Matching:
    """Which output of the second mask stands for each of the first, and what that costs.

    Parameters
    ----------
    partners
        Shape ``(n_right,)``: for each output of the first mask, one of the second, each once.
    distance
        Mean over the outputs of the share of edges that differ, in [0, 1].
    least
        No matching has a smaller distance than this; equal to ``distance`` when the matching is optimal.
    """

    partners: Permutation
    distance: float
    least: float


def match_outputs(first: BipartiteGraph, second: BipartiteGraph, method: str = "exact") -> Matching:
    """Match the outputs of two masks so that their sets of inputs differ least.

    Two outputs differ by the size of the symmetric difference of their inputs over that of the union: 0 when equal (two
    outputs without inputs are), 1 when they share none.

    Parameters
    ----------
    first, second
        Masks of the same shape n × m.
    method
        ``"exact"`` solves the assignment problem, O(m³) time. ``"greedy"`` takes the closest pair left, again and
        again, O(m² log m). Both hold m × m numbers and take E·m steps to fill them.

    Raises
    ------
    TopologyMismatchError
        When the shapes differ.

    Examples
    --------
    >>> first = BipartiteGraph.from_mask([[1, 0], [0, 1]])
    >>> matching = match_outputs(first, BipartiteGraph.from_mask([[0, 1], [1, 0]]))
    >>> matching.partners.tolist(), matching.distance
    ([1, 0], 0.0)
    """
    check_choice("method", method, ["exact", "greedy"])
    if first.shape != second.shape:
        raise TopologyMismatchError(f"masks to match must have one shape, but got {first.shape} and {second.shape}")
    costs = _differences(first, second)
    if method == "exact":
        from scipy.optimize import linear_sum_assignment

        _, partners = linear_sum_assignment(costs)
    else:
        partners = _closest_first(costs)
    distance = float(costs[np.arange(len(costs)), partners].mean())
    if method == "exact":
        return Matching(partners, distance, distance)
    # whatever the matching, each output pays at least for its closest
    least = max(float(costs.min(axis=1).mean()), float(costs.min(axis=0).mean()))
    return Matching(partners, distance, min(least, distance))


def _differences(first: BipartiteGraph, second: BipartiteGraph) -> Costs:
    shared = (first.biadjacency.T.astype(np.float64) @ second.biadjacency.astype(np.float64)).toarray()
    union = first.right_degrees[:, None] + second.right_degrees - shared
    differences: Costs = np.divide(union - shared, union, out=np.zeros_like(union), where=union > 0)
    return differences


def _closest_first(costs: Costs) -> Permutation:
    size = len(costs)
    partners = np.full(size, -1, dtype=np.int64)
    taken = np.zeros(size, dtype=bool)
    left = size
    for place in np.argsort(costs, axis=None, kind="stable"):
        row, column = divmod(int(place), size)
        if partners[row] < 0 and not taken[column]:
            partners[row], taken[column] = column, True
            left -= 1
            if not left:
                break
    return partners
