"""`Pattern`: a biadjacency as the solvers see it, by rows and by columns, without a data array."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Pattern:
    """The index arrays of B by rows and by columns, unsigned, and the weights where there are any.

    Parameters
    ----------
    indptr, indices
        CSR: the outputs of each input. Views of the graph's own arrays, or 16-bit copies of large ones.
    col_indptr, col_indices
        CSC: the inputs of each output.
    weights, col_weights
        One positive number per edge, in either order; None for a plain pattern, where every weight is 1.
    """

    indptr: npt.NDArray[Any]
    indices: npt.NDArray[Any]
    col_indptr: npt.NDArray[Any]
    col_indices: npt.NDArray[Any]
    weights: Vector | None = None
    col_weights: Vector | None = None

    @classmethod
    def of(cls, graph: BipartiteGraph, weights: Vector | None = None) -> Pattern:
        """The pattern of a graph; the columns are found by counting, in one pass."""
        from topograph.spectral.index_arrays import transpose, transpose_data

        indptr, indices = _unsigned(graph.indptr), _unsigned(graph.indices)
        if indices.size >= _NARROW_FROM and max(graph.shape) <= 1 << 16:
            indices = indices.astype(np.uint16)  # half the traffic, where products wait for memory
        elif indices.itemsize == 8:
            indices = indices.astype(np.uint32)  # a side has less than 2³¹ nodes, however many edges there are
        indptr, indices = _read_only(indptr), _read_only(indices)
        col_indptr, col_indices = transpose(indptr, indices, graph.n_right)
        if weights is None:
            return cls(indptr, indices, col_indptr, col_indices)
        return cls(
            indptr, indices, col_indptr, col_indices, weights, transpose_data(indptr, indices, weights, col_indptr)
        )

    @property
    def n_left(self) -> int:
        """Number of inputs."""
        return self.indptr.size - 1

    @property
    def n_right(self) -> int:
        """Number of outputs."""
        return self.col_indptr.size - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Number of inputs and of outputs."""
        return self.n_left, self.n_right

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return self.indices.size

    @cached_property
    def left(self) -> Vector:
        """Degrees of the inputs: sums of weights."""
        return _degrees(self.indptr, self.weights)

    @cached_property
    def right(self) -> Vector:
        """Degrees of the outputs: sums of weights."""
        return _degrees(self.col_indptr, self.col_weights)

    @property
    def is_connected(self) -> bool:
        """Whether every node can be reached from every other; an isolated node cannot."""
        from topograph.spectral.index_arrays import is_connected

        if (np.diff(self.indptr) == 0).any() or (np.diff(self.col_indptr) == 0).any():
            return False
        return bool(is_connected(self.by_rows, self.by_columns))

    @property
    def transposed(self) -> Pattern:
        """The same edges seen from the outputs; shares every array."""
        return Pattern(self.col_indptr, self.col_indices, self.indptr, self.indices, self.col_weights, self.weights)

    @property
    def is_half_dense(self) -> bool:
        """Whether a large pattern without weights has an edge for so many pairs that products look sums up."""
        is_large = self.n_edges >= _NARROW_FROM and min(self.shape) >= _WIDE
        return is_large and self.weights is None and self.n_edges >= _HALF_DENSE * self.n_left * self.n_right

    @cached_property
    def codes(self) -> tuple[Codes, Codes]:
        """A bit per pair, by rows and by columns, as `topograph.spectral.lanczos.lookups` reads them."""
        from topograph.spectral.lanczos.kernels import write_codes
        from topograph.spectral.lanczos.table import WORD
        from topograph.spectral.threads import run_parts, useful_threads

        n, m = self.shape
        by_rows, by_columns = (np.zeros((-(-a // WORD), b), np.uint64) for a, b in ((m, n), (n, m)))
        threads = useful_threads(self.n_edges)
        cuts = [min(n, by_columns.shape[0] * part // threads * WORD) for part in range(threads + 1)]
        run_parts([(write_codes, self, by_rows, by_columns, lo, hi) for lo, hi in pairwise(cuts)])
        return _read_only(by_rows), _read_only(by_columns)

    @cached_property
    def by_rows(self) -> Matrix:
        """The outputs of each input."""
        return Matrix.of(self.indptr, self.indices, self.weights)

    @cached_property
    def by_columns(self) -> Matrix:
        """The inputs of each output."""
        return Matrix.of(self.col_indptr, self.col_indices, self.col_weights)

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
