"""A plain dense network with masks, in float64: the slow, obvious thing that every backend is held against."""

from __future__ import annotations

import numpy as np

from topograph import Topology
from trainers import TrainingConfig
from trainers.initialization import batch_order, dropout_generator, dropout_mask, initial_weights


def activate(name, z):
    return {
        "sigmoid": lambda: 1 / (1 + np.exp(-z)),
        "tanh": lambda: np.tanh(z),
        "relu": lambda: np.where(z > 0, z, 0),
        "linear": lambda: z,
        "softmax": lambda: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    }[name]()


def derivative(name, z):
    y = activate(name, z)
    return {
        "sigmoid": lambda: y * (1 - y),
        "tanh": lambda: 1 - y**2,
        "relu": lambda: (z > 0).astype(float),
        "linear": lambda: np.ones_like(z),
    }[name]()


def loss_of(config: TrainingConfig, y, t):
    if config.loss == "mse":
        return np.mean((y - t) ** 2)
    if config.output_activation == "softmax":
        return -np.mean(np.log((y * t).sum(axis=1)))
    return -np.mean((t * np.log(y) + (1 - t) * np.log(1 - y)).sum(axis=1))


class DenseReference:
    """Samples in rows, weights as full matrices multiplied by their masks."""

    def __init__(self, topology: Topology, config: TrainingConfig) -> None:
        self.config = config
        self.masks = [graph.to_mask(float) for graph in topology]
        self.weights = [np.zeros_like(mask) for mask in self.masks]
        for w, graph, values in zip(self.weights, topology, initial_weights(topology, config), strict=True):
            w[tuple(graph.edges().T)] = values
        self.biases = [np.zeros(graph.n_right) for graph in topology]
        self.velocities = [np.zeros_like(w) for w in self.weights]
        self.bias_velocities = [np.zeros_like(b) for b in self.biases]
        self.names = [config.activation] * (len(self.weights) - 1) + [config.output_activation]

    def loss(self, x, t, factors=None):
        return self._passes(x, t, factors)[0]

    def _passes(self, x, t, factors=None):
        inputs, zs = [], []
        for i, (w, mask, b, name) in enumerate(zip(self.weights, self.masks, self.biases, self.names, strict=True)):
            inputs.append(x if factors is None or factors[i] is None else x * factors[i])
            zs.append(inputs[-1] @ (w * mask) + b)
            x = activate(name, zs[-1])
        return loss_of(self.config, x, t), x, inputs, zs

    def gradients(self, x, t, factors=None):
        value, y, inputs, zs = self._passes(x, t, factors)
        if self.config.loss == "cross_entropy":
            dz = (y - t) / len(x)
        else:
            dy = 2 * (y - t) / y.size
            if self.names[-1] == "softmax":
                dz = np.stack([(np.diag(row) - np.outer(row, row)) @ d for row, d in zip(y, dy, strict=True)])
            else:
                dz = dy * derivative(self.names[-1], zs[-1])
        weights, biases = [], []
        for i in reversed(range(len(self.weights))):
            weights.insert(0, (inputs[i].T @ dz) * self.masks[i])
            biases.insert(0, dz.sum(axis=0))
            if i:
                dx = dz @ (self.weights[i] * self.masks[i]).T
                if factors is not None and factors[i] is not None:
                    dx = dx * factors[i]
                dz = dx * derivative(self.names[i - 1], zs[i - 1])
        return value, weights, biases

    def step(self, weights, biases):
        c = self.config
        groups = [(self.weights, self.velocities, weights)]
        if c.bias:
            groups.append((self.biases, self.bias_velocities, biases))
        for values, velocities, gradients in groups:
            for w, v, g in zip(values, velocities, gradients, strict=True):
                v *= c.momentum
                v -= c.learning_rate * g
                w += c.momentum * v - c.learning_rate * g if c.nesterov else v

    def train(self, x, labels, classes, most_steps=None):
        """Run the config's epochs as the contract says; returns the loss of each step."""
        c, losses = self.config, []
        targets = np.eye(classes)[labels]
        for epoch in range(c.epochs):
            order, generator = batch_order(len(x), epoch, c), dropout_generator(epoch, c)
            for start in range(0, len(x), c.batch_size):
                rows = order[start : start + c.batch_size]
                rates = [c.dropout_input] + [c.dropout_hidden] * (len(self.weights) - 1)
                factors = [
                    dropout_mask(generator, (w.shape[0], len(rows)), rate, "float64").T if rate else None
                    for w, rate in zip(self.weights, rates, strict=True)
                ]
                value, weights, biases = self.gradients(x[rows], targets[rows], factors)
                self.step(weights, biases)
                losses.append(value)
                if most_steps is not None and len(losses) == most_steps:
                    return losses
        return losses
