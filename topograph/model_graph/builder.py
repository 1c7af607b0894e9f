"""`GraphBuilder`: collects units and operators while a model is read, and makes a `NetworkGraph` of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidParameterError
from topograph.model_graph.graph import NetworkGraph, WeightedLayer
from topograph.model_graph.merging import merge_sums
from topograph.model_graph.operators import Combination, Contraction, Operator, Pairing, Pattern
from topograph.model_graph.references import Ids

_MOST_UNITS = 2**31 - 2


class GraphBuilder:
    """Arrays of unit numbers go in and come out; 0 is a constant 0.

    Examples
    --------
    >>> builder = GraphBuilder()
    >>> x = builder.inputs((3,))
    >>> y = builder.contract(x.reshape(1, 1, 3), Pattern(np.eye(3, dtype=bool)[None]))
    >>> builder.sum([x, y.ravel()]).tolist()
    [7, 8, 9]
    """

    def __init__(self) -> None:
        self.n_units = 0
        self.operators: list[Operator] = []
        self._inputs: list[Ids] = []
        self._closed: list[Ids] = []

    def _new(self, shape: Sequence[int]) -> Ids:
        first, self.n_units = self.n_units + 1, self.n_units + math.prod(shape)
        if self.n_units > _MOST_UNITS:
            raise InvalidParameterError(f"the network has more than {_MOST_UNITS} units; give a smaller example=")
        return np.arange(first, self.n_units + 1, dtype=np.int64).reshape(shape)

    def close(self, units: Ids) -> None:
        """An activation is applied to these units: they are neurons of their own, and no sum takes their edges over."""
        self._closed.append(units.ravel())

    def inputs(self, shape: Sequence[int]) -> Ids:
        """Units of an input of the network."""
        ids = self._new(shape)
        self._inputs.append(ids.ravel())
        return ids

    def contract(self, sources: Ids, pattern: Pattern) -> Ids:
        """``places × groups × inputs`` over a pattern ``groups × inputs × outputs``; see `Contraction`."""
        shape = *sources.shape[:2], pattern.edges.shape[2]
        if not sources.any():
            return np.zeros(shape, dtype=np.int64)
        targets = self._new(shape)
        self.operators.append(Contraction(sources, pattern, targets))
        return targets

    def sum(self, terms: Sequence[Ids]) -> Ids:
        """The sum of arrays that broadcast."""
        return self._combine(terms, is_sum=True)

    def product(self, factors: Sequence[Ids]) -> Ids:
        """A product, a maximum, any function of a few arrays that broadcast: an edge from each."""
        return self._combine(factors, is_sum=False)

    def reduce(self, terms: Ids) -> Ids:
        """The sum, mean or maximum over the last axis; equal terms count once."""
        shape, terms = terms.shape[:-1], terms.reshape(-1, terms.shape[-1])
        return self._combined(terms, is_sum=False).reshape(shape)

    def pair(self, first: Ids, second: Ids) -> Ids:
        """The product of two stacks of matrices, both of which depend on the input."""
        if not first.any() or not second.any():
            return np.zeros((*first.shape[:2], second.shape[2]), dtype=np.int64)
        targets = self._new((*first.shape[:2], second.shape[2]))
        self.operators.append(Pairing(first, second, targets))
        return targets

    def _combine(self, parts: Sequence[Ids], *, is_sum: bool) -> Ids:
        spread = np.broadcast_arrays(*parts)
        terms = np.stack([part.ravel() for part in spread], axis=1)
        return self._combined(terms, is_sum=is_sum).reshape(spread[0].shape)

    def _combined(self, terms: Ids, *, is_sum: bool) -> Ids:
        terms = _without_repetition(terms)
        if (np.count_nonzero(terms, axis=1) <= 1).all():  # each has one source: it is that unit
            return np.asarray(terms.max(axis=1, initial=0))
        targets = self._new((len(terms),))
        self.operators.append(Combination(terms, targets, is_sum=is_sum))
        return targets

    def finish(self, outputs: Iterable[Ids], layers: Iterable[WeightedLayer] = (), n_weights: int = 0) -> NetworkGraph:
        """The graph: without operations that no output needs, sums merged, units numbered anew.

        Parameters
        ----------
        outputs
            Units of the outputs.
        layers
            The masked layers.
        n_weights
            How many weights their patterns number.
        """
        ends = np.unique(np.concatenate([np.asarray(ids).ravel() for ids in outputs] or [np.zeros(0, np.int64)]))
        ends = ends[ends > 0]
        inputs = np.concatenate([*self._inputs, np.zeros(0, np.int64)])
        operators = _needed(self.operators, ends, self.n_units)
        operators = merge_sums(operators, np.concatenate([inputs, ends, *self._closed]), self.n_units)
        there = np.zeros(self.n_units + 1, dtype=bool)
        there[inputs] = True
        for operator in operators:
            there[operator.targets.ids] = True
        numbers = np.where(there, np.cumsum(there), 0)
        for operator in operators:
            operator.renumbered(numbers)
        n_units = int(numbers.max(initial=0))
        return NetworkGraph(n_units, numbers[inputs], numbers[ends], tuple(operators), tuple(layers), n_weights)


def _without_repetition(terms: Ids) -> Ids:
    """Equal units in a row become one: x + x and x · x are functions of x alone."""
    if terms.shape[1] == 2:
        same = terms[:, 0] == terms[:, 1]
        return np.stack([terms[:, 0], np.where(same, 0, terms[:, 1])], axis=1) if same.any() else terms
    ordered = np.sort(terms, axis=1)
    repeated = np.zeros(terms.shape, dtype=bool)
    repeated[:, 1:] = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)
    return np.where(repeated, 0, ordered) if repeated.any() else terms


def _needed(operators: Sequence[Operator], outputs: npt.NDArray[np.int64], n_units: int) -> list[Operator]:
    """Those of which some target leads, operation by operation, to an output."""
    wanted = np.zeros(n_units + 1, dtype=bool)
    wanted[outputs] = True
    kept = []
    for operator in reversed(operators):
        if wanted[operator.targets.ids].any():
            kept.append(operator)
            for read in operator.reads:
                wanted[read.ids] = True
            wanted[0] = False
    return kept[::-1]
