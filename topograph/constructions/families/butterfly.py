"""Butterflies: one stage of the fast Fourier transform."""

from __future__ import annotations

import numpy as np

from topograph.checks import check_integer
from topograph.constructions.guarantees import EXACT_DEGREE_EDGES, LEFT_REGULAR, RIGHT_REGULAR, Guarantee
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import from_equal_rows
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph

_COMPONENTS = Guarantee("n / k components", lambda g, k, o: g.n_components == g.n_left // int(k or 2))


@construction(
    "butterfly",
    summary=(
        "the k outputs whose number differs from i in one digit at most: digit `stage` (from 0, the lowest) in base k"
    ),
    guarantees=(LEFT_REGULAR, RIGHT_REGULAR, EXACT_DEGREE_EDGES, _COMPONENTS),
    reference="Cooley & Tukey (1965); Dao et al. (2019), Learning Fast Algorithms for Linear Transforms Using "
    "Butterfly Factorizations, arXiv:1903.05895",
    sized_by="fixed",
    implied_degree=True,
    connected=Connected("k = m", lambda n, m, k: k == m),
    examples=((8, 8, {}), (9, 9, {"degree": 3, "stage": 1}), (24, 24, {"degree": 2, "stage": 2})),
)
def butterfly(
    n_left: int, n_right: int, degree: float | None, generator: np.random.Generator, stage: int = 0
) -> BipartiteGraph:
    """One stage of radix k (2 when left out) on n = m nodes, a multiple of k^(stage + 1).

    The stages 0 … L − 1 on k^L nodes, one after the other, join every input to every output by exactly one path.
    """
    radix = 2 if degree is None else degree
    if radix != int(radix) or not 1 <= radix <= n_left:
        raise InvalidParameterError(
            f"the radix of a butterfly is a whole number from 1 to {n_left}, got degree={radix}"
        )
    radix = int(radix)
    stage = check_integer("stage", stage, low=0)
    stride = radix**stage
    span = radix * stride
    if n_left != n_right or n_left % span:
        size = max(n_left, n_right)
        near = sorted({max(span, size - size % span), size + (-size) % span})
        raise InvalidParameterError(
            f"stage {stage} of a butterfly of radix {radix} needs n_left = n_right, a multiple of {span}, but got "
            f"{n_left} × {n_right}; the nearest are {' and '.join(f'{s} × {s}' for s in near)}"
        )
    node = np.arange(n_left)
    first = node - node // stride % radix * stride
    return from_equal_rows(first[:, None] + np.arange(radix) * stride, n_right)
