"""`Variant`: a change of a finished topology that leaves everything else as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from topograph.checks import check_integer
from topograph.constructions import construct
from topograph.errors import SpecError, TopographError, UnknownNameError
from topograph.graph import BipartiteGraph
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
    def random(self) -> bool:
        """Whether the topology's seed matters."""
        return self.kind != "plain"

    def apply(self, topology: Topology, seed: int) -> Topology:
        """The changed topology; dense layers stay as they are, since no edge can move in them."""
        if self.kind == "plain":
            return topology
        # a separate stream: the construction has drawn from the seed itself
        generators = np.random.default_rng([seed, 1]).spawn(len(topology))
        if self.kind == "relabelled":
            from topograph.design import relabel

            return Topology([relabel(topology[0], side="left", seed=generators[0]), *topology[1:]])
        if self.kind == "shuffled_layers":
            return Topology(
                graph
                if graph.density == 1 or graph.n_edges == 0
                else construct("erdos_renyi", *graph.shape, edges=graph.n_edges, seed=generator)
                for graph, generator in zip(topology, generators, strict=True)
            )
        return Topology(
            graph if graph.density == 1 else self._rewired(graph, generator)
            for graph, generator in zip(topology, generators, strict=True)
        )

    def _rewired(self, graph: BipartiteGraph, generator: np.random.Generator) -> BipartiteGraph:
        from topograph.design import rewire

        if self.target is None:
            return rewire(graph, seed=generator)
        return rewire(graph, target=self.target, metric=self.metric, steps=self.steps, seed=generator).graph


PLAIN = Variant()
"""The topology as it was built."""
