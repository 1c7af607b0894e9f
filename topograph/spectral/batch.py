"""`compute_spectra`: many graphs at once, those of one shape with a small side in a few stacked LAPACK calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.spectral.dispatch import NEEDS, SMALLEST, assemble, is_coarse
from topograph.spectral.estimates import Estimates, EstimatesOfOne
from topograph.spectral.solvers.complete import complete_values
from topograph.spectral.spectrum import QUANTITIES, Spectrum, check_quantities, compute_spectrum
from topograph.spectral.stacked import solve_stack
from topograph.stack import GraphStack


def compute_spectra(
    graphs: Iterable[BipartiteGraph],
    *,
    quantities: Iterable[str] | None = None,
    tolerance: float = 1e-8,
    on_failure: str = "raise",
) -> list[Spectrum]:
    r"""The spectra of many graphs; those of one shape with at most 24 nodes on a side are solved together.

    Such a graph is solved by matrices of the size of its smaller side, and one stacked call each of LAPACK serves all
    graphs of the shape (`topograph.spectral.stacked`). Those with several components that have edges, complete ones,
    and those whose matrices would cost digits go to `compute_spectrum`, as do graphs of other shapes.

    Parameters
    ----------
    graphs
        Any bipartite graphs.
    quantities, tolerance, on_failure
        As for `compute_spectrum`.

    Examples
    --------
    >>> path, square = BipartiteGraph.from_mask([[1, 0], [1, 1]]), BipartiteGraph.from_mask([[1, 1], [1, 1]])
    >>> [round(s["algebraic_connectivity"].value, 6) for s in compute_spectra([path, square])]
    [0.585786, 2.0]
    """
    graphs = list(graphs)
    wanted = check_quantities(quantities)
    spectra: dict[int, Spectrum] = {}
    for places, stack in GraphStack.of_equal_shape(graphs):
        found = spectra_of_stack(stack, wanted, tolerance, on_failure)
        spectra |= dict(zip(places, found, strict=True))
    return [spectra[place] for place in range(len(graphs))]


def spectra_of_stack(
    stack: GraphStack, wanted: Sequence[str] = tuple(QUANTITIES), tolerance: float = 1e-8, on_failure: str = "nan"
) -> list[Spectrum]:
    """As `compute_spectra`, for graphs of one shape."""
    if len(stack) == 1 or not stack.has_small_side or min(stack.n_left, stack.n_right) < 2:
        return [
            compute_spectrum(graph, quantities=wanted, tolerance=tolerance, on_failure=on_failure)
            for graph in stack.graphs
        ]
    spectra: list[Spectrum | None] = [None] * len(stack)
    together = np.flatnonzero(_are_solvable(stack, wanted))
    if together.size:
        chosen = stack if together.size == len(stack) else stack.take(together.tolist())
        for place, spectrum in zip(together.tolist(), _solve_together(chosen, wanted, tolerance), strict=True):
            spectra[place] = spectrum
    return [
        spectrum or _alone(graph, wanted, tolerance, on_failure)
        for graph, spectrum in zip(stack.graphs, spectra, strict=True)
    ]


def _alone(graph: BipartiteGraph, wanted: Sequence[str], tolerance: float, on_failure: str) -> Spectrum:
    if graph.n_edges == graph.n_left and graph.left_degrees.min() > 0:
        return _forest_of_stars(graph, wanted)
    return compute_spectrum(graph, quantities=wanted, tolerance=tolerance, on_failure=on_failure)


def _are_solvable(stack: GraphStack, wanted: Sequence[str]) -> npt.NDArray[np.bool_]:
    """One incomplete component and isolated nodes, with more wanted of it than components tell."""
    rows, columns = ((degrees > 0).sum(axis=1) for degrees in stack.sides)
    incomplete = stack.are_one_component & (stack.n_edges < rows * columns)
    if set(wanted) <= {"algebraic_connectivity"}:
        return np.asarray(incomplete & (rows + columns == stack.n_nodes))
    return np.asarray(incomplete)


def _solve_together(stack: GraphStack, wanted: Sequence[str], tolerance: float) -> list[Spectrum | None]:
    """The spectra of graphs that are one component and isolated nodes; None where one alone is to be solved."""
    solved, values = solve_stack(stack, {need for name in wanted for need in NEEDS[name]})
    for name in set(SMALLEST) & set(values):
        solved &= ~is_coarse(values[name], tolerance)
    connected = np.asarray((stack.left_degrees > 0).all(axis=1) & (stack.right_degrees > 0).all(axis=1))
    columns = {name: _quantity(name, values, connected) for name in wanted}
    return [Spectrum(EstimatesOfOne(columns, place)) if ok else None for place, ok in enumerate(solved.tolist())]


def _quantity(name: str, values: Mapping[str, Estimates], connected: npt.NDArray[np.bool_]) -> Estimates:
    """A quantity of graphs from the values of the only component that has edges."""
    if name == "algebraic_connectivity":
        return values["connectivity"].or_zero(connected, "components")
    if name in ("laplacian_gap", "giant_connectivity"):
        return values["connectivity"]
    if name == "adjacency_gap":
        return values["sigma1"].minus(values["sigma2"])
    if name == "normalized_sigma2":
        return values["normalized_gap"].from_one()
    return values["normalized_gap" if name == "giant_normalized_gap" else name]


def _forest_of_stars(graph: BipartiteGraph, wanted: Sequence[str]) -> Spectrum:
    """Every input has one output: each output is the centre of a star."""
    leaves = np.sort(graph.right_degrees[graph.right_degrees > 0])[::-1].tolist()
    shown = [*leaves[:2], leaves[-1]] if len(leaves) > 2 else leaves  # the others are never largest nor smallest
    pieces = [complete_values(1, count) for count in shown]
    return Spectrum(assemble(wanted, pieces, False, pieces[0]))
