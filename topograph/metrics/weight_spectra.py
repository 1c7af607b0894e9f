"""The spectrum of the weight matrix itself, signs included: how heavy its tail is, and what stands out of noise."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt

from topograph.metrics.metric import Metric, Value
from topograph.metrics.weighted import WeightedGraph

_HILL = (
    "Hill (1975), A simple general approach to inference about the tail of a distribution; Zhou et al. (2023), "
    "Temperature balancing, layer-wise weight analysis, and neural network training"
)
_ROY = "Roy & Vetterli (2007), The effective rank: a measure of effective dimensionality"
_RUDELSON = "Rudelson & Vershynin (2007), Sampling from large matrices"
_MARCHENKO = (
    "Marchenko & Pastur (1967), Distribution of eigenvalues for some sets of random matrices; Martin & Mahoney (2021), "
    "Implicit self-regularization in deep neural networks"
)
_NO_WEIGHTS = Value.undefined("the graph has no edges")
_ROUNDING = 1e-20  # eigenvalues below this share of the largest are zeros


def _eigenvalues(weighted: WeightedGraph) -> npt.NDArray[np.float64]:
    """Eigenvalues of W'W that are not zero, from the largest, in units of the largest weight squared."""
    values = (weighted.singular_values / weighted.weights.max()) ** 2
    return np.asarray(values[values > _ROUNDING * values[0]])


def _stable_rank(weighted: WeightedGraph) -> Value:
    if not weighted.graph.n_edges:
        return _NO_WEIGHTS
    values = _eigenvalues(weighted)
    return Value(float(values.sum() / values[0]))


def _effective_rank(weighted: WeightedGraph) -> Value:
    if not weighted.graph.n_edges:
        return _NO_WEIGHTS
    shares = weighted.singular_values / weighted.singular_values.sum()
    shares = shares[shares > 0]
    return Value(float(np.exp(-(shares * np.log(shares)).sum())))


def _hill_alpha(weighted: WeightedGraph) -> Value:
    if not weighted.graph.n_edges:
        return _NO_WEIGHTS
    values = _eigenvalues(weighted)
    tail = len(values) // 2
    if tail < 1:
        return Value.undefined("the weight matrix has rank 1, and a tail needs two eigenvalues")
    spread = float(np.log(values[:tail] / values[tail]).sum())
    if spread <= 1e-9 * tail:
        return Value.undefined("the largest eigenvalues of W'W are equal: there is no tail")
    return Value(1 + tail / spread)


def _bulk_edge(weighted: WeightedGraph) -> float:
    """The largest eigenvalue of W'W that a matrix of independent entries with the same variance would have."""
    n, m = weighted.graph.shape
    scaled = weighted.weights / weighted.weights.max()
    variance = float(np.square(scaled).sum()) / (n * m)
    return variance * (math.sqrt(n) + math.sqrt(m)) ** 2


def _edge_ratio(weighted: WeightedGraph) -> Value:
    if not weighted.graph.n_edges:
        return _NO_WEIGHTS
    return Value(float(_eigenvalues(weighted)[0]) / _bulk_edge(weighted))


def _spikes(weighted: WeightedGraph) -> Value:
    if not weighted.graph.n_edges:
        return _NO_WEIGHTS
    return Value(int(np.count_nonzero(_eigenvalues(weighted) > _bulk_edge(weighted))))


_spectra = partial(
    Metric, low=0, high=math.inf, group="weight_spectra", needs="weights", fast=False, cost="n m min(n, m), dense"
)

METRICS = (
    _spectra(
        "stable_rank",
        _stable_rank,
        summary="squared Frobenius norm of W over its largest singular value squared: a rank without the small values",
        formula=r"\|W\|_F^2 / \sigma_1^2",
        low=1,
        reference=_RUDELSON,
    ),
    _spectra(
        "effective_rank",
        _effective_rank,
        summary=(
            "exponential of the entropy of the singular values of W as shares of their sum: how many count, smoothly"
        ),
        formula=r"\exp\left(-\sum_i p_i \ln p_i\right),\ p_i = \sigma_i \big/ \sum_j \sigma_j",
        low=1,
        reference=_ROY,
    ),
    _spectra(
        "hill_alpha",
        _hill_alpha,
        summary=(
            "exponent of the tail of the eigenvalues of W'W by Hill's estimator on the larger half of those that are "
            "not zero; small where the tail is heavy"
        ),
        formula=r"1 + k \big/ \sum_{i=1}^k \ln(\lambda_i / \lambda_{k+1}),\ k = \lfloor r/2 \rfloor",
        low=1,
        reference=_HILL,
    ),
    _spectra(
        "bulk_edge_ratio",
        _edge_ratio,
        summary=(
            "largest eigenvalue of W'W over the edge of the Marchenko-Pastur law for independent entries of the same "
            "mean square, zeros included; above 1, W holds more than noise"
        ),
        formula=r"\sigma_1^2 \big/ \left(s^2 (\sqrt{n} + \sqrt{m})^2\right),\ s^2 = \|W\|_F^2 / (nm)",
        reference=_MARCHENKO,
    ),
    _spectra(
        "n_spikes",
        _spikes,
        summary="number of eigenvalues of W'W above the edge of the Marchenko-Pastur law (see bulk_edge_ratio)",
        formula=r"|\{i : \sigma_i^2 > s^2 (\sqrt{n} + \sqrt{m})^2\}|",
        integer=True,
        reference=_MARCHENKO,
    ),
)
