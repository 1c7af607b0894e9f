"""Many layers in chunks: tiny ones in stacked LAPACK calls, and on all cores when it takes long."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.cores import available_cores
from topograph.graph import BipartiteGraph
from topograph.metrics.measured import Measured
from topograph.metrics.metric import Metric, Value
from topograph.metrics.registry import get_metric
from topograph.metrics.stacked import Values, stacked
from topograph.metrics.weighted import WeightedGraph
from topograph.spectral.batch import spectra_of_stack
from topograph.stack import GraphStack

_CHUNK_EDGES = 400_000  # of the graphs that are held together
_CHUNK_GRAPHS = 500
_SMALL = 1000  # nodes
_PATIENCE = 2.0  # seconds of work alone before processes are worth their start
_START = 8.0  # and what must remain by then


@dataclass(frozen=True)
class Item:
    """One layer to measure: its name, its graph, the magnitudes on its edges or why there are none."""

    name: str
    graph: BipartiteGraph
    weights: npt.NDArray[np.float64] | None = None

    @cached_property
    def weighted(self) -> WeightedGraph:
        """The graph with its weights, which there must be."""
        assert self.weights is not None
        return WeightedGraph(self.graph, self.weights)


def measure_graphs(items: Sequence[Item], metrics: Sequence[Metric]) -> Measured:
    """Metrics of layers; small layers of one shape are measured together."""
    with _threads_for(items):
        return _measure_graphs(items, metrics)


def _threads_for(items: Sequence[Item]) -> AbstractContextManager[Any]:
    """One thread for many small matrices: handing over LAPACK calls of microseconds costs many times the call."""
    if len(items) == 1 or max(item.graph.n_nodes for item in items) > _SMALL:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")  # type: ignore[no-any-return]


def _measure_graphs(items: Sequence[Item], metrics: Sequence[Metric]) -> Measured:
    measured = Measured.empty([item.name for item in items], [metric.name for metric in metrics])
    for places, stack in GraphStack.of_equal_shape(item.graph for item in items):
        if any(metric.reads_spectrum for metric in metrics):
            _keep_spectra(stack)  # first: where a graph is connected, nobody else has to search for that
        chosen = [items[place] for place in places]
        measured.put(places, [_values(chosen, stack, metric) for metric in metrics])
    return measured


def _keep_spectra(stack: GraphStack) -> None:
    """Compute together the spectra that are not known yet."""
    if len(stack) == 1:
        stack.graphs[0].spectrum(on_failure="nan")
        return
    waiting = [graph for graph in stack.graphs if not graph.has_spectrum]
    if waiting:
        part = stack if len(waiting) == len(stack) else GraphStack(waiting)
        for graph, spectrum in zip(waiting, spectra_of_stack(part), strict=True):
            graph.keep_spectrum(spectrum)


def _values(items: Sequence[Item], stack: GraphStack, metric: Metric) -> Values:
    """One metric of layers whose graphs are stacked."""
    if isinstance(metric.compute, stacked):
        return metric.compute.many(stack)
    values = [_value(item, metric) for item in items]
    return Values(
        np.array([value.value for value in values], dtype=np.float64),
        np.array([value.residual for value in values], dtype=np.float64),
        {place: value.reason for place, value in enumerate(values) if value.reason is not None},
    )


def _value(item: Item, metric: Metric) -> Value:
    if metric.needs == "graph":
        return metric.compute(item.graph)
    if metric.needs == "chain":
        return Value.undefined("defined for a whole network, not for a layer")
    if item.weights is None:
        return Value.undefined("needs weights, but this is a pattern; measure the weight matrix itself")
    return metric.compute(item.weighted)


def measure_stream(
    items: Iterable[Item], metrics: Sequence[Metric], *, total: int, workers: int | None
) -> Iterator[Measured]:
    """Metrics of many layers, in their order, read no further ahead than the work needs.

    Parameters
    ----------
    items
        The layers.
    total
        How many there are, at most.
    workers
        Processes; None starts in this one, and adds one per core when much remains after two seconds.
    """
    chunks = _chunks(items)
    most = available_cores() if workers is None else workers
    inside = multiprocessing.current_process().name != "MainProcess"  # a worker of a study is one of many already
    if most == 1 or (workers is None and inside):
        for chunk in chunks:
            yield measure_graphs(chunk, metrics)
        return
    if workers is None:
        begun, done = time.monotonic(), 0
        for chunk in chunks:
            yield measure_graphs(chunk, metrics)
            done += len(chunk)
            spent = time.monotonic() - begun
            if spent > _PATIENCE and spent / done * (total - done) > _START:
                break
        else:  # nothing is left for processes, whose library takes a quarter of a second to import
            return
    yield from _in_processes(chunks, metrics, most)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    held: list[Item] = []
    edges = 0
    for item in items:
        held.append(item)
        edges += item.graph.n_edges
        if edges >= _CHUNK_EDGES or len(held) == _CHUNK_GRAPHS:
            yield held
            held, edges = [], 0
    if held:
        yield held


def _in_processes(chunks: Iterator[list[Item]], metrics: Sequence[Metric], workers: int) -> Iterator[Measured]:
    from loky import get_reusable_executor

    names = [metric.name for metric in metrics]
    executor = get_reusable_executor(max_workers=workers)
    running: deque[Any] = deque()
    try:
        for chunk in chunks:
            running.append(executor.submit(_measure_named, chunk, names))
            if len(running) > workers + 1:  # results come in order, and few chunks wait in memory
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for job in running:
            job.cancel()


def _measure_named(chunk: list[Item], names: list[str]) -> Measured:
    """In another process metrics are looked up again: a plug-in's function need not travel."""
    return measure_graphs(chunk, [get_metric(name) for name in names])
