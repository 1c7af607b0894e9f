"""`Spectrum` and `compute_spectrum`: which solver answers for which part of which graph."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from topograph.checks import check_choice, check_real
from topograph.errors import ConvergenceError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.spectral.dense import DenseSolver
from topograph.spectral.estimate import Estimate
from topograph.spectral.iterative import IterativeSolver
from topograph.spectral.solver import Solver

QUANTITIES: Mapping[str, str] = {
    "algebraic_connectivity": "second smallest eigenvalue of the Laplacian, with multiplicity; 0 when disconnected",
    "laplacian_gap": "smallest non-zero eigenvalue of the Laplacian",
    "giant_connectivity": "algebraic connectivity of the component with the most edges",
    "laplacian_max": "largest non-zero eigenvalue of the Laplacian",
    "laplacian_second_max": "second largest non-zero eigenvalue of the Laplacian, with multiplicity",
    "sigma1": "largest singular value of the biadjacency B",
    "sigma2": "second largest singular value of B, with multiplicity; 0 when B has one row or one column",
    "normalized_sigma2": "second largest singular value of D_L^-1/2 B D_R^-1/2, isolated nodes dropped",
}
"""Every quantity a `Spectrum` can hold, and its definition."""

_METHODS = ("auto", "dense", "iterative")
_DENSE_NODES = 1200  # up to here one LAPACK call is the fastest and the safest answer
_NO_EDGES = "the graph has no edges"


@dataclass(frozen=True)
class Spectrum(Mapping[str, Estimate]):
    """The spectral quantities of one graph: a read-only mapping from name to `Estimate`.

    Examples
    --------
    >>> graph = BipartiteGraph.from_mask([[1, 1], [1, 1], [1, 1]])
    >>> spectrum = compute_spectrum(graph)
    >>> round(spectrum["laplacian_max"].value, 9)
    5.0
    """

    estimates: Mapping[str, Estimate]

    def __getitem__(self, quantity: str) -> Estimate:
        try:
            return self.estimates[quantity]
        except KeyError:
            raise UnknownNameError.among("spectral quantity", quantity, self.estimates) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def require_all(self) -> Spectrum:
        """Itself; raises `ConvergenceError` when a quantity that exists was not reached."""
        for name, estimate in self.estimates.items():
            if estimate.is_failure:
                raise ConvergenceError(f"{name}: {estimate.reason}")
        return self


def compute_spectrum(
    graph: BipartiteGraph, *, method: str = "auto", tolerance: float = 1e-9, on_failure: str = "raise"
) -> Spectrum:
    """Compute all `QUANTITIES` of a graph.

    Components are found by search first, so a disconnected graph has an algebraic connectivity of exactly 0, and a
    zero is never inferred from a small number.

    Parameters
    ----------
    graph
        Any bipartite graph.
    method
        ``"dense"`` (LAPACK on the whole matrix), ``"iterative"`` (Krylov methods on the sparse one), or ``"auto"``:
        dense for components of up to 1,200 nodes.
    tolerance
        Largest residual accepted, relative to the value itself, in (0, 1e-3].
    on_failure
        ``"raise"`` a `ConvergenceError`, or give ``"nan"`` with the reason.

    Raises
    ------
    ConvergenceError
        When a value was not reached within the tolerance and ``on_failure="raise"``.
    """
    check_choice("method", method, _METHODS)
    check_choice("on_failure", on_failure, ["raise", "nan"])
    check_real("tolerance", tolerance, low=0, high=1e-3, include_low=False)
    estimates = _estimates(graph, method, tolerance)
    spectrum = Spectrum(estimates)
    return spectrum.require_all() if on_failure == "raise" else spectrum


def _estimates(graph: BipartiteGraph, method: str, tolerance: float) -> dict[str, Estimate]:
    if not graph.n_edges:
        undefined = Estimate.undefined(_NO_EDGES)
        zero = Estimate.exact(0.0, "closed_form")
        defined = ("algebraic_connectivity", "sigma1", "sigma2")
        return {name: zero if name in defined else undefined for name in QUANTITIES}

    parts = list(_components_with_edges(graph))
    values = [_choose(part, method, tolerance).solve(part) for part in parts]
    giant = max(range(len(parts)), key=lambda i: (parts[i].n_edges, parts[i].n_nodes, -i))
    laplacian_top = _descending(v for value in values for v in value.laplacian_top)
    sigmas = _descending(v for value in values for v in value.sigmas)
    connected = len(parts) == 1 and parts[0].n_nodes == graph.n_nodes
    return {
        "algebraic_connectivity": values[0].connectivity if connected else Estimate.exact(0.0, "components"),
        "laplacian_gap": min((value.connectivity for value in values), key=_failures_first),
        "giant_connectivity": values[giant].connectivity,
        "laplacian_max": laplacian_top[0],
        "laplacian_second_max": (
            laplacian_top[1]
            if len(laplacian_top) > 1
            else Estimate.undefined("the Laplacian of a single edge has only one non-zero eigenvalue")
        ),
        "sigma1": sigmas[0],
        "sigma2": sigmas[1] if len(sigmas) > 1 else Estimate.exact(0.0, "closed_form"),
        "normalized_sigma2": values[0].normalized_sigma2 if len(parts) == 1 else Estimate.exact(1.0, "components"),
    }


def _components_with_edges(graph: BipartiteGraph) -> Iterator[BipartiteGraph]:
    """The connected components that have an edge, each a graph of its own, ordered by their lowest input."""
    if graph.is_connected:
        yield graph
        return
    labels = graph.component_labels
    left, right = labels[: graph.n_left], labels[graph.n_left :]
    # one stable sort groups the nodes, and with them the edges, by component
    left_order, right_order = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    left_bounds = np.searchsorted(left[left_order], np.arange(graph.n_components + 1))
    right_bounds = np.searchsorted(right[right_order], np.arange(graph.n_components + 1))
    local_right = np.empty(graph.n_right, dtype=np.int64)
    local_right[right_order] = np.arange(graph.n_right) - right_bounds[right[right_order]]
    for label in range(graph.n_components):
        rows = left_order[left_bounds[label] : left_bounds[label + 1]]
        n_right = int(right_bounds[label + 1] - right_bounds[label])
        if not rows.size or not n_right:
            continue
        degrees = graph.left_degrees[rows]
        pieces = [graph.indices[graph.indptr[row] : graph.indptr[row + 1]] for row in rows]
        yield BipartiteGraph(
            rows.size, n_right, np.concatenate([[0], np.cumsum(degrees)]), local_right[np.concatenate(pieces)]
        )


def _choose(part: BipartiteGraph, method: str, tolerance: float) -> Solver:
    if method == "dense" or (method == "auto" and part.n_nodes <= _DENSE_NODES):
        return DenseSolver()
    return IterativeSolver(tolerance)


def _descending(estimates: Iterable[Estimate]) -> list[Estimate]:
    """Largest first; a failure comes before everything, since nothing can be said to be larger than the unknown."""
    return sorted(estimates, key=_failures_first_descending)


def _failures_first(estimate: Estimate) -> float:
    return -math.inf if math.isnan(estimate.value) else estimate.value


def _failures_first_descending(estimate: Estimate) -> float:
    return -math.inf if math.isnan(estimate.value) else -estimate.value
