"""Block-circulant layers: within each block of b × b entries, all entries of a diagonal (modulo b) are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.packages import require
from trainers.compression.compression import Compression, Floats


@dataclass(frozen=True, eq=False)
class Shared:
    """W_ij = ξ_ij p_k(i, j): each entry is one of the parameters, perhaps with a sign.

    Parameters
    ----------
    index
        Number of the parameter of each entry, inputs × outputs; each parameter occurs.
    signs
        1 or −1 for each entry, or None.
    """

    index: npt.NDArray[np.int64]
    signs: npt.NDArray[np.int8] | None = None
    _made: dict[Any, tuple[Any, Any]] = field(default_factory=dict, init=False, repr=False)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """All parameters in a row."""
        return ((int(self.index.max()) + 1,),)

    def initial(self, variance: float, generator: np.random.Generator) -> list[Floats]:
        """See `Form`."""
        return [np.sqrt(variance) * generator.standard_normal(self.shapes[0])]

    def dense(self, parameters: Sequence[Any]) -> Any:
        """See `Form`."""
        (values,) = parameters
        index, signs = self._tensors(values)
        matrix = values.index_select(0, index).view(self.index.shape)
        return matrix if signs is None else matrix * signs

    def _tensors(self, like: Any) -> tuple[Any, Any]:
        """Index and signs beside some values, made once."""
        key = like.device, like.dtype
        if key not in self._made:
            torch = require("torch", "torch")
            signs = None if self.signs is None else torch.as_tensor(self.signs, dtype=like.dtype, device=like.device)
            self._made[key] = torch.as_tensor(self.index.ravel(), device=like.device), signs
        return self._made[key]

    def product(self, x: Any, parameters: Sequence[Any]) -> Any:
        """See `Form`."""
        return x @ self.dense(parameters)


def block_index(n: int, m: int, block: int) -> npt.NDArray[np.int64]:
    """Number of each entry's parameter, consecutive over those that occur."""
    i, j = np.indices((n, m))
    number = (i // block * -(-m // block) + j // block) * block + (i - j) % block
    return np.unique(number, return_inverse=True)[1].reshape(n, m)


def count(n: int, m: int, block: int) -> int:
    """Number of parameters with blocks of this size."""

    def sides(size: int) -> list[tuple[int, int]]:
        """Length of a block's side → how many blocks have it."""
        return [(length, times) for length, times in ((block, size // block), (size % block, 1)) if length and times]

    return sum(
        times * others * min(block, rows + columns - 1) for rows, times in sides(n) for columns, others in sides(m)
    )


def _make(n: int, m: int, budget: int, generator: np.random.Generator) -> Shared:
    sizes = {block: count(n, m, block) for block in range(1, max(n, m) + 1)}
    best = max((block for block in sizes if sizes[block] <= budget), key=lambda block: (sizes[block], -block))
    return Shared(block_index(n, m, best))


def _least(n: int, m: int) -> int:
    return count(n, m, max(n, m))


CIRCULANT = Compression(
    "circulant",
    "Blocks of b × b entries that are circulant: about n m / b parameters; a single block is the circulant layer.",
    _least,
    _make,
    "Cheng et al. (2015), An exploration of parameter redundancy in deep networks with circulant projections",
)
