"""A trainer on JAX and optax, plugged into topograph: dense weights under a mask, one compiled step."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from topograph import Topology
from trainers import Dataset, TrainingConfig, TrainingResult
from trainers.config import LEAK
from trainers.course import run_course
from trainers.initialization import initial_weights
from trainers.protocol import EVERYTHING, check_offered, check_topology

NOT_OFFERED = ("dropout_input", "dropout_hidden", "dropout_draws")
OFFERED = {name: values for name, values in EVERYTHING.items() if name not in NOT_OFFERED} | {"dtype": ("float32",)}
ACTIVATIONS: dict[str, Any] = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": lambda z: jnp.where(z > 0, z, LEAK * z),  # jax.nn.leaky_relu has the slope 1 at 0
    "linear": lambda z: z,
    "softmax": jax.nn.softmax,
}


def logits(parameters: Any, masks: Any, x: Any, config: TrainingConfig) -> Any:
    """Pre-activations of the outputs. The mask multiplies the weights, so that it multiplies their gradients too."""
    for number, (weights, bias) in enumerate(parameters):
        x = x if number == 0 else ACTIVATIONS[config.activation](x)
        x = x @ (weights * masks[number]) + bias
    return x


def losses(z: Any, target: Any, config: TrainingConfig) -> Any:
    """One value a sample, by the formulas of `TrainingConfig`."""
    if config.loss == "mse":
        return ((ACTIVATIONS[config.output_activation](z) - target) ** 2).mean(axis=1)
    if config.output_activation == "softmax":
        return optax.softmax_cross_entropy(z, target)
    return optax.sigmoid_binary_cross_entropy(z, target).sum(axis=1)


def make_optimizer(config: TrainingConfig) -> optax.GradientTransformation:
    """From gradients times −η to steps: so optax's velocity is the contract's, whatever the schedule."""
    if config.optimizer == "adam":
        return optax.scale_by_adam(config.momentum, 0.999, eps=1e-8)
    return optax.trace(config.momentum, config.nesterov)


def objective(parameters: Any, masks: Any, x: Any, target: Any, config: TrainingConfig) -> tuple[Any, Any]:
    """The mean loss; the sum of the losses, and the number of samples classified correctly."""
    z = logits(parameters, masks, x, config)
    each = losses(z, target, config)
    return each.mean(), (each.sum(), (z.argmax(axis=1) == target.argmax(axis=1)).sum())


# compiled functions are kept by the settings that they read, so that a study compiles each of them once
LABELLING = ("activation",)
MEASURING = (*LABELLING, "output_activation", "loss")
STEPPING = (*MEASURING, "optimizer", "momentum", "nesterov", "weight_decay", "bias")


def read_by(names: tuple[str, ...], config: TrainingConfig) -> TrainingConfig:
    """These settings, and defaults for all others."""
    return TrainingConfig(**{name: getattr(config, name) for name in names})


@lru_cache(maxsize=64)
def compiled_label(config: TrainingConfig) -> Any:
    """Labels of samples."""
    return jax.jit(lambda parameters, masks, x: logits(parameters, masks, x, config).argmax(axis=1))


@lru_cache(maxsize=64)
def compiled_measure(config: TrainingConfig) -> Any:
    """The sum of the losses of samples, and the number of those classified correctly."""
    return jax.jit(lambda parameters, masks, x, target: objective(parameters, masks, x, target, config)[1])


@lru_cache(maxsize=64)
def compiled_step(config: TrainingConfig) -> Any:
    """A step: from parameters, memory, masks, a batch and η to parameters, memory, and what a measure returns."""
    optimizer = make_optimizer(config)

    def step(parameters: Any, memory: Any, masks: Any, x: Any, target: Any, rate: Any) -> tuple[Any, Any, Any, Any]:
        gradients, (loss, hits) = jax.grad(objective, has_aux=True)(parameters, masks, x, target, config)
        if config.weight_decay:
            gradients = [(g + config.weight_decay * w, b) for (g, b), (w, _) in zip(gradients, parameters, strict=True)]
        if not config.bias:
            gradients = [(g, jnp.zeros_like(b)) for g, b in gradients]
        if config.optimizer == "adam":
            steps, memory = optimizer.update(gradients, memory)
            steps = jax.tree.map(lambda s: -rate * s, steps)
        else:
            steps, memory = optimizer.update(jax.tree.map(lambda g: -rate * g, gradients), memory)
        return optax.apply_updates(parameters, steps), memory, loss, hits

    return jax.jit(step)


class JaxLearner:
    """A network with its data, as `trainers.course` asks for it."""

    def __init__(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> None:
        self.topology, self.data, self.config = topology, dataset, config
        self.masks = [jnp.asarray(graph.to_mask(), jnp.float32) for graph in topology]
        self.layers = []
        for graph, drawn in zip(topology, initial_weights(topology, config), strict=True):
            weights = np.zeros(graph.shape, np.float32)
            weights[tuple(graph.edges().T)] = drawn
            self.layers.append((jnp.asarray(weights), jnp.zeros(graph.n_right)))
        self.step = compiled_step(read_by(STEPPING, config))
        self.measure = compiled_measure(read_by(MEASURING, config))
        self.label = compiled_label(read_by(LABELLING, config))
        self.memory = make_optimizer(config).init(self.layers)
        self.targets = np.eye(dataset.n_classes, dtype=np.float32)[dataset.y_train]

    def train_epoch(self, epoch: int, order: Any, rate: float) -> tuple[float, float]:
        """One pass over the samples of ``order``."""
        loss, hits = 0.0, 0
        for begin in range(0, len(order), self.config.batch_size):
            rows = order[begin : begin + self.config.batch_size]
            self.layers, self.memory, one, right = self.step(
                self.layers, self.memory, self.masks, self.data.x_train[rows], self.targets[rows], rate
            )
            loss, hits = loss + one, hits + right
        return float(loss) / len(order), int(hits) / len(order)

    def evaluate(self, samples: Any) -> tuple[float, float]:
        """Mean loss and accuracy on some training samples."""
        loss, hits = self.measure(self.layers, self.masks, self.data.x_train[samples], self.targets[samples])
        return float(loss) / len(samples), int(hits) / len(samples)

    def predict(self) -> Any:
        """Labels of the test samples."""
        return np.asarray(self.label(self.layers, self.masks, self.data.x_test))

    def parameters(self) -> list[Any]:
        """All weights, then all biases."""
        return [np.array(weights) for weights, _ in self.layers] + [np.array(bias) for _, bias in self.layers]

    def set_parameters(self, parameters: Any) -> None:
        """Return to an earlier copy."""
        depth = len(self.layers)
        self.layers = list(zip(map(jnp.asarray, parameters[:depth]), map(jnp.asarray, parameters[depth:]), strict=True))


class JaxTrainer:
    """Trains with JAX on whatever device it finds."""

    name = "jax"

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`."""
        check_offered(self.name, config, OFFERED)
        check_topology(topology, dataset)
        started = time.perf_counter()
        learner = JaxLearner(topology, dataset, config)
        trained = run_course(learner, config, len(dataset.y_train), dataset.y_test)
        arrays, depth = learner.parameters(), len(topology)
        return trained.to_result(
            self.name,
            topology,
            dataset,
            config,
            weights=[array[tuple(graph.edges().T)] for array, graph in zip(arrays[:depth], topology, strict=True)],
            biases=arrays[depth:],
            seconds=time.perf_counter() - started,
            device=str(jax.devices()[0]),
            packages=("numpy", "jax", "optax"),
        )
