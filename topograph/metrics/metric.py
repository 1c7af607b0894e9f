"""`Metric` and `Value`: a named function of a graph, a network or two masks, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from topograph.checks import check_choice
from topograph.spectral import Estimate

NEEDS = ("graph", "weights", "chain", "pair")
DIRECTIONS = ("higher", "lower", "none")


@dataclass(frozen=True)
class Value:
    """What a metric says about one graph.

    Parameters
    ----------
    value
        The number; NaN when it is undefined.
    residual
        How far the truth may be: the error that an eigenvalue's certificate allows, or, for an estimate from samples,
        what the metric's summary says; 0 when exact.
    reason
        Why the value is NaN; None when it is a number.

    Examples
    --------
    >>> Value.undefined("the graph has no edges")
    Value(value=nan, residual=nan, reason='the graph has no edges')
    """

    value: float
    residual: float = 0.0
    reason: str | None = None

    @classmethod
    def undefined(cls, reason: str) -> Value:
        """No value exists; ``reason`` says why."""
        return cls(math.nan, math.nan, reason)

    @classmethod
    def of(cls, estimate: Estimate) -> Value:
        """The value of a spectral estimate, its evidence and its reason with it."""
        return cls(estimate.value, estimate.residual, estimate.reason)


@dataclass(frozen=True)
class Metric:
    """A named function of a graph, of a graph with weights, of a chain of graphs, or of two chains.

    Parameters
    ----------
    name
        The column it fills.
    compute
        ``compute(graph) -> Value`` for a `BipartiteGraph`; by ``needs`` it gets a `WeightedGraph`, a `Topology`, or two
        topologies of equal sizes instead.
    summary
        The definition in words, one sentence without a full stop.
    formula
        The definition in LaTeX.
    low, high
        The range of its values; infinity where there is no bound.
    group
        The theme it belongs to, by which it can be asked for: ``"degrees"``, ``"spectral"``, …
    network
        Whether it also has a meaning for a whole network, seen as one graph on all its neurons.
    reference
        Where it comes from.
    integer
        Whether its values are whole numbers.
    direction
        Which values mean better connected: ``"higher"``, ``"lower"`` or, where neither can be said, ``"none"``.
    cost
        The time it takes, with n inputs, m outputs, N = n + m nodes, E edges and degrees d; ``"spectrum"`` stands for
        the spectrum that many metrics share.
    reads_spectrum
        Whether it reads ``graph.spectrum()``, which `measure` then computes for many graphs at once.
    needs
        ``"graph"`` (the pattern is enough), ``"weights"``, ``"chain"`` (a whole `Topology`), or ``"pair"`` (two masks
        of one shape: a comparison, which `compare_masks` computes).
    fast
        Whether it belongs to the group ``"fast"``, which `measure` and `compare_masks` compute by default: at most
        linear in the edges beyond the shared spectrum. A metric that needs weights or a chain never does.

    Examples
    --------
    >>> edges = Metric(
    ...     "edges",
    ...     lambda graph: Value(graph.n_edges),
    ...     summary="number of edges",
    ...     formula="|E|",
    ...     low=0,
    ...     high=math.inf,
    ...     group="mine",
    ... )
    >>> edges.is_fast, edges.range
    (True, '[0, ∞)')
    """

    name: str
    compute: Callable[..., Value]
    _: KW_ONLY
    summary: str
    formula: str
    low: float
    high: float
    group: str
    network: bool = False
    reference: str = ""
    integer: bool = False
    direction: str = "none"
    cost: str = "E"
    reads_spectrum: bool = False
    needs: str = "graph"
    fast: bool = True

    def __post_init__(self) -> None:
        check_choice("needs", self.needs, NEEDS)
        check_choice("direction", self.direction, DIRECTIONS)

    @property
    def is_fast(self) -> bool:
        """Whether the group ``"fast"`` holds it."""
        return self.fast and self.needs in ("graph", "pair")

    @property
    def range(self) -> str:
        """The range as an interval, open at infinity."""
        left = "(-∞" if self.low == -math.inf else f"[{self.low:g}"
        right = "∞)" if self.high == math.inf else f"{self.high:g}]"
        return f"{left}, {right}"
