"""`compute_spectra`: many graphs at once, tiny layers of one shape in one LAPACK call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.spectral.dispatch import DENSE_ORDER, NEEDS, assemble, coarse_values
from topograph.spectral.estimate import Estimate
from topograph.spectral.pattern import Vector
from topograph.spectral.solvers.complete import complete_values
from topograph.spectral.solvers.dense import symmetric_eigenvalues
from topograph.spectral.spectrum import Spectrum, check_quantities, compute_spectrum
from topograph.spectral.stacked import solve_stacked

_EPS = float(np.finfo(float).eps)
_LARGEST_SIDE = 24  # nodes on the smaller side; beyond it LAPACK takes longer than the Python around each call
_LEAST_KEPT = 1e-9  # eigenvalues of BᵀB below this share of the largest send a graph to the exact path


def compute_spectra(
    graphs: Iterable[BipartiteGraph],
    *,
    quantities: Iterable[str] | None = None,
    tolerance: float = 1e-8,
    on_failure: str = "raise",
) -> list[Spectrum]:
    r"""The spectra of many graphs; those of one tiny shape that are left-regular are solved together.

    For inputs that all have degree k, with the Gram matrix :math:`G = B^T B = R R^T` of the m outputs, the
    Laplacian has the eigenvalues of the 2m × 2m matrix

    .. math:: \begin{pmatrix} k I & -R^T \\ -R & D_R \end{pmatrix}

    and k, n − m times more. One stacked call each for G, for this matrix and for the normalised G serves all graphs.
    Powers of G show which graphs are connected. All other graphs go to `compute_spectrum`, and so do those
    whose G is so nearly singular that the square root would lose digits.

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
    found: dict[int, Spectrum] = {}
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, graph in enumerate(graphs):
        if graph.n_left >= graph.n_right >= 2 and graph.n_right <= _LARGEST_SIDE:
            groups[graph.shape].append(number)
    for numbers in groups.values():
        if len(numbers) > 1:
            solved = _solve_together([graphs[number] for number in numbers], wanted)
            found |= {numbers[place]: spectrum for place, spectrum in solved.items()}
            for number in numbers:
                graph = graphs[number]
                if graph.n_edges == graph.n_left and number not in found and graph.left_degrees.all():
                    found[number] = _forest_of_stars(graph, wanted)
            others = [number for number in numbers if number not in found and _is_irregular(graphs[number], wanted)]
            if len(others) > 1:
                stacked = _solve_irregular([graphs[number] for number in others], wanted, tolerance)
                found |= {others[place]: spectrum for place, spectrum in stacked.items()}
    for number, graph in enumerate(graphs):
        if number in found:
            if on_failure == "raise":
                found[number].require_all()
            continue
        found[number] = compute_spectrum(graph, quantities=wanted, tolerance=tolerance, on_failure=on_failure)
    return [found[number] for number in range(len(graphs))]


def _solve_together(graphs: list[BipartiteGraph], wanted: list[str]) -> dict[int, Spectrum]:
    """Spectra by place of those of equal shape that are left-regular and connected."""
    n, m = graphs[0].shape
    regular = [
        place
        for place, graph in enumerate(graphs)
        if 0 < graph.n_edges < n * m and (np.diff(graph.indptr) == graph.n_edges // n).all()
    ]
    if not regular:
        return {}
    degrees = np.array([graphs[place].n_edges // n for place in regular], dtype=np.float64)
    gram = np.stack([_gram(graphs[place]) for place in regular])
    chosen = np.flatnonzero(_connected(gram))
    gram, degrees = gram[chosen], degrees[chosen]
    values = symmetric_eigenvalues(gram)
    full = values[:, 0] > _LEAST_KEPT * values[:, -1]  # the others are singular, or nearly: let the exact path decide
    gram, degrees, values = gram[full], degrees[full], values[full]
    found = _values(n, gram, degrees, values, {need for name in wanted for need in NEEDS[name]})
    places = [regular[place] for place in chosen[full].tolist()]
    return {
        place: Spectrum(assemble(wanted, [{name: estimates[row] for name, estimates in found.items()}], True))
        for row, place in enumerate(places)
    }


def _is_irregular(graph: BipartiteGraph, wanted: Collection[str]) -> bool:
    """Whether the inputs differ in their degrees, and more is wanted than components tell."""
    left = graph.left_degrees
    if set(wanted) <= {"algebraic_connectivity"} and not (left.all() and graph.right_degrees.all()):
        return False
    return bool(np.count_nonzero(left != left[0]))


def _solve_irregular(graphs: list[BipartiteGraph], wanted: list[str], tolerance: float) -> dict[int, Spectrum]:
    """Spectra by place of those that are one small component and isolated nodes, and that LAPACK resolves."""
    needed = {need for name in wanted for need in NEEDS[name]}
    return {
        place: Spectrum(assemble(wanted, [values], graphs[place].is_connected, values))
        for place, values in solve_stacked(graphs, needed, DENSE_ORDER)
        if not coarse_values(values, tolerance)
    }


def _gram(graph: BipartiteGraph) -> Vector:
    """BᵀB of a left-regular graph."""
    n, m = graph.shape
    cells = np.zeros(n * m)
    cells[(np.arange(n)[:, None] * m + graph.indices.reshape(n, -1)).ravel()] = 1.0
    mask = cells.reshape(n, m)
    return np.asarray(mask.T @ mask)


def _forest_of_stars(graph: BipartiteGraph, wanted: list[str]) -> Spectrum:
    """Every input has one output: each output is the centre of a star."""
    leaves = np.sort(graph.right_degrees[graph.right_degrees > 0])[::-1].tolist()
    shown = [*leaves[:2], leaves[-1]] if len(leaves) > 2 else leaves  # the others are never largest nor smallest
    pieces = [complete_values(1, count) for count in shown]
    return Spectrum(assemble(wanted, pieces, False, pieces[0]))


def _connected(gram: Vector) -> npt.NDArray[np.bool_]:
    """Which graphs are connected, every input having an output: all outputs reach each other through inputs."""
    m = gram.shape[1]
    reach = (gram > 0).astype(np.float64)
    for _ in range(int(np.ceil(np.log2(m)))):
        reach = (reach @ reach > 0).astype(np.float64)
    return np.asarray((reach > 0).all(axis=(1, 2)) & (np.einsum("gii->gi", gram) > 0).all(axis=1))


def _values(
    n: int, gram: Vector, degrees: Vector, values: Vector, needed: Collection[str]
) -> dict[str, list[Estimate]]:
    """The ``needed`` values of each left-regular graph with this Gram matrix, which has the eigenvalues ``values``."""
    m = gram.shape[1]
    unit, right = 4 * _EPS * m**0.5, np.einsum("gii->gi", gram)
    found: dict[str, list[Estimate]] = {}

    def add(name: str, numbers: Vector, bounds: Vector) -> None:
        if name in needed:
            pairs = zip(numbers.tolist(), bounds.tolist(), strict=True)
            found[name] = [Estimate(number, bound, "dense") for number, bound in pairs]

    if {"sigma1", "sigma2"} & set(needed):
        sigmas: Vector = np.sqrt(values[:, -2:])
        rounding = unit * values[:, -1]
        add("sigma1", sigmas[:, 1], rounding / sigmas[:, 1])
        add("sigma2", sigmas[:, 0], rounding / sigmas[:, 0])
    if {"connectivity", "laplacian_max", "laplacian_second_max"} & set(needed):
        eigenvalues = symmetric_eigenvalues(_laplacians(gram, degrees, right))
        # the square root turns an error of ε ‖G‖ in an eigenvalue g of G into one of ε ‖G‖ / 2 √g
        bounds = unit * (eigenvalues[:, -1] + values[:, -1] / np.sqrt(values[:, 0]))
        add("connectivity", eigenvalues[:, 1], bounds)
        add("laplacian_max", eigenvalues[:, -1], bounds)
        add("laplacian_second_max", np.maximum(eigenvalues[:, -2], degrees if n > m else 0.0), bounds)
    if "normalized_gap" in needed:
        scaled = symmetric_eigenvalues(gram / np.sqrt(right[:, :, None] * right[:, None, :]))
        sigma = np.sqrt(np.maximum(scaled[:, -2] / degrees, 0.0))
        add("normalized_gap", 1.0 - sigma, unit * (1 + 1 / sigma))
    return found


def _laplacians(gram: Vector, degrees: Vector, right: Vector) -> Vector:
    count, m = right.shape
    laplacians = np.zeros((count, 2 * m, 2 * m))
    diagonal = np.arange(m)
    laplacians[:, diagonal, diagonal] = degrees[:, None]
    laplacians[:, m + diagonal, m + diagonal] = right
    laplacians[:, m:, :m] = -np.linalg.cholesky(gram)  # the lower triangle is read
    return laplacians
