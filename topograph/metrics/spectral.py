"""Eigenvalues, singular values and gaps, each under a name that states its convention."""

from __future__ import annotations

import math
from collections.abc import Callable

from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value

_FIEDLER = "Fiedler (1973), Algebraic connectivity of graphs"
_CHUNG = "Chung (1997), Spectral Graph Theory"
_PAPER = "Bourely, Boueri & Choromanski (2017)"
_HOORY = "Hoory, Linial & Wigderson (2006), Expander graphs and their applications"


def _read(quantity: str) -> Callable[[BipartiteGraph], Value]:
    return lambda graph: Value.of(graph.spectrum(on_failure="nan")[quantity])


def _adjacency_gap(graph: BipartiteGraph) -> Value:
    spectrum = graph.spectrum(on_failure="nan")
    first, second = Value.of(spectrum["sigma1"]), Value.of(spectrum["sigma2"])
    return Value(first.value - second.value, first.residual + second.residual, first.reason or second.reason)


def _normalized_gap(graph: BipartiteGraph) -> Value:
    second = Value.of(graph.spectrum(on_failure="nan")["normalized_sigma2"])
    return Value(1.0 - second.value, second.residual, second.reason)


def _spectral(
    name: str,
    compute: Callable[[BipartiteGraph], Value],
    summary: str,
    formula: str,
    reference: str,
    high: float = math.inf,
) -> Metric:
    return Metric(name, compute, summary, formula, 0, high, "spectral", network=True, reference=reference)


METRICS = (
    _spectral(
        "algebraic_connectivity",
        _read("algebraic_connectivity"),
        "second smallest eigenvalue of the Laplacian, with multiplicity; 0 exactly when disconnected",
        r"\lambda_2(L),\ L = D - A",
        _FIEDLER,
    ),
    _spectral(
        "laplacian_gap",
        _read("laplacian_gap"),
        "smallest non-zero eigenvalue of the Laplacian",
        r"\min \{\lambda > 0\}",
        _FIEDLER,
    ),
    _spectral(
        "giant_connectivity",
        _read("giant_connectivity"),
        "algebraic connectivity of the component with the most edges",
        r"\lambda_2(L_{\mathrm{giant}})",
        _FIEDLER,
    ),
    _spectral(
        "laplacian_max",
        _read("laplacian_max"),
        "largest non-zero eigenvalue of the Laplacian",
        r"\lambda_{\max}(L)",
        _PAPER,
    ),
    _spectral(
        "laplacian_second_max",
        _read("laplacian_second_max"),
        "second largest non-zero eigenvalue of the Laplacian, with multiplicity",
        r"\lambda_{\max - 1}(L)",
        _PAPER,
    ),
    _spectral(
        "adjacency_gap",
        _adjacency_gap,
        "difference of the two largest singular values of B",
        r"\sigma_1(B) - \sigma_2(B)",
        _HOORY,
    ),
    _spectral(
        "normalized_gap",
        _normalized_gap,
        "1 minus the second singular value of the normalised B, isolated nodes dropped; 0 when not connected otherwise",
        r"1 - \sigma_2(D_L^{-1/2} B D_R^{-1/2})",
        _CHUNG,
        high=1,
    ),
)
