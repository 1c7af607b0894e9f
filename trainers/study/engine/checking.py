"""`check_result`: whether a training result can be that of the run that asked for it."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp

from topograph.errors import ConformanceError
from topograph.graph import BipartiteGraph
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology
from trainers.compression.budget import written_out
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.result import TrainingResult


def check_result(
    trainer: str, result: Any, topology: Topology | MaskSet, dataset: Dataset, config: TrainingConfig
) -> TrainingResult:
    """Accept the result of a run: of this config, with possible numbers, and with weights on the topology's edges only.

    Parameters
    ----------
    trainer
        Name of the trainer, for the message.
    result
        What the trainer returned.
    topology, dataset, config
        What it was asked to train.

    Returns
    -------
    TrainingResult
        The same result; weights that are stored in another order are sorted.

    Raises
    ------
    ConformanceError
        The message lists everything that is wrong.
    """
    if not isinstance(result, TrainingResult):
        raise ConformanceError(
            f"the trainer {trainer!r} returned an object of type {type(result).__name__}, not a TrainingResult"
        )
    weights = [_canonical(layer) for layer in result.weights]
    moved = list(_of_topology(result.topology, topology, config))
    final = topology if moved or result.topology is None else result.topology
    problems = [
        *_of_identity(result, config),
        *_of_numbers(result, dataset, config),
        *_of_history(result.history, config),
        *moved,
        *_of_parameters(result.n_parameters, topology, final, config),
        *_of_weights(weights, result.biases, final),
    ]
    if not problems:
        problems += _of_statistics(result, weights, topology)
    if problems:
        raise ConformanceError(
            f"the trainer {trainer!r} returned a result that is impossible for this run: " + "; ".join(problems)
        )
    return result if all(map(operator.is_, weights, result.weights)) else replace(result, weights=tuple(weights))


def _of_identity(result: TrainingResult, config: TrainingConfig) -> Iterator[str]:
    for field in fields(config):
        given, asked = getattr(result.config, field.name, None), getattr(config, field.name)
        if given != asked:
            yield f"its config has {field.name}={given!r}, but {field.name}={asked!r} was asked for"


def _of_numbers(result: TrainingResult, dataset: Dataset, config: TrainingConfig) -> Iterator[str]:
    size = len(dataset.y_test)
    if not _is_whole(result.total) or result.total != size:
        yield f"total={_shown(result.total)}, but the test set has {size} samples"
    if not _is_whole(result.correct) or not 0 <= result.correct <= size:
        yield f"correct={_shown(result.correct)}, but it must be a whole number from 0 to {size}"
    if not _is_share(result.train_accuracy):
        yield f"train_accuracy={_shown(result.train_accuracy)}, but it must be in [0, 1]"
    balanced: Any = result.balanced_accuracy
    if not _is_share(balanced) and balanced == balanced:  # NaN differs from itself
        yield f"balanced_accuracy={_shown(balanced)}, but it must be in [0, 1], or NaN where it is not reported"
    seconds: Any = result.seconds
    if not isinstance(seconds, Real) or not 0 <= float(seconds) < math.inf:
        yield f"seconds={_shown(seconds)}, but it must be finite and at least 0"
    for name in ("trainer", "device"):
        if not isinstance(getattr(result, name), str):
            yield f"{name} must be a string, but is of type {type(getattr(result, name)).__name__}"


def _of_history(history: Any, config: TrainingConfig) -> Iterator[str]:
    if not isinstance(history, Mapping):
        yield f"history is a {type(history).__name__}, not a mapping of names to values"
        return
    for name, values in history.items():
        if not isinstance(name, str) or not isinstance(values, (Sequence, np.ndarray)) or isinstance(values, str):
            yield f"history[{name!r}] must be a sequence of numbers under a name"
        elif len(values) > config.epochs:
            yield f"history[{name!r}] has {len(values)} values, but there were at most {config.epochs} epochs"
        elif not all(isinstance(value, Real) and math.isfinite(value) for value in values):
            yield f"history[{name!r}] holds something that is not a finite number"
        elif "accuracy" in name and not all(0 <= value <= 1 for value in values):
            yield f"history[{name!r}] holds {min(values):g} to {max(values):g}, but an accuracy is in [0, 1]"


def _of_topology(final: Any, topology: Topology | MaskSet, config: TrainingConfig) -> Iterator[str]:
    """The edges at the end: those of the beginning, or, where they may change, as many in every layer."""
    what = "set of masks" if isinstance(topology, MaskSet) else "topology"
    if config.compression != "none":
        yield from _of_compressed(final, topology, config)
        return
    if config.rewiring == "none":
        if final is not None and not (isinstance(final, type(topology)) and _layers(final) == _layers(topology)):
            yield f"its {what} is not the one that was to be trained, and rewiring='none'"
        return
    if not isinstance(final, type(topology)):
        yield f"rewiring={config.rewiring!r}, but its {what} is of type {type(final).__name__}"
        return
    before, after = _layers(topology), _layers(final)
    if [(name, graph.shape) for name, graph in before.items()] != [
        (name, graph.shape) for name, graph in after.items()
    ]:
        yield f"its {what} is {_shapes(final)}, but {_shapes(topology)} was to be trained"
        return
    for name, graph in before.items():
        if after[name].n_edges != graph.n_edges:
            yield f"layer {name} ends with {after[name].n_edges} edges, but began with {graph.n_edges}"


def _of_compressed(final: Any, topology: Topology | MaskSet, config: TrainingConfig) -> Iterator[str]:
    """All pairs of neurons in every layer; of a model in its compressed ones, and the masks elsewhere."""
    start = f"compression={config.compression!r}, but its "
    if isinstance(topology, Topology):
        if final != written_out(topology):
            yield f"{start}topology is not that of all pairs of neurons"
        return
    if not isinstance(final, MaskSet) or list(final) != list(topology):
        yield f"{start}set of masks is not of the layers {', '.join(topology)}"
        return
    for name, graph in topology.items():
        if final[name] != graph and (final[name].shape != graph.shape or final[name].density != 1):
            yield f"{start}layer {name} has neither its mask nor all pairs of neurons"


def _of_parameters(
    given: Any, topology: Topology | MaskSet, final: Topology | MaskSet, config: TrainingConfig
) -> Iterator[str]:
    """Of compressed layers, at most as many parameters as there are edges; a layer that keeps its edges learns all."""
    edges = [graph.n_edges for graph in _layers(topology).values()]
    if config.compression == "none":
        if given not in ((), tuple(edges)):
            yield f"n_parameters={given!r}, but its layers have {edges} edges"
    elif not isinstance(given, tuple) or len(given) != len(edges) or not all(map(_is_whole, given)):
        yield f"n_parameters={given!r}, but there must be a whole number for each of {len(edges)} layers"
    else:
        ends = _layers(final)
        for parameters, (name, graph) in zip(given, _layers(topology).items(), strict=True):
            least = graph.n_edges if ends[name].n_edges == graph.n_edges else 1
            if not least <= parameters <= graph.n_edges:
                yield f"layer {name} learnt {parameters} parameters, but it has {least} to {graph.n_edges}"


def _layers(topology: Topology | MaskSet) -> dict[str, BipartiteGraph]:
    """The graphs of a topology or of a model's masks by the names of their layers."""
    if isinstance(topology, MaskSet):
        return dict(topology)
    return {str(number): graph for number, graph in enumerate(topology, start=1)}


def _shapes(topology: Topology | MaskSet) -> str:
    if isinstance(topology, Topology):
        return topology.architecture
    return ", ".join(f"{name} {graph.n_left} × {graph.n_right}" for name, graph in topology.items())


def _of_weights(weights: Sequence[Any], biases: Sequence[Any], topology: Topology | MaskSet) -> Iterator[str]:
    layers = _layers(topology)
    n_biases = 0 if isinstance(topology, MaskSet) else len(layers)  # those of a model belong to no masked layer
    if len(weights) != len(layers) or len(biases) != n_biases:
        yield f"{len(weights)} arrays of weights and {len(biases)} of biases, but {len(layers)} layers"
        return
    for number, layer, graph in zip(layers, weights, layers.values(), strict=True):
        if not isinstance(layer, sp.csr_array):
            yield f"weights of layer {number} are a {type(layer).__name__}, not a sparse array"
        elif layer.shape != graph.shape:
            yield f"weights of layer {number} have shape {layer.shape}, but the layer has {graph.shape}"
        elif not _on_edges(layer, graph):
            yield f"weights of layer {number} are not stored at exactly the {graph.n_edges:,} edges of the topology"
        elif not _finite(layer.data):
            yield f"weights of layer {number} are not all finite real numbers"
    for number, bias, graph in zip(layers, biases, layers.values(), strict=False):
        if np.shape(bias) != (graph.n_right,):
            yield f"biases of layer {number} have shape {np.shape(bias)}, but it has {graph.n_right} outputs"
        elif not _finite(np.asarray(bias)):
            yield f"biases of layer {number} are not all finite real numbers"


def _of_statistics(result: TrainingResult, weights: Sequence[Any], topology: Topology | MaskSet) -> Iterator[str]:
    given = result.weight_stats
    prefix = "" if isinstance(topology, MaskSet) else "l"
    rows, columns = [f"{prefix}{name}" for name in _layers(topology)], ["min", "max", "mean", "std"]
    if list(given.index) != rows or list(given.columns) != columns:
        yield f"weight_stats must have the rows {', '.join(rows)} and the columns {', '.join(columns)}"
        return
    for name, row, layer in zip(rows, given.to_numpy(float), weights, strict=True):
        data = layer.data.astype(float)
        expected = (data.min(), data.max(), data.mean(), data.std()) if data.size else (np.nan,) * 4
        scale = np.abs(data).max(initial=0.0)
        if not np.allclose(row, expected, rtol=1e-3, atol=1e-4 * scale, equal_nan=True):
            yield f"weight_stats of {name} are not the statistics of its weights"


def _canonical(layer: Any) -> Any:
    """A sparse array with sorted rows, as the topology has them; anything else as it is."""
    if not sp.issparse(layer):
        return layer
    rows = layer if isinstance(layer, sp.csr_array) else sp.csr_array(layer)
    return rows if rows.has_sorted_indices else rows.sorted_indices()


def _on_edges(layer: Any, graph: BipartiteGraph) -> bool:
    return bool(np.array_equal(layer.indptr, graph.indptr) and np.array_equal(layer.indices, graph.indices))


def _finite(values: Any) -> bool:
    return values.dtype.kind in "fiu" and bool(np.isfinite(values).all())


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and 0 <= float(value) <= 1


def _shown(value: Any) -> str:
    """A value for a message; huge ones by their size."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {value.bit_length()} bits"
    return repr(value)[:80]
