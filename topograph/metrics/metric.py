"""`Metric` and `Value`: a named function of a graph, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from topograph.graph import BipartiteGraph
from topograph.spectral import Estimate


@dataclass(frozen=True)
class Value:
    """What a metric says about one graph.

    Parameters
    ----------
    value
        The number; NaN when it is undefined.
    residual
        For values from an iterative or floating-point eigenvalue: the error its certificate allows; 0 when exact.
    reason
        Why the value is NaN; None when it is a number.
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
    """A named function of a graph.

    Parameters
    ----------
    name
        The column it fills.
    compute
        ``compute(graph) -> Value``.
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
    """

    name: str
    compute: Callable[[BipartiteGraph], Value]
    summary: str
    formula: str
    low: float
    high: float
    group: str
    network: bool = False
    reference: str = ""
    integer: bool = False
