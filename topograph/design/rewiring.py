"""`rewire` and `relabel`: other graphs with the same degrees, and the same graph under other names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np

from topograph.checks import Seed, check_choice, check_generator, check_integer, check_real
from topograph.design.disconnecting import build_disconnected
from topograph.design.quantities import get_quantity
from topograph.design.search import Search, Step
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph

if TYPE_CHECKING:
    import pandas as pd

_PASSES = 10  # swaps proposed for each edge by a null model, after which nothing of the graph but its degrees is left


@dataclass(frozen=True)
class Rewired:
    """What a search at fixed degrees found.

    Parameters
    ----------
    graph
        The best graph met; its degrees are those of the graph that the search began with.
    metric
        Name of the metric.
    target
        ``"max"``, ``"min"``, or the value wanted.
    start, value
        The metric before and after, from `BipartiteGraph.spectrum` (not from the search's own estimates).
    trace
        One row per step: ``step``, ``value`` (the search's estimate for the graph proposed), ``accepted``, ``swaps``
        (edge pairs swapped together), ``best`` (estimate of the best graph so far). A last row without swaps says that
        a search for the minimum ended with a disconnected graph that was built, not reached step by step.
    """

    graph: BipartiteGraph
    metric: str
    target: str | float
    start: float
    value: float
    trace: pd.DataFrame

    def __repr__(self) -> str:
        return (
            f"Rewired({self.metric} {self.start:.6g} → {self.value:.6g}, target {self.target}, {len(self.trace)} steps)"
        )


@overload
def rewire(graph: BipartiteGraph, *, seed: Seed = 0, swaps: int | None = None) -> BipartiteGraph: ...
@overload
def rewire(
    graph: BipartiteGraph,
    *,
    target: str | float,
    metric: str = "algebraic_connectivity",
    seed: Seed = 0,
    steps: int = 1000,
    tolerance: float = 1e-4,
) -> Rewired: ...
def rewire(
    graph: BipartiteGraph,
    *,
    seed: Seed = 0,
    swaps: int | None = None,
    target: str | float | None = None,
    metric: str = "algebraic_connectivity",
    steps: int = 1000,
    tolerance: float = 1e-4,
) -> BipartiteGraph | Rewired:
    """Swap ends of edges, so that every degree on both sides stays exactly what it is.

    A swap replaces two edges (a, b), (c, d) by (a, d), (c, b) where both of these are new. Swaps join all graphs with
    the same two degree sequences (Ryser), so a search may reach any of them.

    Without ``target`` it is a null model: a random graph with these degrees. With it the swaps are chosen, by the
    eigenvectors of the graph, to bring a metric as high, as low, or as near a wanted value as they can.

    Parameters
    ----------
    graph
        The graph to begin with; it is not changed.
    seed
        Source of randomness; the same seed gives the same graph. With a target that holds on the same kind of processor
        with the same versions of the packages: a search follows eigenvectors, whose last digits differ elsewhere.
    swaps
        Null model only: how many swaps are proposed, 10 for each edge by default. Proposing (and not counting
        successes) makes the limit uniform over all graphs with these degrees.
    target
        ``"max"``, ``"min"``, or a value of the metric. The least connectivity is mostly 0, of a graph in two parts; for
        a poor but connected one give a small value.
    metric
        ``"algebraic_connectivity"``, ``"normalized_gap"`` or ``"ramanujan_ratio"``.
    steps
        Search only: how many graphs are tried at most; it ends earlier when the target is met.
    tolerance
        Search only: how near a value wanted is near enough, relative to it.

    Returns
    -------
    BipartiteGraph or Rewired
        The graph, or with a target the graph with its value and the trace of the search.

    Raises
    ------
    InvalidParameterError

    References
    ----------
    * Ryser (1957), Combinatorial properties of matrices of zeros and ones.
    * Ghosh & Boyd (2006), Growing well-connected graphs (the Fiedler vector as the gradient of λ2).

    Examples
    --------
    >>> from topograph import construct
    >>> graph = construct("regular_rotating", 40, 30, degree=4)
    >>> null = rewire(graph, seed=1)
    >>> bool((null.right_degrees == graph.right_degrees).all()), null == graph
    (True, False)
    >>> wanted = rewire(graph, target=0.5, seed=1)
    >>> round(wanted.start, 3), round(wanted.value, 2)
    (0.103, 0.5)
    """
    if target is None:
        return _null(graph, seed, swaps)
    if swaps is not None:
        raise InvalidParameterError(f"swaps={swaps} is for the null model; a search with a target takes steps=")
    quantity = get_quantity(metric)
    steps = check_integer("steps", steps, low=1)
    tolerance = check_real("tolerance", tolerance, low=0, high=1, include_low=False)
    if isinstance(target, str):
        check_choice("target", target, ["max", "min"])
        goal = quantity.sign() * (math.inf if target == "max" else -math.inf)
    else:
        target = check_real("target", target, low=0)
        goal = quantity.sign() * target
        tolerance *= target
    start = quantity.value(graph)
    if math.isnan(start):
        raise InvalidParameterError(f"{metric} is undefined for {graph!r}, so it cannot be a target")
    generator = check_generator(seed)
    search = Search(graph, quantity, goal, generator)
    found = search.run(steps, tolerance)
    if target == "min" and quantity.sign() > 0 and found.is_connected:
        # the last edges across a bottleneck are all of one kind, and swaps of two cannot take them away
        disconnected = build_disconnected(graph, generator)
        if disconnected is not None:
            found = disconnected
            number = search.steps[-1].step + 1 if search.steps else 0
            search.steps.append(Step(number, 0.0, True, 0, 0.0))
    value = quantity.value(found)
    if search.merit(quantity.sign() * value) < search.merit(quantity.sign() * start):  # the estimates promised too much
        found, value = graph, start
    found = found.labelled(graph.left_labels, graph.right_labels)
    return Rewired(found, metric, target, start, value, search.trace())


def _null(graph: BipartiteGraph, seed: Seed, swaps: int | None) -> BipartiteGraph:
    from topograph.constructions.kernels import stream, swap_edges

    generator = check_generator(seed)
    proposals = _PASSES * graph.n_edges if swaps is None else check_integer("swaps", swaps, low=0)
    columns = graph.indices.copy()
    if graph.n_edges:
        rows = np.repeat(np.arange(graph.n_left, dtype=np.int32), graph.left_degrees)
        swap_edges(graph.indptr, rows, columns, proposals, stream(generator))
    return BipartiteGraph(graph.n_left, graph.n_right, graph.indptr, columns, graph.left_labels, graph.right_labels)


def relabel(graph: BipartiteGraph, *, seed: Seed = 0, side: str = "both") -> BipartiteGraph:
    """The same graph under other node names: isomorphic, so with the same spectrum and the same degrees.

    What changes is how the mask lies on the data: a rotating mask on an image joins neighbouring pixels, its relabelled
    copy any pixels. A difference in accuracy between the two is due to the alignment, not to the graph.

    Parameters
    ----------
    graph
        Any graph.
    seed
        Source of the random permutations.
    side
        Which nodes to rename: ``"left"`` (inputs), ``"right"`` (outputs), ``"both"``.

    Examples
    --------
    >>> from topograph import construct
    >>> graph = construct("regular_rotating", 30, 20, degree=3)
    >>> other = relabel(graph, seed=0, side="left")
    >>> other == graph, abs(other.algebraic_connectivity() - graph.algebraic_connectivity()) < 1e-9
    (False, True)
    """
    check_choice("side", side, ["left", "right", "both"])
    generator = check_generator(seed)
    left = generator.permutation(graph.n_left) if side != "right" else np.arange(graph.n_left)
    right = generator.permutation(graph.n_right) if side != "left" else np.arange(graph.n_right)
    edges = graph.edges()
    return BipartiteGraph.from_edges(
        np.stack([left[edges[:, 0]], right[edges[:, 1]]], axis=1), graph.n_left, graph.n_right
    ).labelled(graph.left_labels, graph.right_labels)
