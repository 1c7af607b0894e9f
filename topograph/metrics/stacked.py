"""`stacked`: a metric written for many graphs of one shape, called with one graph as with many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Value
from topograph.spectral.estimates import Estimates
from topograph.stack import GraphStack, Vector

NO_EDGES = "the graph has no edges"


@dataclass(frozen=True, eq=False)
class Values:
    """What a metric says about each graph of a stack: the fields of `Value` as arrays.

    Parameters
    ----------
    value, residual
        Shape ``(graphs,)``.
    reasons
        Why a value is NaN, by the number of its graph.

    Examples
    --------
    >>> values = Values.exact(np.array([2, 3])).undefined(np.array([False, True]), "the graph has no edges")
    >>> values[0].value, values[1].reason
    (2.0, 'the graph has no edges')
    """

    value: Vector
    residual: Vector
    reasons: dict[int, str] = field(default_factory=dict)

    @classmethod
    def exact(cls, value: Any) -> Values:
        """Numbers without an error."""
        numbers: Vector = np.asarray(value, dtype=np.float64)
        return cls(numbers, np.zeros(numbers.size))

    @classmethod
    def of(cls, estimates: Estimates) -> Values:
        """The values of spectral estimates, their evidence and their reasons with them."""
        return cls(estimates.value, estimates.residual, estimates.reasons)

    def undefined(self, where: npt.NDArray[np.bool_], reason: str) -> Values:
        """No value exists there; a reason that is given already stays."""
        if not where.any():
            return self
        places = np.flatnonzero(where).tolist()
        value, residual = (np.where(where, np.nan, numbers) for numbers in (self.value, self.residual))
        return Values(value, residual, dict.fromkeys(places, reason) | self.reasons)

    def because_of(self, *others: Values) -> Values:
        """The same values, undefined where one of the others is; the reasons of the first come first."""
        reasons = self.reasons
        for other in others:
            reasons = other.reasons | reasons
        if not reasons:
            return self
        value, residual, places = self.value.copy(), self.residual.copy(), list(reasons)
        value[places] = residual[places] = np.nan
        return Values(value, residual, reasons)

    def __getitem__(self, place: int) -> Value:
        return Value(float(self.value[place]), float(self.residual[place]), self.reasons.get(place))


class stacked:
    """A metric's function of a `GraphStack` as one of a graph; `many` serves all graphs of a stack by its array passes.

    So there is one formula for one graph and for ten thousand.

    Parameters
    ----------
    function
        ``function(stack) -> Values``. What is divided by zero, and hidden by a reason, gives no warning.

    Examples
    --------
    >>> edges = stacked(lambda stack: Values.exact(stack.n_edges))
    >>> edges(BipartiteGraph.from_mask([[1, 1]])).value
    2.0
    """

    def __init__(self, function: Callable[[GraphStack], Values]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __call__(self, graph: BipartiteGraph) -> Value:
        """The metric of one graph."""
        return self.many(GraphStack([graph]))[0]

    def many(self, stack: GraphStack) -> Values:
        """The metric of each graph."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._function(stack)


def estimates(stack: GraphStack, quantity: str) -> Estimates:
    """A spectral quantity of each graph."""
    return _quantities(stack)[quantity]


@computed_once
def _quantities(stack: GraphStack) -> dict[str, Estimates]:
    spectra = [graph.spectrum(on_failure="nan").estimates for graph in stack.graphs]
    return {quantity: Estimates.of_quantity(spectra, quantity) for quantity in spectra[0]}
