"""How the graph hangs together, and whether it is made of blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.adjacency import by_columns
from topograph.metrics.metric import Metric
from topograph.metrics.stacked import Values, stacked
from topograph.stack import Counts, GraphStack

_GRAY = "Gray, Radford & Kingma (2017), GPU kernels for block-sparse weights"

Flags = npt.NDArray[np.bool_]


@computed_once
def _components(stack: GraphStack) -> tuple[Counts, Counts]:
    """The number of components of each graph, and the nodes of the largest.

    The search is spared where the spectrum is certain that the graph is connected, or where it is one component and
    isolated nodes.
    """
    counts = np.ones(len(stack), dtype=np.int64)
    largest = np.full(len(stack), stack.n_nodes)
    unknown = [place for place, graph in enumerate(stack.graphs) if not _is_certainly_connected(graph)]
    if len(unknown) > 1 and stack.has_small_side:
        alive = (stack.left_degrees > 0).sum(axis=1) + (stack.right_degrees > 0).sum(axis=1)
        counts[unknown], largest[unknown] = 1 + stack.n_nodes - alive[unknown], alive[unknown]
        unknown = [place for place in unknown if not stack.are_one_component[place]]
    for place in unknown:
        sizes = np.bincount(stack.graphs[place].component_labels)
        counts[place], largest[place] = sizes.size, sizes.max()
    return counts, largest


def _is_certainly_connected(graph: BipartiteGraph) -> bool:
    return graph.has_spectrum and graph.spectrum(on_failure="nan")["algebraic_connectivity"].low > 0


@stacked
def _n_components(stack: GraphStack) -> Values:
    return Values.exact(_components(stack)[0])


@stacked
def _giant_share(stack: GraphStack) -> Values:
    return Values.exact(_components(stack)[1] / stack.n_nodes)


def _repeats(sizes: Counts, lines: Callable[[list[int]], tuple[Any, Any]]) -> Counts:
    """The largest p that divides the number of lines (rows or columns), each p of them from the first being equal.

    Sizes alone rule this out for most masks, without a look at the ``lines``.
    """
    same = sizes[:, 1:] == sizes[:, :-1]
    steps = _common_steps(same)
    chosen = np.flatnonzero(steps > 1)
    if chosen.size:
        steps[chosen] = _equal_lines(same[chosen], sizes[chosen], *lines(chosen.tolist()))
    return steps


def _equal_lines(same: Flags, sizes: Counts, indptr: Any, indices: Any) -> Counts:
    """As `_repeats`, for lines of which the ``same`` have the size of the next."""
    most = sizes.shape[1]
    graphs, numbers = np.nonzero(same & (sizes[:, 1:] > 0))  # two rows without an edge are equal, too
    places = graphs * most + numbers
    starts, middles, ends = indptr[places], indptr[places + 1], indptr[places + 2]
    alike = (indices[starts] == indices[middles]) & (indices[middles - 1] == indices[ends - 1])
    same[graphs[~alike], numbers[~alike]] = False
    steps = _common_steps(same)
    for place in np.flatnonzero(alike & (steps[graphs] > 1)):
        start, middle, end = starts[place], middles[place], ends[place]
        if not np.array_equal(indices[start:middle], indices[middle:end]):
            steps[graphs[place]] = math.gcd(int(steps[graphs[place]]), int(numbers[place]) + 1)
    return steps


def _common_steps(same: Flags) -> Counts:
    """A new line may begin only at a multiple of the step."""
    lines = same.shape[1] + 1
    steps = np.ones(len(same), dtype=np.int64)
    chosen = np.flatnonzero(same[:, 0]) if lines > 1 else np.arange(0)  # the others begin anew at the second line
    begins = np.where(same[chosen], 0, np.arange(1, lines))
    steps[chosen] = np.gcd.reduce(begins, axis=1, initial=lines)
    return steps


@stacked
def _block_rows(stack: GraphStack) -> Values:
    def rows(places: list[int]) -> tuple[Any, Any]:
        part = stack if len(places) == len(stack) else stack.take(places)
        return part.indptr, part.indices

    return Values.exact(_repeats(stack.left_degrees, rows))


@stacked
def _block_columns(stack: GraphStack) -> Values:
    def columns(places: list[int]) -> tuple[Any, Any]:
        if len(stack) == 1:
            return by_columns(stack.graphs[0])
        part = stack if len(places) == len(stack) else stack.take(places)
        shape = len(places) * stack.n_left, len(places) * stack.n_right
        blocks = sp.csr_array((np.ones(part.indices.size, dtype=bool), part.indices, part.indptr), shape=shape).tocsc()
        return blocks.indptr, blocks.indices

    return Values.exact(_repeats(stack.right_degrees, columns))


METRICS = (
    Metric(
        "n_components",
        _n_components,
        summary="number of connected components; an isolated node is one",
        formula="c",
        low=1,
        high=math.inf,
        group="structure",
        network=True,
        integer=True,
        direction="lower",
    ),
    Metric(
        "giant_share",
        _giant_share,
        summary="share of the nodes in the component with the most nodes",
        formula=r"\max_C |C| / (n + m)",
        low=0,
        high=1,
        group="structure",
        network=True,
        direction="higher",
    ),
    Metric(
        "block_rows",
        _block_rows,
        summary="p where the mask is a Kronecker product A ⊗ 1 with the largest blocks of p × q ones; 1 without blocks",
        formula=r"\max \{p : B = A \otimes 1_{p \times q}\}",
        low=1,
        high=math.inf,
        group="blocks",
        reference=_GRAY,
        integer=True,
    ),
    Metric(
        "block_columns",
        _block_columns,
        summary="q where the mask is a Kronecker product A ⊗ 1 with the largest blocks of p × q ones; 1 without blocks",
        formula=r"\max \{q : B = A \otimes 1_{p \times q}\}",
        low=1,
        high=math.inf,
        group="blocks",
        reference=_GRAY,
        integer=True,
    ),
)
