"""What no single layer shows: the paths from the inputs of a network to its outputs, and what lies on none."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from topograph.metrics.metric import Metric, Value
from topograph.metrics.path_counts import log_path_count, log_path_spread, path_count_cv
from topograph.metrics.product import product_values
from topograph.metrics.reach import connected_pairs, effective, hidden_neurons

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

_chain = partial(Metric, low=0, group="network", needs="chain", fast=False)

METRICS = (
    _chain(
        "reachability",
        lambda t: Value(connected_pairs(t) / (t.sizes[0] * t.sizes[-1])),
        summary="share of the input-output pairs that a path connects",
        formula=r"|\{(i, o) : P_{io} > 0\}| / (n_0 n_L),\ P = B_1 \cdots B_L",
        high=1,
        reference=_CUNEGATTI,
        direction="higher",
        cost="E n_L / 64",
    ),
    _chain(
        "log_path_count",
        log_path_count,
        summary="natural logarithm of the number of paths from all inputs to all outputs",
        formula=r"\ln \sum_{i,o} P_{io},\ P = B_1 \cdots B_L",
        high=math.inf,
        reference=_RADIX,
        direction="higher",
    ),
    _chain(
        "path_count_cv",
        path_count_cv,
        summary=(
            "coefficient of variation of the number of paths over all input-output pairs, those without a path "
            "included; 0 exactly where every pair has equally many (the symmetry of RadiX-Net)"
        ),
        formula=r"\mathrm{std}(P_{io}) / \mathrm{mean}(P_{io})",
        high=math.inf,
        reference=_RADIX,
        direction="lower",
        cost="E n_L",
    ),
    _chain(
        "log_path_spread",
        log_path_spread,
        summary="standard deviation of the logarithm of the number of paths, over the pairs that have one",
        formula=r"\mathrm{std}_{P_{io} > 0}(\ln P_{io})",
        high=math.inf,
        reference=_RADIX,
        direction="lower",
        cost="E n_L",
    ),
    _chain(
        "effective_density",
        lambda t: Value(effective(t).n_edges / sum(graph.n_left * graph.n_right for graph in t)),
        summary="share of the possible edges that exist and lie on a path from an input to an output",
        formula=r"|E_{\mathrm{eff}}| / \sum_l n_{l-1} n_l",
        high=1,
        reference=_VYSOGORETS,
        direction="higher",
    ),
    _chain(
        "removable_connections",
        lambda t: Value(t.n_edges - effective(t).n_edges),
        summary=(
            "number of edges on no path from an input to an output: they can be removed without changing "
            "what the network computes but for biases"
        ),
        formula=r"|E| - |E_{\mathrm{eff}}|",
        high=math.inf,
        reference=_CUNEGATTI,
        direction="lower",
        integer=True,
    ),
    _chain(
        "dead_neurons",
        hidden_neurons(lambda incoming, outgoing: (incoming == 0) & (outgoing == 0)),
        summary="number of hidden neurons without any edge",
        formula=r"|\{v : d^{in}_v = d^{out}_v = 0\}|",
        high=math.inf,
        reference=_CUNEGATTI,
        direction="lower",
        integer=True,
    ),
    _chain(
        "source_neurons",
        hidden_neurons(lambda incoming, outgoing: (incoming == 0) & (outgoing > 0)),
        summary="number of hidden neurons with outgoing edges only: they pass on their bias",
        formula=r"|\{v : d^{in}_v = 0 < d^{out}_v\}|",
        high=math.inf,
        reference=_CUNEGATTI,
        direction="lower",
        integer=True,
    ),
    _chain(
        "sink_neurons",
        hidden_neurons(lambda incoming, outgoing: (incoming > 0) & (outgoing == 0)),
        summary="number of hidden neurons with incoming edges only: nobody reads them",
        formula=r"|\{v : d^{out}_v = 0 < d^{in}_v\}|",
        high=math.inf,
        reference=_CUNEGATTI,
        direction="lower",
        integer=True,
    ),
    _chain(
        "inactive_neurons",
        lambda t: Value(sum(int(np.count_nonzero(~active)) for active in effective(t).hidden)),
        summary=(
            "number of hidden neurons on no path from an input to an output: dead, sources, sinks and "
            "neurons that depend on them"
        ),
        formula=r"|\{v : v \notin \text{any path}\}|",
        high=math.inf,
        reference=_VYSOGORETS,
        direction="lower",
        integer=True,
    ),
    _chain(
        "collapsed_layers",
        lambda t: Value(sum(graph.n_edges == 0 for graph in t)),
        summary="number of layers without any edge (layer collapse)",
        formula=r"|\{l : |E_l| = 0\}|",
        high=math.inf,
        reference=_TANAKA,
        direction="lower",
        integer=True,
    ),
    _chain(
        "product_sigma1",
        lambda t: product_values(t)[0],
        summary=(
            "largest singular value of the product of the normalised biadjacencies; 1 where each layer takes up the "
            "degrees in the proportions that the one before hands on, 0 without a path"
        ),
        formula=r"\sigma_1(\tilde B_1 \cdots \tilde B_L),\ \tilde B = D_L^{-1/2} B D_R^{-1/2}",
        high=1,
        reference=_CHUNG,
        direction="higher",
        cost="E n_L, or 100 E where n_0 n_L is large",
    ),
    _chain(
        "product_sigma2",
        lambda t: product_values(t)[1],
        summary=(
            "second largest singular value of the product of the normalised biadjacencies; small where the "
            "network mixes"
        ),
        formula=r"\sigma_2(\tilde B_1 \cdots \tilde B_L)",
        high=1,
        reference=_CHUNG,
        direction="lower",
        cost="E n_L, or 100 E where n_0 n_L is large",
    ),
)
