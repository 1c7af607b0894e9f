"""Initial weights, batch order and dropout, drawn in NumPy from the seed: the same for every backend.

Each draw has a stream of its own, keyed by what it is for, so that no draw depends on the number of earlier ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from topograph.errors import InvalidDatasetError
from topograph.graph import BipartiteGraph
from topograph.topology import Topology
from trainers.config import TrainingConfig

_WEIGHTS, _ORDER, _DROPOUT, _VALIDATION, _REWIRING, _DROPCONNECT, _COMPRESSION = 0, 1, 2, 3, 4, 5, 6
# the standard deviation of a standard normal truncated at ±2
_TRUNCATED_STD = float(np.sqrt(1 - 4 * np.exp(-2) / (np.sqrt(2 * np.pi) * (ndtr(2) - ndtr(-2)))))


def _stream(config: TrainingConfig, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=key))


def initial_weights(topology: Topology, config: TrainingConfig) -> list[npt.NDArray[np.floating[Any]]]:
    """Weights of the edges of each layer, in the order of ``graph.edges()``; biases start at 0.

    Only edges are drawn, so that the cost is in proportion to the edges; with ``config.initial_draws = "dense"`` every
    pair of neurons.

    Examples
    --------
    >>> topology = Topology.build("regular_rotating", [6, 4, 2], degrees=2)
    >>> [w.shape for w in initial_weights(topology, TrainingConfig())]
    [(12,), (8,)]
    """
    return [
        _draw(graph, config, _stream(config, _WEIGHTS, layer)).astype(config.dtype)
        for layer, graph in enumerate(topology)
    ]


def _draw(
    graph: BipartiteGraph, config: TrainingConfig, generator: np.random.Generator
) -> npt.NDArray[np.floating[Any]]:
    """One layer, by ``config.initialization`` and ``config.fans``.

    References
    ----------
    Glorot & Bengio (2010), Understanding the difficulty of training deep feedforward neural networks; He et al. (2015),
    Delving deep into rectifiers.
    """
    if config.initial_draws == "dense":
        inputs, outputs = graph.edges().T
        uniform = generator.random(graph.n_left * graph.n_right)[inputs.astype(np.int64) * graph.n_right + outputs]
    else:
        uniform = generator.random(graph.n_edges)
    return _of_uniform(uniform, *_fans(graph, config.fans), config)


def fresh_weights(
    graph: BipartiteGraph, pairs: npt.NDArray[np.int64], config: TrainingConfig, generator: np.random.Generator
) -> npt.NDArray[np.floating[Any]]:
    """Initial weights for edges that come into a layer, given as numbers input · n_right + output.

    Their fans are those of the layer's edges before the change, at least 1.
    """
    fan_in: Any = float(graph.n_left)
    fan_out: Any = float(graph.n_right)
    if config.fans == "degrees":
        inputs, outputs = np.divmod(pairs, graph.n_right)
        fan_in = np.maximum(graph.right_degrees[outputs], 1).astype(float)
        fan_out = np.maximum(graph.left_degrees[inputs], 1).astype(float)
    return _of_uniform(generator.random(len(pairs)), fan_in, fan_out, config).astype(config.dtype)


def _of_uniform(
    uniform: npt.NDArray[np.float64], fan_in: Any, fan_out: Any, config: TrainingConfig
) -> npt.NDArray[np.floating[Any]]:
    """Weights of the asked distribution from uniform numbers."""
    family, _, distribution = config.initialization.partition("_")
    deviation = np.sqrt(2.0 / (fan_in + fan_out if family == "glorot" else fan_in))
    if distribution == "uniform":
        return np.asarray(deviation * np.sqrt(3.0) * (2.0 * uniform - 1.0))
    scale = deviation / _TRUNCATED_STD
    return np.asarray(scale * ndtri(ndtr(-2.0) + uniform * (ndtr(2.0) - ndtr(-2.0))))


def _fans(graph: BipartiteGraph, kind: str) -> tuple[Any, Any]:
    """fan_in and fan_out: one number for all edges, or one per edge."""
    if kind == "dense":
        return float(graph.n_left), float(graph.n_right)
    inputs, outputs = graph.edges().T
    return graph.right_degrees[outputs].astype(float), graph.left_degrees[inputs].astype(float)


def batch_order(n_samples: int, epoch: int, config: TrainingConfig) -> npt.NDArray[np.int64]:
    """The order in which epoch number ``epoch`` (from 0) visits the training samples."""
    return _stream(config, _ORDER, epoch).permutation(n_samples)


def validation_split(n_samples: int, config: TrainingConfig) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices of the training samples to train on, and of those for validation, both ascending.

    Without ``config.validation``, all samples and none; otherwise at least one of each.

    Raises
    ------
    InvalidDatasetError
        When there is only one sample.

    Examples
    --------
    >>> train, watched = validation_split(10, TrainingConfig(validation=0.2))
    >>> len(train), len(watched)
    (8, 2)
    """
    if not config.validation:
        return np.arange(n_samples), np.arange(0)
    if n_samples < 2:
        raise InvalidDatasetError(
            f"validation={config.validation:g} needs at least two training samples, but got {n_samples}"
        )
    shuffled = _stream(config, _VALIDATION).permutation(n_samples)
    held_out = min(max(round(config.validation * n_samples), 1), n_samples - 1)
    return np.sort(shuffled[held_out:]), np.sort(shuffled[:held_out])


def dropout_generator(epoch: int, config: TrainingConfig) -> np.random.Generator:
    """The stream from which the epoch's dropout masks are drawn, step by step, layer by layer."""
    return _stream(config, _DROPOUT, epoch)


def dropconnect_generator(epoch: int, config: TrainingConfig) -> np.random.Generator:
    """The stream from which the epoch's dropped edges are drawn, step by step, layer by layer."""
    return _stream(config, _DROPCONNECT, epoch)


def compression_generator(config: TrainingConfig, layer: int) -> np.random.Generator:
    """The stream of one compressed layer: first what its form fixes by chance, then its initial parameters."""
    return _stream(config, _COMPRESSION, layer)


def entry_variance(n: int, m: int, config: TrainingConfig) -> float:
    """Variance of a dense layer's initial weights by ``config.initialization``.

    Examples
    --------
    >>> entry_variance(6, 4, TrainingConfig()), entry_variance(8, 4, TrainingConfig(initialization="he_normal"))
    (0.2, 0.25)
    """
    return 2.0 / (n + m if config.initialization.startswith("glorot") else n)


def rewiring_generator(config: TrainingConfig, step: int, layer: int) -> np.random.Generator:
    """The stream of all draws of one layer's change of edges before one step."""
    return _stream(config, _REWIRING, step, layer)


def dropout_mask(
    generator: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: str
) -> npt.NDArray[np.floating[Any]]:
    """Factors 0 (with probability ``rate``) or 1 / (1 − rate), for neurons × samples or for edges."""
    keep = generator.random(shape, dtype=np.float32) >= rate
    return np.asarray(keep.astype(dtype) / np.dtype(dtype).type(1.0 - rate))
