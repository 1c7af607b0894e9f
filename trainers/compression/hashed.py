"""Hashed layers: each entry is one of p shared weights, chosen by chance, with a random sign."""

from __future__ import annotations

import numpy as np

from trainers.compression.circulant import Shared
from trainers.compression.compression import Compression


def _make(n: int, m: int, budget: int, generator: np.random.Generator) -> Shared:
    index = generator.permutation(np.arange(n * m) % budget).reshape(n, m)  # each weight equally often, within one
    return Shared(index, generator.choice(np.array([-1, 1], dtype=np.int8), (n, m)))


HASHED = Compression(
    "hashed",
    "W_ij = ±w_h(i, j) with a random h onto p weights: exactly p parameters.",
    lambda n, m: 1,
    _make,
    "Chen et al. (2015), Compressing neural networks with the hashing trick",
)
