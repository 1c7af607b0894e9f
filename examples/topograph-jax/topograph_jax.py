"""A trainer on JAX and optax, plugged into topograph: dense weights under a mask, one compiled step."""

from __future__ import annotations

import time
from functools import lru_cache, partial
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from topograph import Topology
from topograph.errors import TrainingDivergedError
from trainers import Dataset, TrainingConfig, TrainingResult
from trainers.initialization import batch_order, initial_weights
from trainers.protocol import EVERYTHING, check_fit, check_offered
from trainers.result import balanced_accuracy, sparse_weights
from trainers.schedule import learning_rate_at

NOT_OFFERED = ("validation", "patience", "dropout_input", "dropout_hidden", "dropout_draws")
OFFERED = {name: values for name, values in EVERYTHING.items() if name not in NOT_OFFERED} | {"dtype": ("float32",)}
ACTIVATIONS: dict[str, Any] = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.01),
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


@lru_cache(maxsize=64)
def compiled(config: TrainingConfig) -> tuple[Any, Any, optax.GradientTransformation]:
    """The step, what predicts labels, and the optimizer; kept, so that a study compiles once and not for each network.

    A step takes parameters, memory, a batch and η; it returns parameters, memory, the sum of the losses, and the hits.
    """
    optimizer = make_optimizer(config)

    def objective(parameters: Any, masks: Any, x: Any, target: Any) -> tuple[Any, Any]:
        z = logits(parameters, masks, x, config)
        each = losses(z, target, config)
        return each.mean(), (each.sum(), (z.argmax(axis=1) == target.argmax(axis=1)).sum())

    def step(parameters: Any, memory: Any, masks: Any, x: Any, target: Any, rate: Any) -> tuple[Any, Any, Any, Any]:
        gradients, (loss, hits) = jax.grad(objective, has_aux=True)(parameters, masks, x, target)
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

    return jax.jit(step), jax.jit(lambda p, masks, x: logits(p, masks, x, config).argmax(axis=1)), optimizer


class JaxTrainer:
    """Trains with JAX on whatever device it finds."""

    name = "jax"

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`."""
        check_offered(self.name, config, OFFERED)
        check_fit(topology, dataset)
        started = time.perf_counter()
        masks = [jnp.asarray(graph.to_mask(), jnp.float32) for graph in topology]
        parameters = []
        for graph, drawn in zip(topology, initial_weights(topology, config), strict=True):
            weights = np.zeros(graph.shape, np.float32)
            weights[tuple(graph.edges().T)] = drawn
            parameters.append((jnp.asarray(weights), jnp.zeros(graph.n_right)))
        # what changes from network to network is not compiled in
        step, predict, optimizer = compiled(config.replace(seed=0, epochs=1, learning_rate=1.0, schedule="constant"))
        memory = optimizer.init(parameters)
        x, labels, samples = dataset.x_train, dataset.y_train, len(dataset.x_train)
        targets = np.eye(dataset.n_classes, dtype=np.float32)[labels]
        history: dict[str, list[float]] = {"loss": [], "train_accuracy": [], "test_accuracy": []}
        for epoch in range(config.epochs):
            order, rate, loss, hits = batch_order(samples, epoch, config), learning_rate_at(epoch, config), 0.0, 0
            for begin in range(0, samples, config.batch_size):
                rows = order[begin : begin + config.batch_size]
                parameters, memory, one, right = step(parameters, memory, masks, x[rows], targets[rows], rate)
                loss, hits = loss + one, hits + right
            if not np.isfinite([float(loss), *(float(array.sum()) for array in jax.tree.leaves(parameters))]).all():
                raise TrainingDivergedError(f"the loss became {float(loss)} in epoch {epoch + 1}; lower learning_rate")
            predicted = np.asarray(predict(parameters, masks, dataset.x_test))
            history["loss"].append(float(loss) / samples)
            history["train_accuracy"].append(int(hits) / samples)
            history["test_accuracy"].append(float(np.mean(predicted == dataset.y_test)))
        arrays = [np.asarray(weights)[tuple(g.edges().T)] for (weights, _), g in zip(parameters, topology, strict=True)]
        return TrainingResult(
            trainer=self.name,
            config=config,
            correct=int((predicted == dataset.y_test).sum()),
            total=len(predicted),
            train_accuracy=float(np.mean(np.asarray(predict(parameters, masks, x)) == labels)),
            history={name: tuple(values) for name, values in history.items()},
            weights=sparse_weights(topology, arrays),
            biases=tuple(np.array(bias) for _, bias in parameters),
            seconds=time.perf_counter() - started,
            device=str(jax.devices()[0]),
            versions={package: version(package) for package in ("topograph", "numpy", "jax", "optax")},
            balanced_accuracy=balanced_accuracy(predicted, dataset.y_test),
        )
