"""`Operator`: one operation of a network as edges between units; `Contraction`, `Combination` and `Pairing`."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.model_graph.references import Ids, Numbers, References

Flags = npt.NDArray[np.bool_]
Edges = tuple[Ids, Ids]

_SPARSE = 0.25  # density below which the products of a pattern skip what is not there
_KEPT = 1 << 22  # entries of a pattern that is kept as floating-point numbers between products


class Operator(Protocol):
    """Edges from the units that it reads to the units that it writes; parallel edges count each."""

    targets: References

    @property
    def weight(self) -> str:
        """Name of the masked weight; empty for an operation without one."""
        ...

    @property
    def reads(self) -> tuple[References, ...]:
        """What it reads."""
        ...

    def forward(self, x: Numbers) -> Numbers:
        """For each target the sum of ``x`` over the edges that end there."""
        ...

    def backward(self, y: Numbers, x: Numbers) -> None:
        """Add ``y`` of each target to the entries of ``x`` where its edges begin."""
        ...

    def renumbered(self, numbers: Ids) -> None:
        """Give every unit its new number; 0 is gone."""
        ...

    def edges(self, chosen: Flags) -> Edges:
        """Sources and targets of all edges that begin at a chosen unit."""
        ...

    @property
    def cost(self) -> int:
        """Multiplications of one pass."""
        ...


class Pattern:
    """Edges of a layer, which every place and every step shares.

    Parameters
    ----------
    edges
        ``groups × inputs × outputs``.
    weight
        Name of the masked weight; empty for an operation without one.
    numbers
        For each possible edge the number of its weight among all masked weights of the network; −1 where it is not
        counted. None without a masked weight.
    """

    def __init__(self, edges: Flags, weight: str = "", numbers: Ids | None = None) -> None:
        self.edges, self.weight, self.numbers = edges, weight, numbers

    @cached_property
    def sparse(self) -> tuple[sp.csr_array, sp.csr_array] | None:
        """Outputs × inputs and its transpose, of one group with few edges."""
        if len(self.edges) > 1 or np.count_nonzero(self.edges) > _SPARSE * self.edges.size:
            return None
        matrix = sp.csr_array(self.edges[0]).astype(np.float64)
        return matrix.T.tocsr(), matrix

    @cached_property
    def _small(self) -> Numbers | None:
        return self.edges.astype(np.float64) if self.edges.size <= _KEPT else None

    @property
    def dense(self) -> Numbers:
        """As floating-point numbers."""
        return self.edges.astype(np.float64) if self._small is None else self._small


class Contraction:
    """A matrix over each of many places: a layer, a convolution, the steps of a cell.

    Parameters
    ----------
    sources
        Units that it reads, ``places × groups × inputs``.
    pattern
        Its edges.
    targets
        Units that it writes, ``places × groups × outputs``.
    """

    def __init__(self, sources: Ids, pattern: Pattern, targets: Ids) -> None:
        self.sources, self.targets, self.pattern = References(sources), References(targets), pattern

    @property
    def weight(self) -> str:
        """Name of the masked weight; empty without one."""
        return self.pattern.weight

    @property
    def reads(self) -> tuple[References, ...]:
        """See `Operator`."""
        return (self.sources,)

    def forward(self, x: Numbers) -> Numbers:
        """See `Operator`."""
        values = self.sources.take(x)
        if self.pattern.sparse is not None:
            products: Numbers = (self.pattern.sparse[0] @ np.ascontiguousarray(values[:, 0].T)).T[:, None]
        elif len(self.pattern.edges) == 1:
            products = (values[:, 0] @ self.pattern.dense[0])[:, None]
        else:
            products = np.matmul(values.transpose(1, 0, 2), self.pattern.dense).transpose(1, 0, 2)
        return products

    def backward(self, y: Numbers, x: Numbers) -> None:
        """See `Operator`."""
        if self.pattern.sparse is not None:
            values = (self.pattern.sparse[1] @ np.ascontiguousarray(y[:, 0].T)).T[:, None]
        elif len(self.pattern.edges) == 1:
            values = (y[:, 0] @ self.pattern.dense[0].T)[:, None]
        else:
            values = np.matmul(y.transpose(1, 0, 2), self.pattern.dense.transpose(0, 2, 1)).transpose(1, 0, 2)
        self.sources.add_to(x, np.ascontiguousarray(values))

    def used(self, ahead: Numbers, back: Numbers) -> Flags:
        """Which edges lie on a path at some place, by flags 0 or 1 of what leads there and what leads on."""
        begins = self.sources.take(ahead).astype(np.float32).transpose(1, 2, 0)
        ends = self.targets.take(back).astype(np.float32).transpose(1, 0, 2)
        return np.asarray((np.matmul(begins, ends) > 0) & self.pattern.edges)

    def renumbered(self, numbers: Ids) -> None:
        """See `Operator`."""
        self.sources, self.targets = References(numbers[self.sources.ids]), References(numbers[self.targets.ids])

    def edges(self, chosen: Flags) -> Edges:
        """See `Operator`."""
        place, group, row = np.nonzero(chosen[self.sources.ids])
        begins, ends = [], []
        for number, pattern in enumerate(self.pattern.edges):
            here = group == number
            matrix = sp.csr_array(pattern)
            counts = np.diff(matrix.indptr)[row[here]]
            first = np.repeat(matrix.indptr[row[here]] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
            column = matrix.indices[first + np.arange(counts.sum())]
            begins.append(np.repeat(self.sources.ids[place[here], number, row[here]], counts))
            ends.append(self.targets.ids[np.repeat(place[here], counts), number, column])
        return np.concatenate(begins), np.concatenate(ends)

    @property
    def cost(self) -> int:
        """See `Operator`."""
        edges = self.pattern.edges.size if self.pattern.sparse is None else self.pattern.sparse[0].nnz
        return self.sources.size + len(self.sources.ids) * edges


class Combination:
    """Each target from a few units of its own: a sum, a product, a pooling window.

    Parameters
    ----------
    terms
        Units that it reads, ``targets × terms``; 0 where there are fewer.
    targets
        Units that it writes.
    is_sum
        Whether it is a plain sum, which takes the edges of its terms over where nothing else reads them.
    """

    weight = ""

    def __init__(self, terms: Ids, targets: Ids, *, is_sum: bool = False) -> None:
        self.terms, self.targets, self.is_sum = References(terms), References(targets), is_sum

    @property
    def reads(self) -> tuple[References, ...]:
        """See `Operator`."""
        return (self.terms,)

    def forward(self, x: Numbers) -> Numbers:
        """See `Operator`."""
        return np.asarray(self.terms.take(x).sum(axis=1))

    def backward(self, y: Numbers, x: Numbers) -> None:
        """See `Operator`."""
        self.terms.add_to(x, np.broadcast_to(y[:, None], self.terms.shape))

    def renumbered(self, numbers: Ids) -> None:
        """See `Operator`."""
        self.terms, self.targets = References(numbers[self.terms.ids]), References(numbers[self.targets.ids])

    def edges(self, chosen: Flags) -> Edges:
        """See `Operator`."""
        row, column = np.nonzero(chosen[self.terms.ids])
        return self.terms.ids[row, column], self.targets.ids[row]

    @property
    def cost(self) -> int:
        """See `Operator`."""
        return self.terms.size


class Pairing:
    """A product of two matrices that both depend on the input: element (i, j) reads a row and a column.

    Parameters
    ----------
    first, second
        Units of the factors, ``batch × rows × inner`` and ``batch × inner × columns``. Where one factor is a constant
        0, no edge leads from the other.
    targets
        Units that it writes, ``batch × rows × columns``.
    """

    weight = ""

    def __init__(self, first: Ids, second: Ids, targets: Ids) -> None:
        self.first, self.second, self.targets = References(first), References(second), References(targets)

    @property
    def reads(self) -> tuple[References, ...]:
        """See `Operator`."""
        return self.first, self.second

    def forward(self, x: Numbers) -> Numbers:
        """See `Operator`."""
        first, second = self.first.take(x), self.second.take(x)
        return np.asarray(self._over_columns(first) + self._over_rows(second))

    def _over_columns(self, first: Numbers) -> Numbers:
        if self.second.all_present:
            return np.asarray(first.sum(axis=2)[:, :, None])
        return np.asarray(first @ self.second.present.astype(np.float64))

    def _over_rows(self, second: Numbers) -> Numbers:
        if self.first.all_present:
            return np.asarray(second.sum(axis=1)[:, None, :])
        return np.asarray(self.first.present.astype(np.float64) @ second)

    def backward(self, y: Numbers, x: Numbers) -> None:
        """See `Operator`."""
        if self.second.all_present:
            first = np.broadcast_to(y.sum(axis=2)[:, :, None], self.first.shape)
        else:
            first = y @ self.second.present.astype(np.float64).transpose(0, 2, 1)
        if self.first.all_present:
            second = np.broadcast_to(y.sum(axis=1)[:, None, :], self.second.shape)
        else:
            second = self.first.present.astype(np.float64).transpose(0, 2, 1) @ y
        self.first.add_to(x, first)
        self.second.add_to(x, second)

    def renumbered(self, numbers: Ids) -> None:
        """See `Operator`."""
        self.first, self.second = References(numbers[self.first.ids]), References(numbers[self.second.ids])
        self.targets = References(numbers[self.targets.ids])

    def edges(self, chosen: Flags) -> Edges:
        """See `Operator`."""
        first, second = self.first.ids, self.second.ids
        both = self.first.present[:, :, :, None] & self.second.present[:, None, :, :]  # batch, row, inner, column
        batch, row, inner, column = np.nonzero(both & chosen[first][:, :, :, None])
        begins, ends = first[batch, row, inner], self.targets.ids[batch, row, column]
        batch, row, inner, column = np.nonzero(both & chosen[second][:, None, :, :])
        return (
            np.concatenate([begins, second[batch, inner, column]]),
            np.concatenate([ends, self.targets.ids[batch, row, column]]),
        )

    @property
    def cost(self) -> int:
        """See `Operator`."""
        dense = 0 if self.first.all_present and self.second.all_present else self.first.size * self.second.shape[2]
        return self.first.size + self.second.size + self.targets.size + 2 * dense
