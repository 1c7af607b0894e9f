"""`Spectrum` and `compute_spectrum`: the few numbers that many metrics share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.checks import check_choice, check_real
from topograph.errors import ConvergenceError, InvalidParameterError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.spectral.dispatch import METHODS, check_method, estimate_all
from topograph.spectral.estimate import Estimate
from topograph.spectral.pattern import Vector

QUANTITIES: Mapping[str, str] = {
    "algebraic_connectivity": "second smallest eigenvalue of the Laplacian, with multiplicity; 0 when disconnected",
    "laplacian_gap": "smallest non-zero eigenvalue of the Laplacian",
    "giant_connectivity": "algebraic connectivity of the component with the most edges",
    "laplacian_max": "largest non-zero eigenvalue of the Laplacian",
    "laplacian_second_max": "second largest non-zero eigenvalue of the Laplacian, with multiplicity",
    "sigma1": "largest singular value of the biadjacency B",
    "sigma2": "second largest singular value of B, with multiplicity; 0 when B has one row or one column",
    "adjacency_gap": "sigma1 minus sigma2",
    "normalized_sigma2": "second largest singular value of D_L^-1/2 B D_R^-1/2, isolated nodes dropped",
    "normalized_gap": "1 minus normalized_sigma2, computed without cancellation",
    "giant_normalized_gap": "normalized_gap of the component with the most edges",
}
"""Every quantity a `Spectrum` can hold, and its definition."""

_LEAST_WEIGHT = 1e-290  # relative to the largest: below it numbers of the solvers vanish


@dataclass(frozen=True)
class Spectrum(Mapping[str, Estimate]):
    """The spectral quantities of one graph: a read-only mapping from name to `Estimate`.

    Examples
    --------
    >>> graph = BipartiteGraph.from_mask([[1, 1], [1, 1], [1, 1]])
    >>> spectrum = compute_spectrum(graph)
    >>> spectrum["laplacian_max"].value, spectrum["laplacian_max"].method
    (5.0, 'closed_form')
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
    graph: BipartiteGraph,
    *,
    quantities: Iterable[str] | None = None,
    method: str = "auto",
    tolerance: float = 1e-8,
    on_failure: str = "raise",
    weights: Any = None,
) -> Spectrum:
    r"""Compute spectral quantities of a graph, each with an interval that it is guaranteed to lie in.

    Components are found by search first, so a disconnected graph has an algebraic connectivity of exactly 0, and a
    zero is never inferred from a small number.

    Parameters
    ----------
    graph
        Any bipartite graph.
    quantities
        Names among `QUANTITIES`; all of them by default. Nothing else is computed.
    method
        ``"auto"`` chooses, and each estimate names the method; any other value is used as it is.

        ===============  ==================================================================================
        ``closed_form``  complete graphs, stars, single edges; rotating masks by the Fourier transform
        ``dense``        LAPACK on an exact reduction to the smaller side
        ``lanczos``      Lanczos on the pattern, compiled, a few vectors of memory
        ``inverse``      Lanczos on the inverse (the smallest eigenvalues only), where λ2 ≪ λmax
        ===============  ==================================================================================
    tolerance
        Widest interval accepted, relative to the value itself, in [1e-12, 1e-3].
    on_failure
        ``"raise"`` a `ConvergenceError`, or give ``"nan"`` with the reason.
    weights
        For the weighted graph ``|W ⊙ M|``: the matrix W (dense or SciPy sparse, ``n_left × n_right``) or one number per
        edge, in the order of ``graph.edges()``. An edge of weight 0 does not count as an edge.

    Returns
    -------
    Spectrum

    Raises
    ------
    ConvergenceError
        A value was not reached within the tolerance and ``on_failure="raise"``.
    InvalidParameterError
        An option has a value that is not allowed, or a method does not apply to this graph.

    Examples
    --------
    >>> path = BipartiteGraph.from_mask([[1, 0], [1, 1]])
    >>> spectrum = compute_spectrum(path, quantities=["algebraic_connectivity"])
    >>> round(spectrum["algebraic_connectivity"].value, 9)
    0.585786438
    >>> spectrum = compute_spectrum(path, weights=[[3.0, 0.0], [-1.0, 2.0]])
    >>> round(spectrum["sigma1"].value ** 2 + spectrum["sigma2"].value ** 2, 9)
    14.0
    """
    wanted = check_quantities(quantities)
    check_choice("method", method, METHODS)
    check_method(method, wanted)
    check_choice("on_failure", on_failure, ["raise", "nan"])
    check_real("tolerance", tolerance, low=1e-12, high=1e-3)
    values: Vector | None = None
    if weights is not None:
        graph, values = weighted_edges(graph, weights)
    if values is None:
        spectrum = Spectrum(estimate_all(graph, wanted, method, tolerance))
    else:
        spectrum = Spectrum(_estimate_weighted(graph, wanted, method, tolerance, values))
    return spectrum.require_all() if on_failure == "raise" else spectrum


def weighted_edges(graph: BipartiteGraph, weights: Any) -> tuple[BipartiteGraph, Vector | None]:
    """|W| on the edges of the graph, without those of weight 0; None where every weight is 1."""
    if sp.issparse(weights) or np.ndim(weights) == 2:
        if weights.shape != graph.shape if hasattr(weights, "shape") else np.shape(weights) != graph.shape:
            raise InvalidParameterError(f"weights must have the shape {graph.shape}, but got {np.shape(weights)}")
        edges = graph.edges()
        matrix = sp.csr_array(weights) if sp.issparse(weights) else np.asarray(weights)
        weights = matrix[edges[:, 0], edges[:, 1]]
    values: Vector = np.abs(np.asarray(weights, dtype=np.float64)).ravel()
    if values.size != graph.n_edges:
        raise InvalidParameterError(f"weights must be one number per edge ({graph.n_edges}), but got {values.size}")
    if not np.isfinite(values).all():
        raise InvalidParameterError(
            "weights must be finite, but some are NaN or infinite; replace them or leave out their edges"
        )
    kept = values > 0
    if not kept.all():
        graph = BipartiteGraph.from_edges(graph.edges()[kept], *graph.shape)
        values = values[kept]
    return graph, None if (values == 1).all() else np.ascontiguousarray(values)


def _estimate_weighted(
    graph: BipartiteGraph, wanted: list[str], method: str, tolerance: float, weights: Vector
) -> dict[str, Estimate]:
    """The quantities for weights of any size: the largest is brought below 1 by a power of two, and back in the end."""
    exponent = int(np.frexp(weights.max(initial=0.0))[1])
    scaled = np.ldexp(weights, -exponent)
    if weights.size and scaled.min() < _LEAST_WEIGHT:
        reason = f"the weights differ by more than a factor of {1 / _LEAST_WEIGHT:g}; leave out the smallest"
        return dict.fromkeys(wanted, Estimate.failed(reason, method))
    estimates = estimate_all(graph, wanted, method, tolerance, scaled)
    return {name: _scaled_back(name, estimate, exponent) for name, estimate in estimates.items()}


def _scaled_back(quantity: str, estimate: Estimate, exponent: int) -> Estimate:
    """The estimate for the weights before they were scaled; a failure where that is not a floating-point number."""
    if "normalized" in quantity or estimate.reason is not None:
        return estimate
    with np.errstate(over="ignore", under="ignore"):
        value, residual, low, high = np.ldexp(
            [estimate.value, estimate.residual, estimate.low, estimate.high], exponent
        ).tolist()
    if not np.isfinite(value) or (value == 0) != (estimate.value == 0):
        reason = f"the value {estimate.value:.9g} · 2^{exponent} is not a floating-point number; scale the weights"
        return Estimate.failed(reason, estimate.method, estimate.steps)
    return replace(estimate, value=value, residual=residual, low=low, high=high)


def check_quantities(names: Iterable[str] | None) -> list[str]:
    """The names, each among `QUANTITIES`; all of them for None."""
    wanted = list(QUANTITIES) if names is None else list(names)
    for name in wanted:
        if name not in QUANTITIES:
            raise UnknownNameError.among("spectral quantity", name, QUANTITIES)
    return wanted
