"""What a construction promises of every graph it makes: each promise is a sentence and a check of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from topograph.graph import BipartiteGraph

Check = Callable[[BipartiteGraph, "float | None", Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Guarantee:
    """A promise about every graph of a construction.

    Parameters
    ----------
    text
        The promise in words, such as ``"left-regular"``.
    holds
        ``holds(graph, degree, options) -> bool``, for the degree (None where it was left out) and the options that
        the graph was made with. It looks at the graph alone: how the graph was made plays no part.

    Examples
    --------
    >>> LEFT_REGULAR.text, LEFT_REGULAR.holds(BipartiteGraph.from_mask([[1, 0], [0, 1]]), 1, {})
    ('left-regular', True)
    """

    text: str
    holds: Check


def _equal(degrees: Any) -> bool:
    return bool(degrees.min() == degrees.max())


def _within_one(degrees: Any) -> bool:
    return bool(degrees.max() - degrees.min() <= 1)


def _degree(graph: BipartiteGraph, degree: float | None) -> float:
    """The degree asked for; without one, that of the first input."""
    return float(graph.left_degrees[0]) if degree is None else degree


LEFT_REGULAR = Guarantee(
    "left-regular", lambda g, k, o: _equal(g.left_degrees) and int(g.left_degrees[0]) == _degree(g, k)
)
RIGHT_REGULAR = Guarantee("right-regular", lambda g, k, o: _equal(g.right_degrees))
LEFT_REGULAR_IF_WHOLE = Guarantee(
    "left-regular when k is whole",
    lambda g, k, o: k is None or k != int(k) or (_equal(g.left_degrees) and int(g.left_degrees[0]) == k),
)
RIGHT_REGULAR_IF_SIZES_DIVIDE = Guarantee(
    "right-regular when m | n", lambda g, k, o: g.n_left % g.n_right != 0 or _equal(g.right_degrees)
)
RIGHT_REGULAR_IF_EDGES_DIVIDE = Guarantee(
    "right-regular when m | n·k", lambda g, k, o: g.n_edges % g.n_right != 0 or _equal(g.right_degrees)
)
LEFT_WITHIN_ONE = Guarantee("left degrees differ by at most one", lambda g, k, o: _within_one(g.left_degrees))
RIGHT_WITHIN_ONE = Guarantee("right degrees differ by at most one", lambda g, k, o: _within_one(g.right_degrees))
EXACT_EDGES = Guarantee("exact edges", lambda g, k, o: k is None or g.n_edges == round(g.n_left * k))
EXACT_DEGREE_EDGES = Guarantee("exact edges n·k", lambda g, k, o: g.n_edges == g.n_left * _degree(g, k))
EXPECTED_EDGES = Guarantee(  # six standard deviations of a Poisson number, and one edge for the smallest graphs
    "expected edges n·k",
    lambda g, k, o: bool(abs(g.n_edges - g.n_left * _degree(g, k)) <= 6 * np.sqrt(g.n_left * _degree(g, k)) + 1),
)
