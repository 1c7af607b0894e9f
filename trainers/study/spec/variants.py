"""`Variant`: a change of a finished topology that leaves everything else as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from topograph.checks import check_integer
from topograph.constructions import construct
from topograph.errors import SpecError, TopographError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.masks.groups import join_groups, split_groups
from topograph.masks.maskable import MaskableLayer
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology

_KINDS = ("plain", "null", "relabelled", "shuffled_layers")
_ALIASES = {"rewired": "null"}


@dataclass(frozen=True)
class Variant:
    """A change of a topology that keeps what it should not change.

    =====================  ========================================================================================
    ``"plain"``            as it was built
    ``"null"``             every degree kept, edges otherwise at random (`topograph.design.rewire`)
    ``"shuffled_layers"``  as many edges in each layer, drawn anew: the random-ticket control of a pruned network
    ``"relabelled"``       the same graph, its inputs renumbered at random: same spectrum, another alignment with data
    ``"rewired"``          every degree kept, a metric of each sparse layer brought to ``target``
    =====================  ========================================================================================

    In a specification the name ``"rewired"`` alone means ``"null"``.

    Parameters
    ----------
    kind
        One of the above.
    target
        For ``"rewired"``: ``"max"``, ``"min"``, or a value.
    metric
        For ``"rewired"``: name of the metric.
    steps
        For ``"rewired"``: largest number of graphs tried.

    Examples
    --------
    >>> Variant.from_spec({"rewire": "max", "steps": 200}).name
    'max algebraic_connectivity'
    """

    kind: str = "plain"
    target: str | float | None = None
    metric: str = "algebraic_connectivity"
    steps: int = 300

    @classmethod
    def from_spec(cls, entry: Any) -> Variant:
        """Read an entry of a study's ``variants``: a name, or ``{ rewire = "max", metric = …, steps = … }``.

        Raises
        ------
        SpecError
        """
        if isinstance(entry, str):
            entry = _ALIASES.get(entry, entry)
            if entry not in _KINDS:
                raise SpecError(f"{UnknownNameError.among('variant', entry, _KINDS)}, or {{ rewire = 'max' }}")
            return cls(entry)
        if not isinstance(entry, Mapping) or "rewire" not in entry or set(entry) - {"rewire", "metric", "steps"}:
            raise SpecError(
                f"a variant is one of {', '.join(_KINDS)}, or {{ rewire = 'max', 'min' or a value, metric = …, "
                f"steps = … }}, but got {entry!r}"
            )
        target = entry["rewire"]
        metric = entry.get("metric", cls.metric)
        number = isinstance(target, (int, float)) and not isinstance(target, bool)
        if target not in ("max", "min") and not (number and target >= 0):
            raise SpecError(f"rewire must be 'max', 'min' or a value of the metric, but got {target!r}")
        from topograph.design.quantities import get_quantity

        try:
            get_quantity(metric)
            steps = check_integer("steps", entry.get("steps", cls.steps), low=1)
        except TopographError as error:
            raise SpecError(str(error)) from error
        return cls("rewired", target, metric, steps)

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"{self.target} {self.metric}" if self.kind == "rewired" else self.kind

    @property
    def searches(self) -> bool:
        """Whether it is the result of a search, which follows eigenvectors to the last digit."""
        return self.kind == "rewired"

    @property
    def random(self) -> bool:
        """Whether the topology's seed matters."""
        return self.kind != "plain"

    def apply(self, topology: Topology, seed: int) -> Topology:
        """The changed topology; dense layers stay as they are, since no edge can move in them."""
        if self.kind == "plain":
            return topology
        generators = _streams(seed, len(topology))
        if self.kind == "relabelled":
            from topograph.design import relabel

            return Topology([relabel(topology[0], side="left", seed=generators[0]), *topology[1:]])
        return Topology(self._changed(graph, child) for graph, child in zip(topology, generators, strict=True))

    def apply_to_masks(self, masks: MaskSet, layers: Sequence[MaskableLayer], seed: int) -> MaskSet:
        """The changed masks of a model.

        Each group of a layer is changed by itself, since no edge may join two; groups in which no edge can move, or the
        metric is undefined, stay as they are. Relabelled are the inputs of the first weight: one renumbering for all
        its gates or heads, and within each of its groups.

        Parameters
        ----------
        masks
            Masks of the model.
        layers
            The layers of the model that can hold masks.
        seed
            Seed of the draws.
        """
        if self.kind == "plain":
            return masks
        generators = _streams(seed, len(masks))
        known = {layer.name: layer for layer in layers}
        first = next(iter(masks)).partition(":")[0]
        graphs = {}
        for (name, graph), child in zip(masks.items(), generators, strict=True):
            pieces = split_groups(graph, known[name].groups)
            if self.kind != "relabelled":
                children = child.spawn(len(pieces))
                changed = [
                    self._changed(piece, one) if self._is_defined(piece) else piece
                    for piece, one in zip(pieces, children, strict=True)
                ]
            elif name.partition(":")[0] == first:
                from topograph.design import relabel

                children = _streams(seed, 1)[0].spawn(len(pieces))  # the same for every gate of the weight
                changed = [relabel(piece, side="left", seed=one) for piece, one in zip(pieces, children, strict=True)]
            else:
                changed = pieces
            graphs[name] = join_groups(changed)
        return replace(masks, graphs=graphs)

    def _is_defined(self, graph: BipartiteGraph) -> bool:
        """Whether the metric to be changed, if any, has a value."""
        if self.target is None:
            return True
        from topograph.design.quantities import get_quantity

        return graph.n_edges > 0 and not np.isnan(get_quantity(self.metric).value(graph))

    def _changed(self, graph: BipartiteGraph, generator: np.random.Generator) -> BipartiteGraph:
        if graph.density == 1 or (graph.n_edges == 0 and self.target is None):
            return graph
        if self.kind == "shuffled_layers":
            return construct("erdos_renyi", *graph.shape, edges=graph.n_edges, seed=generator)
        from topograph.design import rewire

        if self.target is None:
            return rewire(graph, seed=generator)
        return rewire(graph, target=self.target, metric=self.metric, steps=self.steps, seed=generator).graph


def _streams(seed: int, count: int) -> list[np.random.Generator]:
    """A generator for each layer, apart from the stream that the construction has drawn from."""
    return np.random.default_rng([seed, 1]).spawn(count)


PLAIN = Variant()
"""The topology as it was built."""
