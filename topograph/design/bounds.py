"""How good an expander of given degrees can be at most: bounds that hold for every simple graph with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.metrics.ramanujan import ramanujan_bound


@dataclass(frozen=True)
class ExpansionBound:
    """What no simple bipartite graph with given degrees can pass.

    Parameters
    ----------
    sigma2
        Least possible second singular value of B.
    algebraic_connectivity, normalized_gap
        Largest possible values.
    ramanujan_ratio
        Least possible value.
    """

    sigma2: float
    algebraic_connectivity: float
    normalized_gap: float
    ramanujan_ratio: float


def expansion_bound(graph: BipartiteGraph) -> ExpansionBound:
    """Bounds for all graphs with the degrees of ``graph``.

    With E edges, k and d the largest degrees, s = σ1² ∈ [E²/(nm), kd], T = tr (BᵀB)² and r the smaller side:

    - σ2² ≥ (E − s)/(r − 1), since the σ² sum to E;
    - σ2² ≥ (T − s²)/(E − s), since σ2² is at least the mean of the other σ² weighted by themselves. With c_jj′ the
      number of inputs that outputs j and j′ share, T = Σ d_j² + Σ c_jj′²; the degrees fix Σ c_jj′, and each c is whole,
      so T is at least what the most even c give (and the same for pairs of inputs);
    - 1 − normalised σ2 ≤ 1 − σ2/√(kd), and λ2 ≤ ½ [k + d − √((k − d)² + 4σ2²)], by monotony in the degrees;
    - λ2 ≤ E(n + m)/(nm) and λ2 ≤ (n + m)/(n + m − 1) · (smallest degree), by test vectors.

    Designs (projective planes, nets, …) meet the second bound. For sparse random-like graphs it is loose: there σ2 is
    near √(k − 1) + √(d − 1), below which only finitely many graphs of given degrees go (Feng & Li).

    Raises
    ------
    InvalidParameterError
        When the graph has no edges.

    References
    ----------
    * Fiedler (1973), Algebraic connectivity of graphs.
    * Feng & Li (1996), Spectra of hypergraphs and applications.
    * Høholdt & Janwa (2012), Eigenvalues and expansion of bipartite graphs.

    Examples
    --------
    >>> from topograph import construct
    >>> plane = construct("ramanujan", 31, 31, degree=6)
    >>> bound = expansion_bound(plane)
    >>> round(bound.sigma2**2, 9), abs(plane.algebraic_connectivity() - bound.algebraic_connectivity) < 1e-9
    (5.0, True)
    """
    if not graph.n_edges:
        raise InvalidParameterError("a graph without edges has no expansion to bound")
    n, m, edges = graph.n_left, graph.n_right, graph.n_edges
    left, right = graph.left_degrees, graph.right_degrees
    k, d = int(left.max()), int(right.max())
    trace = max(_least_fourth_moment(left, right), _least_fourth_moment(right, left))
    low, high = edges**2 / (n * m), min(float(k * d), float(edges))
    square = 0.0
    if min(n, m) > 1:
        square = max(0.0, (edges - high) / (min(n, m) - 1))
        if high < edges:  # as a function of s the quotient rises, then falls: it is least at an end
            square = max(square, min((trace - s * s) / (edges - s) for s in (low, high)))
    sigma2 = math.sqrt(square)
    ratio = ramanujan_bound(graph).value
    return ExpansionBound(
        sigma2=sigma2,
        algebraic_connectivity=min(
            (k + d - math.sqrt((k - d) ** 2 + 4 * square)) / 2 if min(n, m) > 1 else math.inf,
            edges * (n + m) / (n * m),
            (n + m) / (n + m - 1) * int(min(left.min(), right.min())),
        ),
        normalized_gap=1.0 - sigma2 / math.sqrt(k * d),
        ramanujan_ratio=sigma2 / ratio if ratio else math.nan,
    )


def _least_fourth_moment(ends: npt.NDArray[np.int64], middles: npt.NDArray[np.int64]) -> int:
    """The least Σ_j d_j² + Σ_(j≠j′) c_jj′² over whole c_jj′ that sum to the number of paths of length two."""
    pairs = ends.size * (ends.size - 1)
    paths = int((middles * (middles - 1)).sum())
    common, more = divmod(paths, pairs) if pairs else (0, 0)
    return int((ends**2).sum()) + (pairs - more) * common**2 + more * (common + 1) ** 2
