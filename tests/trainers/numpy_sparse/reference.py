"""A dense masked network in plain NumPy, written from the formulas alone, to compare the sparse backend with."""

import numpy as np
from scipy.special import expit

from trainers.initialization import batch_order, dropout_generator, dropout_mask, initial_weights


class DenseMasked:
    """Weights are n × m arrays, multiplied by the mask after every step; the same draws as any backend."""

    def __init__(self, topology, config):
        self.config, self.masks = config, [graph.to_mask(config.dtype) for graph in topology]
        self.weights, self.biases = [], []
        for graph, drawn in zip(topology, initial_weights(topology, config), strict=True):
            weights = np.zeros(graph.shape, config.dtype)
            weights[graph.to_mask()] = drawn
            self.weights.append(weights)
            self.biases.append(np.zeros(graph.n_right, config.dtype))
        self.memory = [[np.zeros_like(p), np.zeros_like(p)] for p in (*self.weights, *self.biases)]
        self.steps = 0

    def loss(self, x, labels, generator=None):
        """Mean loss and the gradients of all weights and biases, for samples in rows."""
        config, kind = self.config, np.dtype(self.config.dtype).type
        names = [config.activation] * (len(self.weights) - 1) + [config.output_activation]
        inputs, factors, outputs, y = [], [], [], x.astype(config.dtype)
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rate = config.dropout_hidden if layer else config.dropout_input
            dropped = generator is not None and rate > 0
            factors.append(dropout_mask(generator, y.T.shape, rate, config.dtype).T if dropped else None)
            inputs.append(y * factors[-1] if dropped else y)
            y = _activate(names[layer], inputs[-1] @ weights + bias)
            outputs.append(y)
        target = np.eye(y.shape[1], dtype=config.dtype)[labels]
        if config.loss == "mse":
            loss = np.mean((y.astype(float) - target) ** 2)
            dy = (y - target) * kind(2 / y.size)
            dz = _differentiate(names[-1], y, dy)
        elif names[-1] == "softmax":
            loss = -np.mean(np.log(y.astype(float)[np.arange(len(x)), labels]))
            dz = (y - target) / kind(len(x))
        else:
            p = np.where(target > 0, y, 1 - y).astype(float)
            loss = -np.log(p).sum() / len(x)
            dz = (y - target) / kind(len(x))
        weight_gradients, bias_gradients = [], []
        for layer in reversed(range(len(self.weights))):
            weight_gradients.insert(0, (inputs[layer].T @ dz) * self.masks[layer])
            bias_gradients.insert(0, dz.sum(axis=0))
            if layer:
                dy = dz @ self.weights[layer].T
                dy = dy if factors[layer] is None else dy * factors[layer]
                dz = _differentiate(names[layer - 1], outputs[layer - 1], dy)
        return loss, weight_gradients, bias_gradients

    def step(self, weight_gradients, bias_gradients, rate):
        config, kind = self.config, np.dtype(self.config.dtype).type
        self.steps += 1
        rate, mu = kind(rate), kind(config.momentum)
        parameters = [*self.weights, *(self.biases if config.bias else ())]
        gradients = [g + kind(config.weight_decay) * w for g, w in zip(weight_gradients, self.weights, strict=True)]
        gradients += bias_gradients
        for number, (p, g, memory) in enumerate(zip(parameters, gradients, self.memory, strict=False)):
            if config.optimizer == "adam":
                memory[0] = mu * memory[0] + (1 - mu) * g
                memory[1] = kind(0.999) * memory[1] + kind(1 - 0.999) * g**2
                first = memory[0] / kind(1 - config.momentum**self.steps)
                second = memory[1] / kind(1 - 0.999**self.steps)
                p -= rate * first / (np.sqrt(second) + kind(1e-8))
            else:
                memory[0] = mu * memory[0] - rate * g
                p += mu * memory[0] - rate * g if config.nesterov else memory[0]
            if number < len(self.masks):
                p *= self.masks[number]

    def train_epoch(self, x, labels, epoch, rate=None):
        order, generator = batch_order(len(x), epoch, self.config), dropout_generator(epoch, self.config)
        losses = 0.0
        for start in range(0, len(x), self.config.batch_size):
            chosen = order[start : start + self.config.batch_size]
            loss, *gradients = self.loss(x[chosen], labels[chosen], generator)
            self.step(*gradients, self.config.learning_rate if rate is None else rate)
            losses += loss * len(chosen)
        return losses / len(x)


def _activate(name, z):
    if name == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return {
        "sigmoid": expit,
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
        "leaky_relu": lambda z: np.where(z < 0, z.dtype.type(0.01) * z, z),
        "linear": lambda z: z,
    }[name](z)


def _differentiate(name, y, dy):
    if name == "softmax":
        return y * (dy - (dy * y).sum(axis=1, keepdims=True))
    slope = {
        "sigmoid": lambda: y * (1 - y),
        "tanh": lambda: 1 - y * y,
        "relu": lambda: (y > 0).astype(y.dtype),
        "leaky_relu": lambda: np.where(y > 0, y.dtype.type(1), y.dtype.type(0.01)),
        "linear": lambda: np.ones_like(y),
    }[name]()
    return dy * slope
