"""Eigenvalues, singular values and gaps, each under a name that states its convention."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value
from topograph.metrics.stacked import Values, estimates, stacked
from topograph.stack import GraphStack, Vector

_FIEDLER = "Fiedler (1973), Algebraic connectivity of graphs"
_CHUNG = "Chung (1997), Spectral Graph Theory"
_PAPER = "Bourely, Boueri & Choromanski (2017)"
_HOORY = "Hoory, Linial & Wigderson (2006), Expander graphs and their applications"


def _read(quantity: str) -> Callable[[BipartiteGraph], Value]:
    return stacked(lambda stack: Values.of(estimates(stack, quantity)))


def _cheeger(bound: Callable[[Vector], Vector]) -> Callable[[BipartiteGraph], Value]:
    """A bound on the conductance, the error carried through by the ends of the gap's interval."""

    def compute(stack: GraphStack) -> Values:
        gap = estimates(stack, "normalized_gap")
        value = bound(gap.value)
        low, high = (np.abs(bound(np.clip(end, 0.0, 1.0)) - value) for end in (gap.low, gap.high))
        return Values(value, np.maximum(low, high), gap.reasons)

    return stacked(compute)


_spectral = partial(
    Metric,
    low=0,
    high=math.inf,
    group="spectral",
    network=True,
    direction="higher",
    cost="spectrum",
    reads_spectrum=True,
)

METRICS = (
    _spectral(
        "algebraic_connectivity",
        _read("algebraic_connectivity"),
        summary="second smallest eigenvalue of the Laplacian, with multiplicity; 0 exactly when disconnected",
        formula=r"\lambda_2(L),\ L = D - A",
        reference=_FIEDLER,
    ),
    _spectral(
        "laplacian_gap",
        _read("laplacian_gap"),
        summary="smallest non-zero eigenvalue of the Laplacian",
        formula=r"\min \{\lambda > 0\}",
        reference=_FIEDLER,
    ),
    _spectral(
        "giant_connectivity",
        _read("giant_connectivity"),
        summary="algebraic connectivity of the component with the most edges",
        formula=r"\lambda_2(L_{\mathrm{giant}})",
        reference=_FIEDLER,
    ),
    _spectral(
        "laplacian_max",
        _read("laplacian_max"),
        summary="largest non-zero eigenvalue of the Laplacian",
        formula=r"\lambda_{\max}(L)",
        reference=_PAPER,
        direction="none",
    ),
    _spectral(
        "laplacian_second_max",
        _read("laplacian_second_max"),
        summary="second largest non-zero eigenvalue of the Laplacian, with multiplicity",
        formula=r"\lambda_{\max - 1}(L)",
        reference=_PAPER,
        direction="none",
    ),
    _spectral(
        "adjacency_gap",
        _read("adjacency_gap"),
        summary="difference of the two largest singular values of B",
        formula=r"\sigma_1(B) - \sigma_2(B)",
        reference=_HOORY,
    ),
    _spectral(
        "normalized_gap",
        _read("normalized_gap"),
        summary=(
            "1 minus the second singular value of the normalised B, isolated nodes dropped; 0 when not connected "
            "otherwise"
        ),
        formula=r"1 - \sigma_2(D_L^{-1/2} B D_R^{-1/2})",
        reference=_CHUNG,
        high=1,
    ),
    _spectral(
        "giant_normalized_gap",
        _read("giant_normalized_gap"),
        summary="normalized_gap of the component with the most edges",
        formula=r"1 - \sigma_2(D_L^{-1/2} B D_R^{-1/2})_{\mathrm{giant}}",
        reference=_CHUNG,
        high=1,
    ),
    _spectral(
        "cheeger_lower",
        _cheeger(lambda gap: gap / 2),
        summary="the conductance (Cheeger constant) is at least this: half the normalized_gap",
        formula=r"h \ge \gamma / 2,\ \gamma = 1 - \sigma_2",
        reference=_CHUNG,
        high=0.5,
    ),
    _spectral(
        "cheeger_upper",
        _cheeger(lambda gap: np.sqrt(gap * (2 - gap))),
        summary="the conductance (Cheeger constant) is at most this, from the normalized_gap",
        formula=r"h \le \sqrt{\gamma (2 - \gamma)},\ \gamma = 1 - \sigma_2",
        reference=_CHUNG,
        high=1,
    ),
)
