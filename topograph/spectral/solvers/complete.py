"""`CompleteSolver`: complete bipartite graphs, and with them stars and single edges, by formula."""

from __future__ import annotations

import math
from collections.abc import Collection

from topograph.errors import InvalidParameterError
from topograph.spectral.component import Component
from topograph.spectral.estimate import Estimate
from topograph.spectral.solvers.protocol import Values, no_second_eigenvalue


class CompleteSolver:
    r"""K(a, b): Laplacian eigenvalues 0, a (b − 1 times), b (a − 1 times), a + b; one singular value, √(ab).

    A star is K(1, b), a single edge K(1, 1).
    """

    name = "closed_form"

    def solve(self, component: Component, wanted: Collection[str], tolerance: float) -> Values:
        """See `Solver.solve`; ``tolerance`` is not needed."""
        if not component.is_complete:
            raise InvalidParameterError(
                "method 'closed_form' needs a complete, star or rotating graph, but this is none of them; "
                "use method='auto'"
            )
        values = complete_values(*component.graph.shape)
        return {name: values[name] for name in wanted}


def complete_values(a: int, b: int) -> Values:
    """Every quantity of K(a, b)."""
    low, high = min(a, b), max(a, b)
    eigenvalues = [a + b] + [high] * min(low - 1, 1) + [low] * min(high - 1, 1)  # two of a kind are never needed

    def exact(value: float) -> Estimate:
        return Estimate.exact(value, "closed_form")

    return {
        "connectivity": exact(eigenvalues[-1]),
        "laplacian_max": exact(a + b),
        "laplacian_second_max": exact(eigenvalues[1]) if len(eigenvalues) > 1 else no_second_eigenvalue(),
        "sigma1": exact(math.sqrt(a * b)),
        "sigma2": exact(0.0),
        "normalized_gap": exact(1.0),
    }


def star_values(leaves: int, weight: float) -> Values:
    """Every quantity of a star whose edges all have one weight: K(1, leaves), scaled."""
    return {
        name: value if name == "normalized_gap" else value.map(lambda x: x * weight, weight)
        for name, value in complete_values(1, leaves).items()
    }
