"""Checks that each step follows the formulas, and that a network learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topograph.topology import Topology
from trainers.conformance.reference import DenseMasked
from trainers.conformance.session import Mismatch, Session, Task, make_data, small_task
from trainers.datasets import Dataset, load_dataset
from trainers.initialization import initial_weights

_FORMULAS: tuple[dict[str, Any], ...] = (
    {},
    {"activation": "tanh", "output_activation": "softmax"},
    {"activation": "relu", "loss": "cross_entropy", "output_activation": "softmax"},
    {"activation": "leaky_relu", "loss": "cross_entropy", "output_activation": "sigmoid"},
)


def gradients(session: Session) -> Iterator[Mismatch]:
    r"""One step over all samples subtracts the gradient of the loss, by finite differences.

    The first step of momentum is −η g, of Nesterov's −η (1 + μ) g, since the velocity begins at 0. Adam's is
    −η g / (\|g\| + ε), so that it shows the sign of each gradient.
    """
    task, size = small_task(24), 1e-6
    for changes in _FORMULAS:
        if changes and not session.offers(**changes):
            continue
        settings = {"epochs": 1, "batch_size": 24, "learning_rate": 0.1, **changes, "weight_decay": 0.0}
        config = session.config(**settings)
        adam, eta = config.optimizer == "adam", config.learning_rate
        ahead = eta * (1 + config.momentum) if config.nesterov and not adam else eta
        result = session.train(task, **settings)
        network = DenseMasked(task.topology, config.replace(dtype="float64"))
        first = initial_weights(task.topology, config)
        worst: tuple[float, Mismatch] | None = None
        for number, (graph, weights) in enumerate(zip(task.topology, network.weights, strict=True), start=1):
            moved = (first[number - 1].astype(float) - result.weights[number - 1].data) / ahead
            slopes = []
            for place in map(tuple, graph.edges().tolist()):
                kept, losses = weights[place], []
                for shift in (size, -size):
                    weights[place] = kept + shift
                    losses.append(network.loss(task.dataset.x_train, task.dataset.y_train)[0])
                weights[place] = kept
                slopes.append((losses[0] - losses[1]) / (2 * size))
            if adam:  # where the gradient is not lost beside ε or in the differences
                slopes = [np.sign(g) if abs(g) > 1e-5 else np.nan for g in slopes]
            largest = np.nanmax(np.abs(slopes), initial=0)
            allowed = (1e-2 if adam else 1e-6 if session.dtype == "float64" else 1e-3) * max(largest, 1e-3)
            away = np.nan_to_num(np.abs(moved - slopes), nan=0 if adam else np.inf)
            edge = int(np.argmax(away))
            if not away[edge] <= allowed and (worst is None or away[edge] > worst[0]):
                i, j = graph.edges()[edge].tolist()
                worst = (
                    away[edge],
                    (
                        f"a gradient of {slopes[edge]:.6g} on edge {i} → {j} of layer {number}, by finite "
                        f"differences of the loss ({session.describe(changes)})",
                        f"{moved[edge]:.6g}",
                    ),
                )
        if worst:
            yield worst[1]


def first_100_steps(session: Session) -> Iterator[Mismatch]:
    """A hundred epochs of a single batch, and a few more, so that the history holds the loss of each step."""
    task, epochs = small_task(8), 100 + int(session.generator().integers(20))
    result = session.train(task, epochs=epochs)
    yield from session.compare(task, result, session.config(epochs=epochs))


def batch_order(session: Session) -> Iterator[Mismatch]:
    """Epochs of four batches, the last of them smaller, each in an order of its own."""
    task = small_task(27, seed=3)
    for seed in (0, 7):
        result = session.train(task, epochs=6, seed=seed)
        yield from session.compare(task, result, session.config(epochs=6, seed=seed))


def odd_shapes(session: Session) -> Iterator[Mismatch]:
    """Layers of one neuron, empty rows and columns, dense layers, none at all; fewer samples than a batch, and one."""
    full, empty = np.ones((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)
    hollow = full.copy()
    hollow[:, 1:3] = hollow[0] = False
    one_in, one_out = np.ones((1, 4), dtype=bool), np.ones((4, 1), dtype=bool)
    tasks: list[tuple[str, list[NDArray[np.bool_]], Dataset, dict[str, Any]]] = [
        ("a hidden layer of one neuron", [one_out, one_in], make_data(20, 4, 4), {}),
        ("one input", [one_in], make_data(20, 1, 4), {}),
        ("one output", [full, one_out], make_data(20, 4, 1), {}),
        ("inputs and outputs without edges", [hollow, full], make_data(20, 4, 4), {}),
        ("a layer without any edge", [full, empty, full], make_data(20, 4, 4), {}),
        ("a single dense layer", [full], make_data(20, 4, 4), {}),
        ("fewer samples than a batch", [full, hollow], make_data(3, 4, 4), {}),
        ("one sample", [hollow, full], make_data(1, 4, 4), {}),
        # the inputs of neurons without edges are exactly 0, where these activations have their left derivative
        ("neurons without edges, and relu", [hollow, full], make_data(20, 4, 4), {"activation": "relu"}),
        ("neurons without edges, and leaky_relu", [hollow, full], make_data(20, 4, 4), {"activation": "leaky_relu"}),
    ]
    for description, masks, data, changes in tasks:
        if changes and not session.offers(**changes):
            continue
        task = Task(Topology(masks), data)
        try:
            result = session.train(task, epochs=3, **changes)
        except Exception as error:
            yield f"a network with {description} to be trained", f"{type(error).__name__}: {error}"
            continue
        for expected, came in session.compare(task, result, session.config(epochs=3, **changes)):
            yield f"with {description}: {expected}", came
        for weights, graph in zip(result.weights, task.topology, strict=True):
            if weights.nnz != graph.n_edges:
                yield f"with {description}: {graph.n_edges} weights", f"{weights.nnz}"


def learns_digits(session: Session) -> Iterator[Mismatch]:
    """85 % of the handwritten digits, with half of the edges, in float32."""
    topology = Topology.build("random_regular", [64, 30, 10], degrees=[15, 10], seed=0)
    task = Task(topology, load_dataset("digits"))
    rate = session.base.get("learning_rate", 1.0)  # the step of other losses than the paper's is theirs to know
    result = session.train(task, epochs=20, batch_size=32, learning_rate=rate, dtype="float32")
    if not result.test_accuracy > 0.85:
        yield "a test accuracy above 0.85 on the digits", f"{result.test_accuracy:.4f}"
