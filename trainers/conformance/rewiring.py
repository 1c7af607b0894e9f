"""Edges that change while training: a trainer against the dense reference; and a rule by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from topograph.errors import ConformanceError
from topograph.graph import BipartiteGraph
from topograph.topology import Topology
from trainers.conformance.reference import train_reference
from trainers.conformance.session import Mismatch, Session, Task, make_data
from trainers.rewiring.carried import carry
from trainers.rewiring.layer import FactoredGradient, LayerState
from trainers.rewiring.rule import RewiringRule, get_rewiring, read_options

_RULES = ("set", "rigl", "mest", "srigl", "cht")


def rewiring(session: Session) -> Iterator[Mismatch]:
    """Every rule that it offers, with momentum: edges, course and weights are the reference's."""
    topology = Topology.build("biregular_random", [8, 6, 4], [3, 2], seed=1)
    task = Task(topology, make_data(27, 8, 4, seed=3))
    for rule in _RULES:
        for change in ({"rewire_every": 3}, {}):
            settings = {"rewiring": rule, "epochs": 3, "rewire_share": 0.4, "rewire_until": 1.0, **change}
            if not session.offers(**settings):
                break
            result, config = session.train(task, **settings), session.config(**settings)
            network, course = train_reference(task.topology, task.dataset, config)
            final = result.topology
            if final is None or final.sizes != topology.sizes:
                yield f"rewiring={rule!r}: the topology at the end in its result", f"{final!r}"
                continue
            for number, (graph, mask) in enumerate(zip(final, network.masks, strict=True), start=1):
                away = int(np.count_nonzero(graph.to_mask() != (mask != 0)))
                if away:
                    yield f"rewiring={rule!r}: the reference's edges of layer {number} at the end", f"{away} others"
            yield from session.compare_course(course, result)
            yield from session.compare_weights(network, result)


def check_rewiring(rule: str | RewiringRule) -> tuple[str, ...]:
    """Hold a rule to its contract on small layers, sparse and nearly full; returns the names of the checks.

    ``count``: no more edges go than are asked for, and as many come. ``edges``: none comes that is there, twice or
    outside. ``weights``: finite, one per edge that comes. ``seed``: the same generator gives the same answer.
    ``untouched``: neither the layer's weights nor NumPy's global random state change.

    Raises
    ------
    ConformanceError
        With the name of each check that failed, and what came.

    Examples
    --------
    >>> check_rewiring("set")
    ('count', 'edges', 'weights', 'seed', 'untouched')
    """
    rule = get_rewiring(rule) if isinstance(rule, str) else rule
    failures: dict[str, str] = {}
    for seed, (n, m, degree) in enumerate([(12, 10, 3), (9, 8, 7), (20, 5, 1), (6, 6, 3)]):
        topology = Topology.build("biregular_random", [n, m], [degree * m // m], seed=seed)
        for name, came in _faults(rule, topology[0], seed):
            failures.setdefault(name, came)
    if failures:
        said = "; ".join(f"{name}: {came}" for name, came in failures.items())
        raise ConformanceError(f"the rewiring {rule.name!r} breaks its contract: {said}")
    return "count", "edges", "weights", "seed", "untouched"


def _global_state() -> Any:
    state: Any = np.random.get_state()  # noqa: NPY002
    return np.array(state[1])


def _faults(rule: RewiringRule, graph: BipartiteGraph, seed: int) -> Iterator[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=graph.n_edges)
    read = FactoredGradient(rng.normal(size=(5, graph.n_left)), rng.normal(size=(5, graph.n_right)))
    count = min(max(1, graph.n_edges // 3), graph.n_left * graph.n_right - graph.n_edges)

    def state() -> LayerState:
        generator = np.random.default_rng(seed)
        return LayerState(
            graph, weights, count, generator, read_options(rule, ""),
            lambda: read, lambda pairs: generator.normal(size=len(pairs)),
        )  # fmt: skip

    before, drawn = weights.copy(), _global_state()
    answer, again = rule.change(state()), rule.change(state())
    if not np.array_equal(before, weights):
        yield "untouched", "the weights of the layer were changed"
        weights[:] = before
    if not np.array_equal(drawn, _global_state()):
        yield "untouched", "NumPy's global random state was changed"
    if not (
        np.array_equal(answer.dropped, again.dropped)
        and np.array_equal(answer.grown, again.grown)
        and np.array_equal(answer.weights, again.weights)
    ):
        yield "seed", "the same generator gave another answer"
    ablates = "gamma" in rule.options and rule.name == "srigl"  # a neuron that is ablated loses all its edges
    if len(answer.grown) != len(answer.dropped) or (len(answer.dropped) > count and not ablates):
        yield "count", f"{len(answer.dropped)} edges go and {len(answer.grown)} come, but {count} were asked for"
    if np.shape(answer.weights) != np.shape(answer.grown) or not np.isfinite(answer.weights).all():
        yield "weights", "not one finite weight per edge that comes"
        return
    try:
        carry(state(), answer, "it")
    except ConformanceError as error:
        yield "edges", str(error)
    except (IndexError, ValueError) as error:
        yield "edges", f"{type(error).__name__}: {error}"
