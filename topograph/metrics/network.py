"""What no single layer shows: the paths from the inputs of a network to its outputs, and what lies on none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from topograph.metrics.metric import Metric, Value
from topograph.metrics.shared import shared

if TYPE_CHECKING:
    from topograph.graph import BipartiteGraph
    from topograph.topology import Topology

_VYSOGORETS = (
    "Vysogorets & Kempe (2023), Connectivity matters: neural network pruning through the lens of effective sparsity"
)
_CUNEGATTI = (
    "Cunegatti, Farina, Bucur & Iacca (2024), Understanding Sparse Neural Networks from their Topology via "
    "Multipartite Graph Representations"
)
_RADIX = "Robinett & Kepner (2019), RadiX-Net: structured sparse matrices for deep neural networks"
_TANAKA = "Tanaka et al. (2020), Pruning neural networks without any data by iteratively conserving synaptic flow"
_CHUNG = "Chung (1997), Spectral Graph Theory"

_BLOCK = 1 << 24  # numbers held at once

Flags = npt.NDArray[np.bool_]


# ---------------------------------------------------------------------- what lies on a path


@dataclass(frozen=True)
class _Effective:
    """Connections on an input-output path, and for each hidden layer the neurons on one."""

    n_edges: int
    hidden: tuple[Flags, ...]


@shared
def _effective(topology: Topology) -> _Effective:
    ahead: list[Flags] = [np.ones(topology.sizes[0], dtype=bool)]  # neurons that some input reaches
    for graph in topology:
        ahead.append(_reached(graph, ahead[-1]))
    back: list[Flags] = [np.ones(topology.sizes[-1], dtype=bool)]  # neurons from which some output is reached
    for graph in reversed(topology.graphs):
        back.append(_reaching(graph, back[-1]))
    back.reverse()
    n_edges = 0
    for layer, graph in enumerate(topology):
        from_input = np.repeat(ahead[layer], graph.left_degrees)
        n_edges += int(np.count_nonzero(from_input & back[layer + 1][graph.indices]))
    return _Effective(n_edges, tuple(a & b for a, b in zip(ahead[1:-1], back[1:-1], strict=True)))


def _reached(graph: BipartiteGraph, chosen: Flags) -> Flags:
    reached = np.zeros(graph.n_right, dtype=bool)
    reached[graph.indices[np.repeat(chosen, graph.left_degrees)]] = True
    return reached


def _reaching(graph: BipartiteGraph, chosen: Flags) -> Flags:
    running = np.concatenate([[0], np.cumsum(chosen[graph.indices])])
    return np.asarray(running[graph.indptr[1:]] > running[graph.indptr[:-1]])


def _reachability(topology: Topology) -> Value:
    pairs = topology.sizes[0] * topology.sizes[-1]
    return Value(_connected_pairs(topology) / pairs)


@shared
def _connected_pairs(topology: Topology) -> int:
    """Input-output pairs with a path between them: sets of outputs as bits, united layer by layer."""
    from topograph.metrics.kernels import unite_rows

    outputs = topology.sizes[-1]
    sets = np.zeros((outputs, -(-outputs // 64)), dtype=np.uint64)
    numbers = np.arange(outputs)
    sets[numbers, numbers // 64] = np.uint64(1) << (numbers % 64).astype(np.uint64)
    for graph in reversed(topology.graphs):
        united = np.empty((graph.n_left, sets.shape[1]), dtype=np.uint64)
        unite_rows(graph.indptr, graph.indices, sets, united)
        sets = united
    return int(np.bitwise_count(sets).sum(dtype=np.int64))


def _hidden(count: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Any]) -> Callable[[Topology], Value]:
    """Number of hidden neurons of which ``count(incoming, outgoing)`` holds."""

    def compute(topology: Topology) -> Value:
        pairs = itertools.pairwise(topology)
        return Value(sum(int(np.count_nonzero(count(a.right_degrees, b.left_degrees))) for a, b in pairs))

    return compute


# ---------------------------------------------------------------------- how many paths


@dataclass(frozen=True)
class _PathCounts:
    """Moments of the path counts P over all input-output pairs, and of ln P over those that have a path."""

    pairs: int
    connected: int
    cv: float
    log_std: float


@shared
def _path_counts(topology: Topology) -> _PathCounts:
    """Counts as floats with an exponent of its own for each output: powers of two, so scaling rounds nothing."""
    widest, outputs = max(topology.sizes), topology.sizes[-1]
    width = max(1, _BLOCK // widest)
    matrices = [graph.biadjacency.astype(np.float64) for graph in topology]
    connected, logs, squares_of_logs = 0, 0.0, 0.0
    shift = 0.0
    sums: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]] = []
    for start in range(0, outputs, width):
        stop = min(start + width, outputs)
        counts = np.zeros((outputs, stop - start))
        counts[np.arange(start, stop), np.arange(stop - start)] = 1.0
        exponents = np.zeros(stop - start, dtype=np.int64)
        for matrix in reversed(matrices):
            counts = matrix @ counts
            _, powers = np.frexp(counts.max(axis=0))
            counts = np.ldexp(counts, -powers)
            exponents += powers
        sums.append((counts.sum(axis=0), np.square(counts).sum(axis=0), exponents))
        with np.errstate(divide="ignore"):
            each = np.log(counts) + exponents * math.log(2)
        each = each[np.isfinite(each)]
        if not connected and each.size:
            shift = float(each[0])  # so that equal logs have a variance of exactly 0
        each -= shift
        connected += each.size
        logs, squares_of_logs = logs + float(each.sum()), squares_of_logs + float(np.square(each).sum())
    first, second, exponents = (np.concatenate(parts) for parts in zip(*sums, strict=True))
    top = int(exponents[first > 0].max(initial=-(2**62)))
    scale = np.maximum(exponents - top, -2000)
    pairs = topology.sizes[0] * outputs
    mean = float(np.ldexp(first, scale).sum()) / pairs
    variance = max(float(np.ldexp(second, 2 * scale).sum()) / pairs - mean**2, 0.0)
    if variance < 1e-13 * mean**2:
        variance = 0.0  # below the rounding of the sums
    log_variance = squares_of_logs / connected - (logs / connected) ** 2 if connected else math.nan
    return _PathCounts(
        pairs, connected, math.sqrt(variance) / mean if mean else math.nan, math.sqrt(max(log_variance, 0.0))
    )


_NO_PATH = Value.undefined("no input is connected to an output")


def _log_path_count(topology: Topology) -> Value:
    counts = np.ones(topology.sizes[-1])
    log = 0.0
    for graph in reversed(topology.graphs):
        counts = graph.biadjacency.astype(np.float64) @ counts
        largest = float(counts.max())
        if not largest:
            return _NO_PATH
        counts /= largest
        log += math.log(largest)
    return Value(log + math.log(float(counts.sum())))


def _path_count_cv(topology: Topology) -> Value:
    found = _path_counts(topology)
    return _NO_PATH if math.isnan(found.cv) else Value(found.cv)


def _log_path_spread(topology: Topology) -> Value:
    found = _path_counts(topology)
    connected = _connected_pairs(topology)
    if not connected:
        return _NO_PATH
    if connected != found.connected:
        return Value.undefined("the path counts of one output span more than 300 orders of magnitude")
    return Value(found.log_std)


# ---------------------------------------------------------------------- the product of the layers


@shared
def _product(topology: Topology) -> tuple[Value, Value]:
    """The two largest singular values of the product of the normalised biadjacencies."""
    matrices = [_normalized(graph) for graph in topology]
    n, m = topology.sizes[0], topology.sizes[-1]
    if n * m <= _BLOCK // 4:
        product = np.eye(m)
        for matrix in reversed(matrices):
            product = matrix @ product
        values = np.linalg.svd(product, compute_uv=False)
        error = 4 * float(np.finfo(float).eps) * math.sqrt(max(n, m)) * len(matrices)
        return Value(float(values[0]), error), Value(float(values[1]) if values.size > 1 else 0.0, error)
    return _sparse_product(matrices, n, m)


def _sparse_product(matrices: list[Any], n: int, m: int) -> tuple[Value, Value]:
    from scipy.sparse.linalg import ArpackError, LinearOperator, svds

    def forward(vector: Any) -> Any:
        for matrix in reversed(matrices):
            vector = matrix @ vector
        return vector

    def backward(vector: Any) -> Any:
        for matrix in matrices:
            vector = matrix.T @ vector
        return vector

    operator = LinearOperator((n, m), matvec=forward, rmatvec=backward, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(min(n, m))
    try:
        left, values, right = svds(operator, k=2, v0=start, tol=1e-10)
    except ArpackError as error:
        failure = Value.undefined(f"the singular values of the product were not reached: {error}")
        return failure, failure
    found = []
    for place in np.argsort(-values):
        u, v, value = left[:, place], right[place], float(values[place])
        residual = max(np.linalg.norm(forward(v) - value * u), np.linalg.norm(backward(u) - value * v))
        found.append(Value(value, float(residual)))
    return found[0], found[1]


def _normalized(graph: BipartiteGraph) -> Any:
    """D_L^-½ B D_R^-½, with zeros for nodes without a connection."""
    left, right = (
        np.divide(1.0, np.sqrt(degrees), out=np.zeros(degrees.size), where=degrees > 0)
        for degrees in (graph.left_degrees, graph.right_degrees)
    )
    matrix = graph.biadjacency.astype(np.float64)
    matrix.data = np.repeat(left, graph.left_degrees) * right[graph.indices]
    return matrix


# ---------------------------------------------------------------------- the catalogue


def _metric(
    name: str,
    compute: Callable[[Topology], Value],
    words: str,
    formula: str,
    high: float,
    reference: str,
    direction: str = "higher",
    cost: str = "E",
    integer: bool = False,
    low: float = 0,
) -> Metric:
    return Metric(
        name,
        compute,
        words,
        formula,
        low,
        high,
        "network",
        reference=reference,
        integer=integer,
        direction=direction,
        cost=cost,
        needs="chain",
        fast=False,
    )


METRICS = (
    _metric(
        "reachability",
        _reachability,
        "share of the input-output pairs that a path connects",
        r"|\{(i, o) : P_{io} > 0\}| / (n_0 n_L),\ P = B_1 \cdots B_L",
        1,
        _CUNEGATTI,
        cost="E n_L / 64",
    ),
    _metric(
        "log_path_count",
        _log_path_count,
        "natural logarithm of the number of paths from all inputs to all outputs",
        r"\ln \sum_{i,o} P_{io},\ P = B_1 \cdots B_L",
        math.inf,
        _RADIX,
    ),
    _metric(
        "path_count_cv",
        _path_count_cv,
        "coefficient of variation of the number of paths over all input-output pairs, those without a path included; 0 "
        "exactly where every pair has equally many (the symmetry of RadiX-Net)",
        r"\mathrm{std}(P_{io}) / \mathrm{mean}(P_{io})",
        math.inf,
        _RADIX,
        direction="lower",
        cost="E n_L",
    ),
    _metric(
        "log_path_spread",
        _log_path_spread,
        "standard deviation of the logarithm of the number of paths, over the pairs that have one",
        r"\mathrm{std}_{P_{io} > 0}(\ln P_{io})",
        math.inf,
        _RADIX,
        direction="lower",
        cost="E n_L",
    ),
    _metric(
        "effective_density",
        lambda t: Value(_effective(t).n_edges / sum(graph.n_left * graph.n_right for graph in t)),
        "share of the possible connections that exist and lie on a path from an input to an output",
        r"|E_{\mathrm{eff}}| / \sum_l n_{l-1} n_l",
        1,
        _VYSOGORETS,
    ),
    _metric(
        "removable_connections",
        lambda t: Value(t.n_edges - _effective(t).n_edges),
        "number of connections on no path from an input to an output: they can be removed without changing what the "
        "network computes but for biases",
        r"|E| - |E_{\mathrm{eff}}|",
        math.inf,
        _CUNEGATTI,
        direction="lower",
        integer=True,
    ),
    _metric(
        "dead_neurons",
        _hidden(lambda incoming, outgoing: (incoming == 0) & (outgoing == 0)),
        "number of hidden neurons without any connection",
        r"|\{v : d^{in}_v = d^{out}_v = 0\}|",
        math.inf,
        _CUNEGATTI,
        direction="lower",
        integer=True,
    ),
    _metric(
        "source_neurons",
        _hidden(lambda incoming, outgoing: (incoming == 0) & (outgoing > 0)),
        "number of hidden neurons with outgoing connections only: they pass on their bias",
        r"|\{v : d^{in}_v = 0 < d^{out}_v\}|",
        math.inf,
        _CUNEGATTI,
        direction="lower",
        integer=True,
    ),
    _metric(
        "sink_neurons",
        _hidden(lambda incoming, outgoing: (incoming > 0) & (outgoing == 0)),
        "number of hidden neurons with incoming connections only: nobody reads them",
        r"|\{v : d^{out}_v = 0 < d^{in}_v\}|",
        math.inf,
        _CUNEGATTI,
        direction="lower",
        integer=True,
    ),
    _metric(
        "inactive_neurons",
        lambda t: Value(sum(int(np.count_nonzero(~active)) for active in _effective(t).hidden)),
        "number of hidden neurons on no path from an input to an output: dead, sources, sinks and what hangs on them",
        r"|\{v : v \notin \text{any path}\}|",
        math.inf,
        _VYSOGORETS,
        direction="lower",
        integer=True,
    ),
    _metric(
        "collapsed_layers",
        lambda t: Value(sum(graph.n_edges == 0 for graph in t)),
        "number of layer pairs without any connection (layer collapse)",
        r"|\{l : |E_l| = 0\}|",
        math.inf,
        _TANAKA,
        direction="lower",
        integer=True,
    ),
    _metric(
        "product_sigma1",
        lambda t: _product(t)[0],
        "largest singular value of the product of the normalised biadjacencies; 1 where each layer takes up the "
        "degrees in the proportions that the one before hands on, 0 without a path",
        r"\sigma_1(\tilde B_1 \cdots \tilde B_L),\ \tilde B = D_L^{-1/2} B D_R^{-1/2}",
        1,
        _CHUNG,
        cost="E n_L, or 100 E where n_0 n_L is large",
    ),
    _metric(
        "product_sigma2",
        lambda t: _product(t)[1],
        "second largest singular value of the product of the normalised biadjacencies; small where the network mixes",
        r"\sigma_2(\tilde B_1 \cdots \tilde B_L)",
        1,
        _CHUNG,
        direction="lower",
        cost="E n_L, or 100 E where n_0 n_L is large",
    ),
)
