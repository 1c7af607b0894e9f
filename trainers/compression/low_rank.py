"""Low-rank layers: W = U V with an inner width of r."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainers.compression.compression import Compression, Floats


@dataclass(frozen=True)
class LowRank:
    """W = U V, U of shape n × r and V of shape r × m.

    An entry is a sum of r products, so its variance is r σ⁴ where all parameters have variance σ².
    """

    n: int
    m: int
    rank: int

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """U and V."""
        return (self.n, self.rank), (self.rank, self.m)

    def initial(self, variance: float, generator: np.random.Generator) -> list[Floats]:
        """See `Form`."""
        deviation = (variance / self.rank) ** 0.25
        return [deviation * generator.standard_normal(shape) for shape in self.shapes]

    def dense(self, parameters: Sequence[Any]) -> Any:
        """See `Form`."""
        return parameters[0] @ parameters[1]

    def product(self, x: Any, parameters: Sequence[Any]) -> Any:
        """See `Form`."""
        return (x @ parameters[0]) @ parameters[1]


def _make(n: int, m: int, budget: int, generator: np.random.Generator) -> LowRank:
    return LowRank(n, m, min(budget // (n + m), min(n, m)))


LOW_RANK = Compression(
    "low_rank",
    "W = U V with r columns in U: r (n + m) parameters.",
    lambda n, m: n + m,
    _make,
    "Denil et al. (2013), Predicting parameters in deep learning",
)
