"""`solve_stacked`: small irregular graphs of one shape, their matrices stacked by size for LAPACK.

Each number is that of `DenseSolver` to the bit: LAPACK gets the same matrices, only many of them in one call. What
Python and NumPy do around a call takes many times the call itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.spectral.estimate import Estimate
from topograph.spectral.pattern import Vector
from topograph.spectral.solvers.dense import LARGEST_REDUCED, backward_error, dense_estimate, symmetric_eigenvalues

_ENTRIES = 1 << 22  # of the masks that are held as dense arrays together

Counts = npt.NDArray[np.int64]


def solve_stacked(
    graphs: list[BipartiteGraph], needed: Collection[str], largest_order: int
) -> Iterator[tuple[int, dict[str, Estimate]]]:
    """The ``needed`` values by place, of those graphs that are one incomplete component and isolated nodes.

    The components of these graphs are kept with them.

    Parameters
    ----------
    graphs
        All of one shape, with at least as many inputs as outputs.
    needed
        Quantities of connected graphs; see `topograph.spectral.solvers.protocol`.
    largest_order
        Graphs whose reduced Laplacian is larger are left out.
    """
    n, m = graphs[0].shape
    step = max(1, _ENTRIES // (n * m))
    for start in range(0, len(graphs), step):
        chosen = graphs[start : start + step]
        stack = _Stack.of(chosen)
        places = np.flatnonzero(stack.are_one_component())
        for place, labels in zip(places.tolist(), stack.component_labels(places), strict=True):
            chosen[place].keep_component_labels(labels)
        stack = stack.take(places)
        fit = np.flatnonzero(stack.fits(largest_order))
        for place, values in zip(places[fit].tolist(), stack.take(fit).solve(needed), strict=True):
            yield start + place, values


@dataclass(frozen=True)
class _Stack:
    """Masks of one shape as floats, ``(graphs, n, m)``, with the degrees of both sides."""

    masks: Vector
    left: Counts
    right: Counts

    @classmethod
    def of(cls, graphs: list[BipartiteGraph]) -> _Stack:
        count, (n, m) = len(graphs), graphs[0].shape
        left = np.stack([graph.left_degrees for graph in graphs])
        masks = np.zeros(count * n * m)
        rows = np.repeat(np.arange(count * n), left.ravel())
        masks[rows * m + np.concatenate([graph.indices for graph in graphs])] = 1.0
        return cls(masks.reshape(count, n, m), left, np.stack([graph.right_degrees for graph in graphs]))

    def take(self, places: Counts) -> _Stack:
        """The graphs at these places."""
        return _Stack(self.masks[places], self.left[places], self.right[places])

    @property
    def sides(self) -> tuple[Counts, Counts]:
        """Numbers of inputs and of outputs that have an edge."""
        return np.count_nonzero(self.left, axis=1), np.count_nonzero(self.right, axis=1)

    def are_one_component(self) -> npt.NDArray[np.bool_]:
        """Whether all outputs that have an edge reach each other."""
        reach = (self.masks.transpose(0, 2, 1) @ self.masks > 0).astype(np.float64)
        for _ in range(int(np.ceil(np.log2(reach.shape[1])))):
            reach = (reach @ reach > 0).astype(np.float64)
        alive = self.right > 0
        pairs = alive[:, :, None] & alive[:, None, :]
        return np.asarray(alive.any(axis=1) & ((reach > 0) | ~pairs).all(axis=(1, 2)))

    def component_labels(self, places: Counts) -> Iterator[Counts]:
        """Of each node of these graphs, which are one component and isolated nodes; numbered by their lowest node."""
        alive = np.concatenate([self.left[places] > 0, self.right[places] > 0], axis=1)
        begins = ~alive
        first = np.argmax(alive, axis=1)[:, None]
        np.put_along_axis(begins, first, True, axis=1)
        numbers = np.cumsum(begins, axis=1) - 1
        yield from np.where(alive, np.take_along_axis(numbers, first, axis=1), numbers)

    def fits(self, largest_order: int) -> npt.NDArray[np.bool_]:
        """Whether `solve` is for this graph: incomplete, no wider than long, and small once reduced."""
        n, m = self.sides
        order = np.where(n + m <= largest_order, n + m, self._factor_rows.sum(axis=1) + m)
        return np.asarray((self.left.sum(axis=1) < n * m) & (n >= m) & (order <= largest_order))

    def solve(self, needed: Collection[str]) -> list[dict[str, Estimate]]:
        """The values of each graph."""
        found: list[dict[str, Estimate]] = [{} for _ in self.left]
        if {"connectivity", "laplacian_max", "laplacian_second_max"} & set(needed):
            self._add_laplacian(found, needed)
        for places, matrices in self._connected_parts():
            n = matrices.shape[1]
            if {"sigma1", "sigma2"} & set(needed):
                sigmas = np.linalg.svd(matrices, compute_uv=False)[:, :2].tolist()
                for place, pair in zip(places, sigmas, strict=True):
                    for name, sigma in zip(("sigma1", "sigma2"), pair, strict=True):
                        if name in needed:
                            found[place][name] = dense_estimate(sigma, backward_error(n, pair[0]))
            if "normalized_gap" in needed:
                left, right = matrices.sum(axis=2), matrices.sum(axis=1)
                scaled = matrices / np.sqrt(left)[:, :, None] / np.sqrt(right)[:, None, :]
                gaps = (1.0 - np.linalg.svd(scaled, compute_uv=False)[:, 1]).tolist()
                for place, gap in zip(places, gaps, strict=True):
                    found[place]["normalized_gap"] = dense_estimate(gap, backward_error(n, 1.0))
        return found

    # ------------------------------------------------------------------ the Laplacian, reduced as in `DenseSolver`

    @property
    def _degree_counts(self) -> Counts:
        """How many inputs have degree 0, 1, …, m."""
        count, m = self.right.shape
        numbers = np.arange(count)[:, None] * (m + 1) + self.left
        return np.bincount(numbers.ravel(), minlength=count * (m + 1)).reshape(count, m + 1)

    @property
    def _factor_rows(self) -> Counts:
        """Rows of the factor of the inputs of degree 1, 2, …, m."""
        return np.minimum(self._degree_counts[:, 1:], self.sides[1][:, None])

    def _add_laplacian(self, found: list[dict[str, Estimate]], needed: Collection[str]) -> None:
        n, m = self.sides
        sizes = self._factor_rows.sum(axis=1) + m
        reduced = sizes <= LARGEST_REDUCED * (n + m)
        ends: list[tuple[list[int], Vector]] = []
        for places, matrices in self._connected_parts(~reduced):
            left, right = matrices.sum(axis=2), matrices.sum(axis=1)
            ends.append((places, symmetric_eigenvalues(_laplacians(matrices, left, right))))
        factors, degrees, repeated = self._factors(np.flatnonzero(reduced))
        outputs = np.argsort(self.right == 0, axis=1, kind="stable")
        right = np.take_along_axis(self.right, outputs, axis=1)
        for (size, width), places in _groups(sizes, m, among=reduced):
            rows = size - width
            stacked = _laplacians(factors[places, :rows, :width], degrees[places, :rows], right[places, :width])
            ends.append((places, symmetric_eigenvalues(stacked)))
        for places, eigenvalues in ends:
            lowest, highest = eigenvalues[:, :2].tolist(), eigenvalues[:, -2:].tolist()
            for place, low, high in zip(places, lowest, highest, strict=True):
                copies = repeated.get(place, [])
                second, (before, last) = sorted([*low, *copies])[1], sorted([*high, *copies])[-2:]
                bound = backward_error(int(n[place] + m[place]), last)
                values = {"connectivity": second, "laplacian_max": last, "laplacian_second_max": before}
                found[place] |= {name: dense_estimate(values[name], bound) for name in values if name in needed}

    def _factors(self, places: Counts) -> tuple[Vector, Vector, dict[int, list[float]]]:
        """QR factors of the inputs of each degree, one below the other, with the degrees of their rows.

        Outputs without an edge stand last. What the reduction takes from the spectrum comes third: twice each degree
        that is an eigenvalue at least twice more.
        """
        n_right = self.sides[1]
        counts, rows = self._degree_counts, self._factor_rows
        begins, offsets = np.cumsum(counts, axis=1) - counts, np.cumsum(rows, axis=1) - rows
        # by degree, and in their order within a degree
        by_degree = np.argsort(self.left, axis=1, kind="stable")
        alive_first = np.argsort(self.right == 0, axis=1, kind="stable")
        masks = np.take_along_axis(self.masks, by_degree[:, :, None], axis=1)
        masks = np.take_along_axis(masks, alive_first[:, None, :], axis=2)
        factors = np.zeros((len(masks), int(rows.sum(axis=1).max(initial=0)), masks.shape[2]))
        degrees = np.zeros(factors.shape[:2])
        chosen, degree = np.nonzero(counts[places, 1:])
        place = places[chosen]
        degree += 1
        number, width = counts[place, degree], n_right[place]
        begin, offset = begins[place, degree], offsets[place, degree - 1]
        for (size, columns), group in _groups(number, width):
            block = masks[place[group, None], begin[group, None] + np.arange(size), :columns]
            if size > columns:
                block = np.asarray(np.linalg.qr(block, mode="r"))
            to = place[group, None], offset[group, None] + np.arange(block.shape[1])
            factors[(*to, slice(columns))] = block
            degrees[to] = degree[group, None]
        repeated: dict[int, list[float]] = defaultdict(list)
        copies = np.minimum(np.maximum(number - width, 0), 2)
        for which, value, times in zip(place.tolist(), degree.tolist(), copies.tolist(), strict=True):
            repeated[which] += [float(value)] * times
        return factors, degrees, repeated

    def _connected_parts(self, among: npt.NDArray[np.bool_] | None = None) -> Iterator[tuple[list[int], Vector]]:
        """The masks without isolated nodes, by size: places and ``(graphs, inputs, outputs)``."""
        for (rows, columns), places in _groups(*self.sides, among=among):
            matrices = self.masks[places]
            if rows < matrices.shape[1]:
                matrices = matrices[self.left[places] > 0].reshape(len(places), rows, -1)
            if columns < matrices.shape[2]:
                turned = matrices.transpose(0, 2, 1)[self.right[places] > 0]
                matrices = turned.reshape(len(places), columns, rows).transpose(0, 2, 1)
            yield places, matrices


def _groups(
    first: Counts, second: Counts, *, among: npt.NDArray[np.bool_] | None = None
) -> list[tuple[tuple[int, int], list[int]]]:
    """Places of equal pairs of numbers."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        if among is None or among[place]:
            groups[pair].append(place)
    return list(groups.items())


def _laplacians(matrices: Vector, left: Vector, right: Vector) -> Vector:
    count, n, m = matrices.shape
    laplacians = np.zeros((count, n + m, n + m))
    diagonal = np.arange(n + m)
    laplacians[:, diagonal, diagonal] = np.concatenate([left, right], axis=1)
    laplacians[:, n:, :n] = -matrices.transpose(0, 2, 1)  # the lower triangle is read
    return laplacians
