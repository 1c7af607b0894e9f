"""`optimize`: the best expander that can be found for given sizes."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topograph.checks import Seed, check_generator, check_integer, check_real
from topograph.constructions import available_constructions, construct, get_construction
from topograph.design.bounds import expansion_bound
from topograph.design.quantities import Quantity, get_quantity
from topograph.design.search import Search
from topograph.errors import InvalidParameterError, TopographError
from topograph.graph import BipartiteGraph

if TYPE_CHECKING:
    import pandas as pd

_STARTS = 2  # constructions that a search sets out from


@dataclass(frozen=True)
class Optimum:
    """The best expander found, and how near it is to what is possible.

    Parameters
    ----------
    graph
        The graph.
    metric, value
        The metric and its value, from the package's own solvers.
    bound
        What no graph with these degrees can pass, see `expansion_bound`.
    candidates
        One row per construction that can make these sizes: ``construction``, ``value``, best first.
    trace
        The search's steps, with the construction each set out from.
    """

    graph: BipartiteGraph
    metric: str
    value: float
    bound: float
    candidates: pd.DataFrame
    trace: pd.DataFrame

    @property
    def shortfall(self) -> float:
        """Distance to the bound, relative to it: 0 when the graph is certainly the best there is."""
        return abs(self.bound - self.value) / abs(self.bound) if self.bound else math.nan

    def __repr__(self) -> str:
        return (
            f"Optimum({self.metric} {self.value:.6g}, bound {self.bound:.6g}, "
            f"best construction {self.candidates['construction'].iloc[0]} {self.candidates['value'].iloc[0]:.6g})"
        )


def optimize(
    n_left: int,
    n_right: int,
    *,
    degree: float | None = None,
    edges: int | None = None,
    metric: str = "algebraic_connectivity",
    seconds: float = 10.0,
    steps: int | None = None,
    seed: Seed = 0,
) -> Optimum:
    """Find the best expander of these sizes with so many edges, within a budget of time.

    Every registered construction that can make such a graph is measured; then swaps at fixed degrees improve on the
    best of them. The result is never worse than any of them.

    Parameters
    ----------
    n_left, n_right
        Numbers of inputs and outputs.
    degree, edges
        Mean number of outputs of each input, or the exact number of edges: one of the two.
    metric
        What to optimise: ``"algebraic_connectivity"`` or ``"normalized_gap"`` (as high as can be), or
        ``"ramanujan_ratio"`` (as low).
    seconds
        Time for the search, besides that for measuring the constructions. What is found then depends on the machine.
    steps
        Instead of a time, how many graphs the search tries from each start: the same seed then gives the same graph on
        the same kind of processor with the same versions of the packages.
    seed
        Source of randomness.

    Raises
    ------
    InvalidParameterError

    Examples
    --------
    >>> best = optimize(13, 13, degree=4, steps=5)
    >>> best.candidates["construction"].iloc[0], round(best.shortfall, 9)  # the projective plane is optimal
    ('ramanujan', 0.0)
    """
    quantity = get_quantity(metric)
    n_left, n_right = check_integer("n_left", n_left, low=1), check_integer("n_right", n_right, low=1)
    if (degree is None) == (edges is None):
        raise InvalidParameterError(f"give either degree or edges, but got degree={degree}, edges={edges}")
    if degree is not None:
        edges = round(check_real("degree", degree, low=0, high=n_right, include_low=False) * n_left)
    edges = check_integer("edges", edges, low=1, high=n_left * n_right)
    seconds = check_real("seconds", seconds, low=0)
    if steps is not None:
        steps = check_integer("steps", steps, low=0)
    generator = check_generator(seed)
    found = _candidates(n_left, n_right, edges, quantity, int(generator.integers(2**31)))
    names, values = [name for name, _, _ in found], [value for _, value, _ in found]
    best, value = found[0][2], found[0][1]
    traces = []
    starts = found[: min(_STARTS, len(found))]
    end = time.monotonic() + seconds
    for number, (name, _, graph) in enumerate(starts):
        if _bound_of(best, quantity) == value:
            break
        search = Search(graph, quantity, math.inf, generator)
        left = (end - time.monotonic()) / (len(starts) - number)
        deadline = time.monotonic() + left if steps is None else math.inf
        improved = search.run(steps if steps is not None else 1_000_000, 0.0, deadline, cooling=steps is not None)
        traces.append(search.trace().assign(start=name))
        reached = quantity.value(improved)
        if quantity.sign() * reached > quantity.sign() * value:
            best, value = improved, reached
    import pandas as pd

    return Optimum(
        graph=best,
        metric=metric,
        value=value,
        bound=_bound_of(best, quantity),
        candidates=pd.DataFrame({"construction": names, "value": values}),
        trace=pd.concat(traces, ignore_index=True) if traces else pd.DataFrame(),
    )


def _candidates(
    n_left: int, n_right: int, edges: int, quantity: type[Quantity], seed: int
) -> list[tuple[str, float, BipartiteGraph]]:
    """Each construction that makes exactly these edges, with its value, the best expander first."""
    found = []
    for name in available_constructions():
        try:
            if get_construction(name).sized_by == "expected":
                continue
            graph = construct(name, n_left, n_right, edges=edges, seed=seed)
            value = quantity.value(graph)
        except TopographError:  # not these sizes, or options are needed
            continue
        if not math.isnan(value):
            found.append((name, value, graph))
    if not found:
        raise InvalidParameterError(
            f"no construction makes {n_left} × {n_right} with {edges} edges on which {quantity.name} is defined"
        )
    return sorted(found, key=lambda entry: (-quantity.sign() * entry[1], entry[0]))


def _bound_of(graph: BipartiteGraph, quantity: type[Quantity]) -> float:
    """The bound on the quantity for all graphs with these degrees; NaN where none is known."""
    return float(getattr(expansion_bound(graph), quantity.name, math.nan))
