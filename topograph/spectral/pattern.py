"""`Pattern`: a biadjacency as the solvers see it, by rows and by columns, without a data array."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.row_sums import row_sums

Vector = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint64]


class Matrix(NamedTuple):
    """A pattern by rows or by columns, as compiled code takes it; ``weights`` is None where every edge weighs 1."""

    indptr: npt.NDArray[Any]
    indices: npt.NDArray[Any]
    weights: Vector | None

    @classmethod
    def of(cls, indptr: npt.NDArray[Any], indices: npt.NDArray[Any], weights: Vector | None) -> Matrix:
        """The same arrays, read-only: numba would compile once more for arrays that may be written to."""
        return cls(_read_only(indptr), _read_only(indices), None if weights is None else _read_only(weights))


_NARROW_FROM = 1_000_000  # edges: where the indices no longer stay in the cache next to the core
_HALF_DENSE = 0.15  # density from which a bit per pair says more quickly than an index per edge what to add
_WIDE = 512  # nodes of the smaller side from which tables pay


class _Edges:
    """The index arrays of a graph by inputs and by outputs, and their bits, each made when it is first asked for."""

    def __init__(self, graph: BipartiteGraph, weights: Vector | None) -> None:
        self.graph, self.weights = graph, weights
        self.n_edges = graph.n_edges

    @cached_property
    def is_half_dense(self) -> bool:
        """See `Pattern.is_half_dense`."""
        is_large = self.n_edges >= _NARROW_FROM and min(self.graph.shape) >= _WIDE
        return is_large and self.weights is None and self.n_edges >= _HALF_DENSE * math.prod(self.graph.shape)

    @cached_property
    def given(self) -> Matrix:
        """The outputs of each input: views of the graph's own arrays."""
        return Matrix.of(_unsigned(self.graph.indptr), _unsigned(self.graph.indices), self.weights)

    @cached_property
    def rows(self) -> Matrix:
        """The same with indices of 16 bits where there are many, and of 32 bits at most."""
        indptr, indices, weights = self.given
        if indices.size >= _NARROW_FROM and max(self.graph.shape) <= 1 << 16:
            indices = indices.astype(np.uint16)  # half the traffic, where products wait for memory
        elif indices.itemsize == 8:
            indices = indices.astype(np.uint32)  # a side has less than 2³¹ nodes, however many edges there are
        return Matrix.of(indptr, indices, weights)

    @cached_property
    def columns(self) -> Matrix:
        """The inputs of each output, by counting."""
        from topograph.spectral.index_arrays import transpose, transpose_data

        indptr, indices, weights = self.rows
        col_indptr, col_indices = transpose(indptr, indices, self.graph.n_right)
        moved = None if weights is None else transpose_data(indptr, indices, weights, col_indptr)
        return Matrix.of(col_indptr, col_indices, moved)

    @cached_property
    def column_starts(self) -> npt.NDArray[Any]:
        """Where the inputs of each output begin: counted from the bits where products are by these."""
        if not self.is_half_dense:
            return self.columns.indptr
        counts = np.bitwise_count(self.codes[1]).sum(axis=0, dtype=self.given.indptr.dtype)
        return _read_only(np.concatenate([[0], np.cumsum(counts)]).astype(counts.dtype))

    @cached_property
    def codes(self) -> tuple[Codes, Codes]:
        """A bit per pair, by rows and by columns, as `topograph.spectral.lanczos.lookups` reads them."""
        from topograph.spectral.lanczos.kernels import write_codes
        from topograph.spectral.lanczos.table import WORD
        from topograph.spectral.threads import run_parts, useful_threads

        n, m = self.graph.shape
        by_rows, by_columns = (np.zeros((-(-a // WORD), b), np.uint64) for a, b in ((m, n), (n, m)))
        threads = useful_threads(self.n_edges)
        cuts = [min(n, by_columns.shape[0] * part // threads * WORD) for part in range(threads + 1)]
        run_parts([(write_codes, self.given, by_rows, by_columns, lo, hi) for lo, hi in pairwise(cuts)])
        return _read_only(by_rows), _read_only(by_columns)


@dataclass(frozen=True)
class Pattern:
    """The edges of a graph by rows and by columns, unsigned, and their weights where there are any.

    What nobody asks for is not made: the spectrum of a half-dense graph needs a bit per pair and no index.

    Parameters
    ----------
    edges
        The index arrays.
    is_turned
        Whether the graph's outputs are the inputs of the pattern.
    """

    edges: _Edges
    is_turned: bool = False

    @classmethod
    def of(cls, graph: BipartiteGraph, weights: Vector | None = None) -> Pattern:
        """The pattern of a graph; ``weights`` are one positive number per edge, or None where every weight is 1."""
        return cls(_Edges(graph, weights))

    @property
    def transposed(self) -> Pattern:
        """The same edges seen from the outputs; shares every array."""
        return Pattern(self.edges, not self.is_turned)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of inputs and of outputs."""
        n, m = self.edges.graph.shape
        return (m, n) if self.is_turned else (n, m)

    @property
    def n_left(self) -> int:
        """Number of inputs."""
        return self.shape[0]

    @property
    def n_right(self) -> int:
        """Number of outputs."""
        return self.shape[1]

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return self.edges.n_edges

    @property
    def is_weighted(self) -> bool:
        """Whether edges have weights."""
        return self.edges.weights is not None

    @property
    def is_half_dense(self) -> bool:
        """Whether a large pattern without weights has an edge for so many pairs that products look sums up."""
        return self.edges.is_half_dense

    @property
    def codes(self) -> tuple[Codes, Codes]:
        """A bit per pair, by rows and by columns, as `topograph.spectral.lanczos.lookups` reads them."""
        by_rows, by_columns = self.edges.codes
        return (by_columns, by_rows) if self.is_turned else (by_rows, by_columns)

    @property
    def by_rows(self) -> Matrix:
        """The outputs of each input."""
        return self.edges.columns if self.is_turned else self.edges.rows

    @property
    def by_columns(self) -> Matrix:
        """The inputs of each output."""
        return self.edges.rows if self.is_turned else self.edges.columns

    @property
    def indptr(self) -> npt.NDArray[Any]:
        """Where the outputs of each input begin in ``indices``."""
        return self.edges.column_starts if self.is_turned else self.edges.given.indptr

    @property
    def col_indptr(self) -> npt.NDArray[Any]:
        """Where the inputs of each output begin in ``col_indices``."""
        return self.transposed.indptr

    @property
    def indices(self) -> npt.NDArray[Any]:
        """The outputs of each input, in order."""
        return self.by_rows.indices

    @property
    def col_indices(self) -> npt.NDArray[Any]:
        """The inputs of each output, in order."""
        return self.by_columns.indices

    @property
    def weights(self) -> Vector | None:
        """The weights in the order of ``indices``."""
        return self.by_rows.weights

    @cached_property
    def left(self) -> Vector:
        """Degrees of the inputs: sums of weights."""
        return _degrees(self.indptr, self.weights if self.is_weighted else None)

    @cached_property
    def right(self) -> Vector:
        """Degrees of the outputs: sums of weights."""
        return _degrees(self.col_indptr, self.by_columns.weights if self.is_weighted else None)

    @property
    def is_connected(self) -> bool:
        """Whether every node can be reached from every other; an isolated node cannot."""
        from topograph.spectral.index_arrays import is_connected, is_soon_connected

        if (np.diff(self.indptr) == 0).any() or (np.diff(self.col_indptr) == 0).any():
            return False
        if self.is_half_dense and is_soon_connected(self.codes[0]):
            return True
        return bool(is_connected(self.by_rows, self.by_columns))

    @cached_property
    def arguments(self) -> tuple[int, ...]:
        """Rows and columns, or the codes in their place where it is half-dense, as portable code takes them."""
        from topograph.machine_code import NONE, as_arguments
        from topograph.spectral.lanczos.kernels import matrix_arguments

        if self.is_half_dense:
            return *NONE, *NONE, *(one for codes in self.codes for one in as_arguments(codes))
        return *matrix_arguments(self.by_rows), *matrix_arguments(self.by_columns), *NONE, *NONE


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _unsigned(indices: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same memory, read as unsigned integers: no index is negative."""
    return indices.view(np.uint32 if indices.dtype.itemsize == 4 else np.uint64)


def _degrees(indptr: npt.NDArray[Any], weights: Vector | None) -> Vector:
    return np.diff(indptr).astype(np.float64) if weights is None else row_sums(weights, indptr)
