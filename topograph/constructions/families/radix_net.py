"""RadiX-Net: mixed-radix layers, which together join every input to every output by equally many paths."""

from __future__ import annotations

import math

import numpy as np

from topograph.checks import check_integer
from topograph.constructions.guarantees import EXACT_DEGREE_EDGES, LEFT_REGULAR, RIGHT_REGULAR
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import from_equal_rows
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph


@construction(
    "radix_net",
    summary="(a + t·`stride`) mod `base` for t < radix, in every copy of the base; a = i mod base, radix = k·base / m",
    guarantees=(LEFT_REGULAR, RIGHT_REGULAR, EXACT_DEGREE_EDGES),
    reference="Robinett & Kepner (2019), RadiX-Net: Structured Sparse Matrices for Deep Neural Networks, "
    "arXiv:1905.00416",
    sized_by="fixed",
    connected=Connected("k = m", lambda n, m, k: k == m),
    examples=((12, 8, {"degree": 4}), (8, 8, {"degree": 2, "stride": 4}), (6, 18, {"degree": 9, "base": 2})),
)
def radix_net(
    n_left: int,
    n_right: int,
    degree: float,
    generator: np.random.Generator,
    stride: int = 1,
    base: int | None = None,
) -> BipartiteGraph:
    """One layer of a RadiX-Net: a dense layer of copies times the sum of ``radix`` powers of a cyclic shift.

    ``base`` (N′, by default the greatest common divisor of n and m) divides both sizes; the copies are n / N′ and
    m / N′. ``stride`` is the place value of this layer's digit: the product of the radices of the layers before it.
    `topograph.design.radix_net` makes the whole network.
    """
    common = math.gcd(n_left, n_right)
    base = check_integer("base", common if base is None else base, low=1)
    if common % base:
        raise InvalidParameterError(
            f"base must divide n_left and n_right, that is {common}, but got base={base} for {n_left} × {n_right}"
        )
    stride = check_integer("stride", stride, low=1)
    copies = n_right // base
    longest = base // math.gcd(base, stride)  # so many shifts differ
    radix = round(degree / copies)
    if not 1 <= radix <= longest or abs(radix * copies - degree) > 1e-9:
        near = sorted({min(max(1, math.floor(degree / copies)), longest), min(math.ceil(degree / copies), longest)})
        raise InvalidParameterError(
            f"radix_net at {n_left} × {n_right} with base {base} and stride {stride} has degrees {copies}·radix, radix "
            f"from 1 to {longest}, but got degree={degree:g}; the nearest are "
            + " and ".join(str(copies * r) for r in near)
        )
    digits = np.sort((np.arange(base)[:, None] + np.arange(radix) * stride) % base, axis=1)
    rows = (np.arange(copies)[:, None] * base + digits[:, None, :]).reshape(base, copies * radix)
    return from_equal_rows(np.tile(rows, (n_left // base, 1)), n_right)
