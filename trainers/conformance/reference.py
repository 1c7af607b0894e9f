"""A dense masked network in plain NumPy, written from the formulas alone, to compare every backend with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.initialization import (
    batch_order,
    dropconnect_generator,
    dropout_generator,
    dropout_mask,
    initial_weights,
    validation_split,
)
from trainers.rewiring.carried import Carried
from trainers.rewiring.rewirer import Rewirer, make_rewirer
from trainers.schedule import learning_rate_at
from trainers.stopping import EarlyStopping

Array = npt.NDArray[Any]


class DenseMasked:
    """Weights are n × m arrays, multiplied by the mask after every step; the same draws as any backend."""

    def __init__(self, topology: Topology, config: TrainingConfig) -> None:
        self.config, self.masks = config, [graph.to_mask(config.dtype) for graph in topology]
        self.weights: list[Array] = []
        self.biases: list[Array] = []
        for graph, drawn in zip(topology, initial_weights(topology, config), strict=True):
            weights = np.zeros(graph.shape, config.dtype)
            weights[graph.to_mask()] = drawn
            self.weights.append(weights)
            self.biases.append(np.zeros(graph.n_right, config.dtype))
        self.outputs: Array = np.zeros((0, topology.sizes[-1]), config.dtype)
        self.memory = [[np.zeros_like(p), np.zeros_like(p)] for p in (*self.weights, *self.biases)]
        self.steps = 0
        self.edge_draws: np.random.Generator | None = None  # of the epoch, for DropConnect

    def loss(
        self, x: Array, labels: Array, generator: np.random.Generator | None = None
    ) -> tuple[float, list[Array], list[Array]]:
        """Mean loss and the gradients of all weights and biases, for samples in rows.

        With a generator neurons are dropped, and edges by ``edge_draws``.
        """
        config, kind = self.config, np.dtype(self.config.dtype).type
        inputs: list[Array] = []
        outputs: list[Array] = []
        factors: list[Array | None] = []
        y = x.astype(config.dtype)
        kept = [self._kept(mask, self.edge_draws if generator else None) for mask in self.masks]
        used = [weights * factor for weights, factor in zip(self.weights, kept, strict=True)]
        for layer, (weights, bias) in enumerate(zip(used, self.biases, strict=True)):
            rate = config.dropout_hidden if layer else config.dropout_input
            factor = dropout_mask(generator, y.T.shape, rate, config.dtype).T if generator and rate > 0 else None
            factors.append(factor)
            inputs.append(y if factor is None else y * factor)
            y = _activate(self._activation(layer), inputs[-1] @ weights + bias)
            outputs.append(y)
        self.outputs = y
        target = np.eye(y.shape[1], dtype=config.dtype)[labels]
        if config.loss == "mse":
            loss = np.mean((y.astype(float) - target) ** 2)
            dz = _differentiate(config.output_activation, y, (y - target) * kind(2 / y.size))
        else:
            p = np.where(target > 0, y, 1 - y if config.output_activation == "sigmoid" else 1).astype(float)
            loss = -np.log(p).sum() / len(x)
            dz = (y - target) / kind(len(x))
        weight_gradients: list[Array] = []
        bias_gradients: list[Array] = []
        for layer in reversed(range(len(self.weights))):
            weight_gradients.insert(0, (inputs[layer].T @ dz) * self.masks[layer] * kept[layer])
            bias_gradients.insert(0, dz.sum(axis=0))
            if layer:
                dy, factor = dz @ used[layer].T, factors[layer]
                dz = _differentiate(config.activation, outputs[layer - 1], dy if factor is None else dy * factor)
        return float(loss), weight_gradients, bias_gradients

    def _kept(self, mask: Array, generator: np.random.Generator | None) -> Array:
        """What DropConnect multiplies a layer's weights with, drawn for its edges in order."""
        rate, factors = self.config.dropconnect, np.ones_like(mask)
        if generator is not None and rate > 0:
            factors[mask > 0] = dropout_mask(generator, (int(mask.sum()),), rate, self.config.dtype)
        return factors

    def step(self, weight_gradients: list[Array], bias_gradients: list[Array], rate: float) -> None:
        """One step of the optimizer; its memory is on all cells, its effect on the edges only."""
        config, kind = self.config, np.dtype(self.config.dtype).type
        self.steps += 1
        eta, mu = kind(rate), kind(config.momentum)
        parameters = [*self.weights, *(self.biases if config.bias else ())]
        gradients = [g + kind(config.weight_decay) * w for g, w in zip(weight_gradients, self.weights, strict=True)]
        gradients += bias_gradients
        for number, (p, g, memory) in enumerate(zip(parameters, gradients, self.memory, strict=False)):
            if config.optimizer == "adam":
                memory[0] = mu * memory[0] + (1 - mu) * g
                memory[1] = kind(0.999) * memory[1] + kind(1 - 0.999) * g**2
                first = memory[0] / kind(1 - config.momentum**self.steps)
                second = memory[1] / kind(1 - 0.999**self.steps)
                p -= eta * first / (np.sqrt(second) + kind(1e-8))
            else:
                memory[0] = mu * memory[0] - eta * g
                p += mu * memory[0] - eta * g if config.nesterov else memory[0]
            if number < len(self.masks):
                p *= self.masks[number]

    def train_epoch(self, x: Array, labels: Array, epoch: int, rate: float | None = None) -> float:
        """One pass over all samples; returns the mean loss as it ran."""
        order = batch_order(len(x), epoch, self.config)
        self.edge_draws, generator = dropconnect_generator(epoch, self.config), dropout_generator(epoch, self.config)
        return self.walk(x, labels, order, self.config.learning_rate if rate is None else rate, generator)[0]

    def walk(
        self, x: Array, labels: Array, order: Array, rate: float, generator: np.random.Generator
    ) -> tuple[float, float, float]:
        """One pass over the samples of ``order``: mean loss, accuracy and share of ties, as they ran."""
        losses = hits = ties = 0.0
        for start in range(0, len(order), self.config.batch_size):
            chosen = order[start : start + self.config.batch_size]
            loss, weight_gradients, bias_gradients = self.loss(x[chosen], labels[chosen], generator)
            right, tied = score(self.outputs, labels[chosen])
            hits, ties = hits + right * len(chosen), ties + tied * len(chosen)
            self.step(weight_gradients, bias_gradients, rate)
            losses += loss * len(chosen)
        return losses / len(order), hits / len(order), ties / len(order)

    def predict(self, x: Array) -> Array:
        """Outputs for samples in rows."""
        y = x.astype(self.config.dtype)
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = _activate(self._activation(layer), y @ weights + bias)
        return y

    def _activation(self, layer: int) -> str:
        return self.config.activation if layer < len(self.weights) - 1 else self.config.output_activation


class DenseRewired:
    """A dense masked network as a rewirer's learner: what is dropped or new loses weight and memory."""

    def __init__(self, network: DenseMasked, topology: Topology, x: Array, labels: Array, rewirer: Rewirer) -> None:
        self.network, self.topology, self.rewirer = network, topology, rewirer
        self._x, self._labels, self._ties = x, labels, [0.0, 0.0]

    def walk(self, epoch: int, order: Array, rate: float) -> tuple[float, float, float]:
        """One pass with the changes that are due: mean loss, accuracy and share of ties, as they ran."""
        self._ties = [0.0, 0.0]
        loss, accuracy = self.rewirer.train_epoch(self, epoch, order, rate)
        return loss, accuracy, self._ties[0] / max(self._ties[1], 1)

    def train_part(self, order: Array, rate: float, generator: np.random.Generator) -> tuple[float, float]:
        """See `trainers.rewiring.rewirer.RewirableLearner`."""
        loss, accuracy, tied = self.network.walk(self._x, self._labels, order, rate, generator)
        self._ties = [self._ties[0] + tied * len(order), self._ties[1] + len(order)]
        return loss, accuracy

    def weights(self) -> list[Array]:
        """See `trainers.rewiring.rewirer.RewirableLearner`."""
        return [w[tuple(g.edges().T)] for w, g in zip(self.network.weights, self.topology, strict=True)]

    def biases(self) -> list[Array]:
        """See `trainers.rewiring.rewirer.RewirableLearner`."""
        return self.network.biases

    def rewire(self, carried: Sequence[Carried]) -> None:
        """See `trainers.rewiring.rewirer.RewirableLearner`."""
        self.topology = Topology(layer.graph for layer in carried)
        for number, layer in enumerate(carried):
            new = np.zeros(layer.graph.shape, bool)
            edges, is_new = layer.graph.edges(), layer.source < 0
            new[tuple(edges[is_new].T)] = True
            fresh = np.zeros(layer.graph.shape, self.network.weights[number].dtype)
            fresh[tuple(edges[is_new].T)] = layer.fresh[is_new]
            mask = layer.graph.to_mask(self.network.config.dtype)
            self.network.masks[number] = mask
            self.network.weights[number] = np.where(new, fresh, self.network.weights[number] * mask)
            for memory in self.network.memory[number]:
                memory[new | (mask == 0)] = 0


class Course(NamedTuple):
    """What any trainer's history is compared with.

    Parameters
    ----------
    history
        Name → one value per epoch, as in `TrainingResult`.
    ties
        Name of an accuracy → share of samples per epoch whose two largest outputs are equal within rounding.
    """

    history: dict[str, list[float]]
    ties: dict[str, list[float]]


def score(outputs: Array, labels: Array) -> tuple[float, float]:
    """Accuracy, and the share of samples whose two largest outputs are equal within rounding."""
    if outputs.shape[1] == 1:
        return float(np.mean(labels == 0)), 0.0
    second, first = np.sort(outputs.astype(float), axis=1)[:, -2:].T
    rounding = 1e-4 if outputs.dtype == np.float32 else 1e-6
    tied = first - second <= rounding * np.maximum(np.abs(first), 1e-3)
    return float(np.mean(outputs.argmax(1) == labels)), float(np.mean(tied))


def train_reference(topology: Topology, dataset: Dataset, config: TrainingConfig) -> tuple[DenseMasked, Course]:
    """The network after its training, and its course.

    Examples
    --------
    >>> from trainers import load_dataset
    >>> topology = Topology.build("random_regular", [64, 12, 10], degrees=4)
    >>> _, course = train_reference(topology, load_dataset("digits"), TrainingConfig(epochs=2))
    >>> sorted(course.history), len(course.history["loss"])
    (['loss', 'test_accuracy', 'train_accuracy'], 2)
    """
    network, stopping = DenseMasked(topology, config), EarlyStopping(config)
    learning, watched = validation_split(len(dataset.x_train), config)
    history: dict[str, list[float]] = defaultdict(list)
    ties: dict[str, list[float]] = defaultdict(list)
    best = [*network.weights, *network.biases]
    x, labels = dataset.x_train, dataset.y_train
    rewirer = make_rewirer(config, topology, x, labels, len(learning))
    rewired = None if rewirer is None else DenseRewired(network, topology, x, labels, rewirer)
    for epoch in range(config.epochs):
        order = learning[batch_order(len(learning), epoch, config)]
        rate, generator = learning_rate_at(epoch, config), dropout_generator(epoch, config)
        network.edge_draws = dropconnect_generator(epoch, config)
        if rewired is None:
            loss, *accuracy = network.walk(x, labels, order, rate, generator)
        else:
            loss, *accuracy = rewired.walk(epoch, order, rate)
        accuracies = {
            "train_accuracy": accuracy,
            "test_accuracy": score(network.predict(dataset.x_test), dataset.y_test),
        }
        history["loss"].append(loss)
        if rewirer is not None:
            for name, value in rewirer.record().items():
                history[name].append(value)
        if len(watched):
            accuracies["validation_accuracy"] = score(network.predict(x[watched]), labels[watched])
            history["validation_loss"].append(network.loss(x[watched], labels[watched])[0])
        for name, (hits, tied) in accuracies.items():
            history[name].append(hits)
            ties[name].append(tied)
        if len(watched):
            if stopping.improved(epoch, history["validation_loss"][-1]):
                best = [p.copy() for p in (*network.weights, *network.biases)]
            elif stopping.over(epoch):
                break
    if config.patience:
        network.weights, network.biases = best[: len(network.masks)], best[len(network.masks) :]
    return network, Course(dict(history), dict(ties))


def _activate(name: str, z: Array) -> Array:
    if name == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))
    if name == "leaky_relu":
        return np.where(z < 0, z.dtype.type(0.01) * z, z)
    if name == "relu":
        return np.maximum(z, 0)
    return z if name == "linear" else np.asarray(np.tanh(z) if name == "tanh" else expit(z))


def _differentiate(name: str, y: Array, dy: Array) -> Array:
    if name == "softmax":
        return np.asarray(y * (dy - (dy * y).sum(axis=1, keepdims=True)))
    if name == "sigmoid":
        return np.asarray(dy * (y * (1 - y)))
    if name == "tanh":
        return np.asarray(dy * (1 - y * y))
    if name == "linear":
        return dy
    return np.asarray(dy * np.where(y > 0, y.dtype.type(1), y.dtype.type(0 if name == "relu" else 0.01)))
