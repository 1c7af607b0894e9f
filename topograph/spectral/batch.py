"""`compute_spectra`: many graphs at once, tiny layers of one shape in one LAPACK call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.spectral.complete import complete_values
from topograph.spectral.dispatch import assemble
from topograph.spectral.estimate import Estimate
from topograph.spectral.pattern import Vector
from topograph.spectral.spectrum import Spectrum, check_quantities, compute_spectrum

_EPS = float(np.finfo(float).eps)
_LARGEST_SIDE = 24  # of the smaller side; beyond it a graph's own LAPACK calls outweigh what Python costs
_LEAST_KEPT = 1e-9  # eigenvalues of BᵀB below this share of the largest send a graph to the exact path


def compute_spectra(
    graphs: Iterable[BipartiteGraph],
    *,
    quantities: Iterable[str] | None = None,
    tolerance: float = 1e-8,
    on_failure: str = "raise",
) -> list[Spectrum]:
    r"""The spectra of many graphs; those of one tiny shape that are left-regular are solved together.

    For inputs that all have degree k, with the Gram matrix :math:`G = B^T B = V \Lambda V^T` of the m outputs, the
    Laplacian has the eigenvalues of the 2m × 2m matrix

    .. math:: \begin{pmatrix} k I & -\Lambda^{1/2} V^T \\ -V \Lambda^{1/2} & D_R \end{pmatrix}

    and k, n − m times more. One stacked call each for G, for this matrix and for the normalised G serves all graphs.
    Which are connected is seen from powers of G. All other graphs are passed to `compute_spectrum`, as are those
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
    gram = np.empty((len(regular), m, m))
    starts = np.arange(n)[:, None] * m
    for row, place in enumerate(regular):
        cells = np.zeros((n, m))
        cells.ravel()[starts + graphs[place].indices.reshape(n, -1)] = 1.0
        np.matmul(cells.T, cells, out=gram[row])
    chosen = _connected(gram)
    if not chosen.any():
        return {}
    places = np.flatnonzero(chosen)
    gram, degrees = gram[places], degrees[places]
    values, vectors = np.linalg.eigh(gram)
    kept = values > _LEAST_KEPT * values[:, -1:]
    full = kept.all(axis=1)  # the others are singular, or nearly: let the exact path decide
    right = np.einsum("gii->gi", gram)
    laplacians = _laplacians(values, vectors, degrees, right)
    spectra = np.linalg.eigvalsh(laplacians)
    scaled = np.linalg.eigvalsh(gram / np.sqrt(right[:, :, None] * right[:, None, :]))
    normalized = np.sqrt(np.maximum(scaled[:, -2] / degrees, 0.0))
    answers: dict[int, Spectrum] = {}
    for row in np.flatnonzero(full).tolist():
        answers[regular[places[row]]] = _spectrum(
            n, m, float(degrees[row]), values[row], spectra[row], float(normalized[row]), wanted
        )
    return answers


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


def _laplacians(values: Vector, vectors: Vector, degrees: Vector, right: Vector) -> Vector:
    count, m = values.shape
    laplacians = np.zeros((count, 2 * m, 2 * m))
    diagonal = np.arange(m)
    laplacians[:, diagonal, diagonal] = degrees[:, None]
    laplacians[:, m + diagonal, m + diagonal] = right
    laplacians[:, m:, :m] = -vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]  # the lower triangle is read
    return laplacians


def _spectrum(
    n: int, m: int, degree: float, gram: Vector, eigenvalues: Vector, normalized: float, wanted: list[str]
) -> Spectrum:
    # the square root turns an error of ε ‖G‖ in an eigenvalue g of G into one of ε ‖G‖ / 2 √g
    bound = 4 * _EPS * m**0.5 * (float(eigenvalues[-1]) + float(gram[-1]) / float(gram[0]) ** 0.5)
    second = float(eigenvalues[-2])
    if n > m:
        second = max(second, degree)
    sigma1, sigma2 = float(gram[-1]) ** 0.5, float(gram[-2]) ** 0.5
    rounding = 4 * _EPS * m**0.5 * float(gram[-1])
    values = {
        "connectivity": Estimate(float(eigenvalues[1]), bound, "dense"),
        "laplacian_max": Estimate(float(eigenvalues[-1]), bound, "dense"),
        "laplacian_second_max": Estimate(second, bound, "dense"),
        "sigma1": Estimate(sigma1, rounding / sigma1, "dense"),
        "sigma2": Estimate(sigma2, rounding / sigma2, "dense"),
        "normalized_gap": Estimate(1.0 - normalized, 4 * _EPS * m**0.5 * (1 + 1 / normalized), "dense"),
    }
    return Spectrum(assemble(wanted, [values], True))
