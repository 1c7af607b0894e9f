"""IMDB, the iterative mean difference of bound: Δr of the left-regular pieces, averaged; in its two published forms.

For each degree that inputs have, the piece is the graph of those inputs and all outputs they connect to. Both codes
score a piece only where its mean degrees on both sides are at least 3, outputs without an edge dropped. They
differ in which pieces count, and in whether the difference is divided by the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from topograph.caching import computed_once
from topograph.graph import BipartiteGraph
from topograph.metrics.metric import Metric, Value
from topograph.metrics.ramanujan import mean_degrees
from topograph.spectral import Estimate, compute_spectrum

_HOANG = (
    "Hoang, Liu, Marculescu & Wang (2023), Revisiting Pruning at Initialization Through the Lens of Ramanujan Graph"
)
_CUNEGATTI = (
    "Cunegatti, Farina, Bucur & Iacca (2024), Understanding Sparse Neural Networks from their Topology via "
    "Multipartite Graph Representations"
)
_LEAST_DEGREE = 3
_LEAST_INPUTS = 3


@dataclass(frozen=True)
class _Piece:
    """The inputs of one degree with their outputs."""

    n_left: int
    bound: float
    second: Estimate


@computed_once
def _pieces(graph: BipartiteGraph) -> list[_Piece]:
    pieces = []
    every_output = np.ones(graph.n_right, dtype=bool)
    for degree in np.unique(graph.left_degrees):
        if degree < _LEAST_DEGREE:
            continue
        chosen = graph.left_degrees == degree
        part = graph if chosen.all() else graph.subgraph(chosen, every_output)
        left, right = mean_degrees(part)
        if right < _LEAST_DEGREE:
            continue
        if part is graph:
            second = graph.spectrum(on_failure="nan")["sigma2"]
        else:
            second = compute_spectrum(part, quantities=["sigma2"], on_failure="nan")["sigma2"]
        pieces.append(_Piece(part.n_left, math.sqrt(left - 1) + math.sqrt(right - 1), second))
    return pieces


def _mean(least_inputs: int, over_bound: bool) -> Callable[[BipartiteGraph], Value]:
    def compute(graph: BipartiteGraph) -> Value:
        counted = [piece for piece in _pieces(graph) if piece.n_left >= least_inputs]
        if not counted:
            return Value.undefined(
                f"no degree of at least {_LEAST_DEGREE} is held by {least_inputs or 1} or more inputs whose outputs "
                f"have a mean degree of at least {_LEAST_DEGREE}"
            )
        failure = next((piece.second.reason for piece in counted if piece.second.reason), None)
        if failure is not None:
            return Value.undefined(failure)
        scales = [piece.bound if over_bound else 1.0 for piece in counted]
        gaps = [(piece.bound - piece.second.value) / scale for piece, scale in zip(counted, scales, strict=True)]
        errors = [piece.second.residual / scale for piece, scale in zip(counted, scales, strict=True)]
        return Value(float(np.mean(gaps)), float(np.mean(errors)))

    return compute


def _imdb(name: str, least_inputs: int, over_bound: bool, words: str, formula: str, reference: str) -> Metric:
    return Metric(
        name,
        _mean(least_inputs, over_bound),
        summary=words,
        formula=formula,
        low=-math.inf,
        high=1 if over_bound else math.inf,
        group="imdb",
        reference=reference,
        direction="higher",
        cost="a spectrum for each left degree",
        fast=False,
    )


_PIECES = "over the left-regular pieces of degree k"

METRICS = (
    _imdb(
        "imdb_hoang",
        _LEAST_INPUTS,
        False,
        f"IMDB, form 1: mean of Δr {_PIECES} that at least 3 inputs hold",
        r"\frac{1}{|K|} \sum_{k \in K} \Delta r(B_k),\ K = \{k : |\{v : d_v = k\}| \ge 3\}",
        _HOANG,
    ),
    _imdb(
        "imdb_hoang_normalized",
        _LEAST_INPUTS,
        True,
        f"IMDB, form 1, normalised: mean of Δr over its bound {_PIECES} that at least 3 inputs hold",
        r"\frac{1}{|K|} \sum_{k \in K} \Delta r(B_k) / b_k,\ K = \{k : |\{v : d_v = k\}| \ge 3\}",
        _HOANG,
    ),
    _imdb(
        "imdb_cunegatti",
        0,
        True,
        f"IMDB, form 2: mean of Δr over its bound {_PIECES}, k at least 3, however few inputs hold it",
        r"\frac{1}{|K|} \sum_{k \in K} \Delta r(B_k) / b_k,\ K = \{k \ge 3\}",
        _CUNEGATTI,
    ),
)
