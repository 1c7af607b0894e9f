"""`Budget`: how many edges a pruned network keeps, in all or in each layer, and on the way there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from topograph.checks import check_at_most_one, check_density, check_integer
from topograph.errors import InvalidParameterError
from topograph.masks.building import Allocation, allocate
from trainers.pruning.edges import Keep, Scores, keep_largest, keep_largest_of_all
from trainers.pruning.layers import PrunableLayer


@dataclass(frozen=True)
class Budget:
    """A number of edges to keep.

    Parameters
    ----------
    candidates
        Number of edges of each layer before pruning.
    edges
        Number of edges to keep in all.
    counts
        Number of edges to keep in each layer; None where scores of all layers are compared.
    """

    candidates: tuple[int, ...]
    edges: int
    counts: tuple[int, ...] | None = None

    def at(self, share: float) -> Budget:
        """The budget on the way: after a share of the rounds, all edges to the power 1 − share times the last ones'.

        Examples
        --------
        >>> Budget((900, 100), 10).at(0.5).edges
        100
        """

        def between(before: int, after: int) -> int:
            return after if share >= 1 else round(before ** (1 - share) * after**share)

        if self.counts is None:
            return replace(self, edges=between(sum(self.candidates), self.edges))
        counts = tuple(map(between, self.candidates, self.counts))
        return replace(self, edges=sum(counts), counts=counts)

    def select(
        self, scores: Sequence[Scores], candidates: Sequence[Keep], generator: np.random.Generator
    ) -> list[Keep]:
        """Keep the largest scores, of all layers together or within each.

        Raises
        ------
        TrainingError
            For scores that are not finite.
        """
        if self.counts is None:
            return keep_largest_of_all(scores, candidates, self.edges, generator)
        return [
            keep_largest(values, among, count, generator)
            for values, among, count in zip(scores, candidates, self.counts, strict=True)
        ]


def make_budget(
    layers: Sequence[PrunableLayer],
    *,
    density: float | None = None,
    sparsity: float | None = None,
    edges: int | None = None,
    scope: str = "global",
    allocation: Allocation = "uniform",
) -> Budget:
    """The edges to keep of some layers.

    Parameters
    ----------
    layers
        The layers that are pruned.
    density, sparsity, edges
        One of them: the share of the possible edges of these layers to keep, the share to remove, or their number.
    scope
        ``"global"``, or ``"layer"``: then ``allocation`` says how many stay in each.
    allocation
        Name of an allocation, or a function of a layer, as for `topograph.masks.building.allocate`.

    Raises
    ------
    InvalidParameterError
        When there would be fewer edges than layers, or more than there are.
    """
    check_at_most_one(density=density, sparsity=sparsity, edges=edges)
    possible, there = sum(layer.possible for layer in layers), tuple(layer.n_candidates for layer in layers)
    density = check_density(density, sparsity)
    if density is not None:
        edges, asked = round(density * possible), f"density={density:g} of {possible} possible edges"
    elif edges is not None:
        edges, asked = check_integer("edges", edges, low=0), f"edges={edges}"
    else:
        raise InvalidParameterError("say how many edges are to stay: give density, sparsity or edges")
    if not len(layers) <= edges <= sum(there):
        raise InvalidParameterError(
            f"{asked} would keep {edges} edges, but the {len(layers)} layers have {sum(there)} edges and need at least "
            f"one each: keep {len(layers)} to {sum(there)} edges, a density of {len(layers) / possible:.3g} to "
            f"{sum(there) / possible:.3g}"
        )
    if scope == "global":
        return Budget(there, edges)
    shares = allocate([layer.maskable for layer in layers], edges=edges, allocation=allocation)
    counts = tuple(shares[layer.maskable.name] for layer in layers)
    for layer, count in zip(layers, counts, strict=True):
        if count > layer.n_candidates:
            raise InvalidParameterError(
                f"the allocation keeps {count} edges of {layer.name}, but it has {layer.n_candidates}; use another "
                "allocation, or scope='global'"
            )
    return Budget(there, edges, counts)
