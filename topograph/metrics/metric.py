"""`Metric` and `Value`: a named function of a graph, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from topograph.checks import check_choice
from topograph.spectral import Estimate

NEEDS = ("graph", "weights", "chain")
DIRECTIONS = ("higher", "lower", "none")


@dataclass(frozen=True)
class Value:
    """What a metric says about one graph.

    Parameters
    ----------
    value
        The number; NaN when it is undefined.
    residual
        How far the truth may be: the error that an eigenvalue's certificate allows, or, for an estimate from samples,
        what the metric's summary says; 0 when exact.
    reason
        Why the value is NaN; None when it is a number.

    Examples
    --------
    >>> Value.undefined("the graph has no edges")
    Value(value=nan, residual=nan, reason='the graph has no edges')
    """

    value: float
    residual: float = 0.0
    reason: str | None = None

    @classmethod
    def undefined(cls, reason: str) -> Value:
        """No value exists; ``reason`` says why."""
        return cls(math.nan, math.nan, reason)

    @classmethod
    def of(cls, estimate: Estimate) -> Value:
        """The value of a spectral estimate, its evidence and its reason with it."""
        return cls(estimate.value, estimate.residual, estimate.reason)


@dataclass(frozen=True)
class Metric:
    """A named function of a graph, of a graph with weights, or of a chain of graphs.

    Parameters
    ----------
    name
        The column it fills.
    compute
        ``compute(graph) -> Value`` for a `BipartiteGraph`; by ``needs`` it gets a `WeightedGraph` or a `Topology`
        instead.
    summary
        The definition in words.
    formula
        The definition in LaTeX.
    low, high
        The range of its values; infinity where there is no bound.
    group
        The theme it belongs to, by which it can be asked for: ``"degrees"``, ``"spectral"``, …
    network
        Whether it also has a meaning for a whole network, seen as one graph on all its neurons.
    reference
        Where it comes from.
    integer
        Whether its values are whole numbers.
    direction
        Which values mean better connected: ``"higher"``, ``"lower"`` or, where neither can be said, ``"none"``.
    cost
        What it takes, with n inputs, m outputs, N = n + m nodes, E edges and degrees d; ``"spectrum"`` where it reads
        the spectrum that many metrics share.
    needs
        ``"graph"`` (the pattern is enough), ``"weights"``, or ``"chain"`` (a whole `Topology`).
    fast
        Whether it belongs to the group ``"fast"``, which `measure` computes when nothing is asked for: at most linear
        in the edges beyond the shared spectrum. A metric that needs weights or a chain never does.

    Examples
    --------
    >>> Metric("edges", lambda g: Value(g.n_edges), "number of connections", "|E|", 0, math.inf, "mine").is_fast
    True
    """

    name: str
    compute: Callable[[Any], Value]
    summary: str
    formula: str
    low: float
    high: float
    group: str
    network: bool = False
    reference: str = ""
    integer: bool = False
    direction: str = "none"
    cost: str = "E"
    needs: str = "graph"
    fast: bool = True

    def __post_init__(self) -> None:
        check_choice("needs", self.needs, NEEDS)
        check_choice("direction", self.direction, DIRECTIONS)

    @property
    def is_fast(self) -> bool:
        """Whether the group ``"fast"`` holds it."""
        return self.fast and self.needs == "graph"

    @property
    def range(self) -> str:
        """The range as an interval, open at infinity."""
        left = "(-∞" if self.low == -math.inf else f"[{self.low:g}"
        right = "∞)" if self.high == math.inf else f"{self.high:g}]"
        return f"{left}, {right}"
