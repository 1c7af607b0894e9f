"""scikit-learn's MLPClassifier as a trainer: it knows no masks, so they are put back after every step."""

from __future__ import annotations

import time

import numpy as np
from sklearn.neural_network import MLPClassifier

from topograph.errors import UnsupportedSettingError
from trainers.course import run_course
from trainers.initialization import initial_weights
from trainers.protocol import EVERYTHING, check_offered, check_topology

_ACTIVATIONS = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
OFFERED = {
    name: EVERYTHING[name]
    for name in (
        "epochs", "batch_size", "learning_rate", "momentum", "nesterov", "initialization", "fans", "schedule",
        "validation", "patience", "seed",
    )
} | {
    "activation": tuple(_ACTIVATIONS), "output_activation": ("softmax",), "loss": ("cross_entropy",),
    "dtype": ("float32", "float64"),
}  # fmt: skip


class _Network:
    """One network: what `run_course` asks of a learner."""

    def __init__(self, topology, dataset, config):
        self.config, self.dataset = config, dataset
        self.masks = [graph.to_mask(config.dtype) for graph in topology]
        self.x, self.x_test = (x.astype(config.dtype) for x in (dataset.x_train, dataset.x_test))
        self.model = MLPClassifier(
            topology.sizes[1:-1],
            activation=_ACTIVATIONS[config.activation],
            solver="sgd",
            alpha=0.0,
            batch_size=1,
            learning_rate_init=config.learning_rate,
            momentum=config.momentum,
            nesterovs_momentum=config.nesterov,
            shuffle=False,
            random_state=0,
        )
        # the first call makes the arrays; then ours take their place, and its step is forgotten
        self.model.partial_fit(self.x[:1], dataset.y_train[:1], classes=np.arange(dataset.n_classes))
        for array, bias, graph, drawn in zip(
            self.model.coefs_, self.model.intercepts_, topology, initial_weights(topology, config), strict=True
        ):
            array[...] = 0
            array[tuple(graph.edges().T)] = drawn
            bias[...] = 0
        del self.model._optimizer

    def train_epoch(self, epoch, order, rate):
        loss = hits = 0
        size = self.config.batch_size
        for begin in range(0, len(order), size):
            rows = order[begin : begin + size]
            hits += int((self.model.predict(self.x[rows]) == self.dataset.y_train[rows]).sum())
            self.model.batch_size = len(rows)
            if hasattr(self.model, "_optimizer"):
                self.model._optimizer.learning_rate = rate
            else:
                self.model.learning_rate_init = rate
            self.model.partial_fit(self.x[rows], self.dataset.y_train[rows])
            loss += self.model.loss_ * len(rows)
            for array, mask in zip(self.model.coefs_, self.masks, strict=True):
                array *= mask
        return loss / len(order), hits / len(order)

    def evaluate(self, samples):
        shares = self.model.predict_proba(self.x[samples])
        labels = self.dataset.y_train[samples]
        loss = -np.log(np.maximum(shares[np.arange(len(labels)), labels], np.finfo(shares.dtype).tiny)).mean()
        return float(loss), float((shares.argmax(axis=1) == labels).mean())

    def predict(self):
        return self.model.predict(self.x_test)

    def parameters(self):
        return [array.copy() for array in (*self.model.coefs_, *self.model.intercepts_)]

    def set_parameters(self, parameters):
        for array, earlier in zip((*self.model.coefs_, *self.model.intercepts_), parameters, strict=True):
            array[...] = earlier


class SklearnTrainer:
    """Refuses what MLPClassifier has not: two classes, which it gives one output, among others."""

    name = "sklearn_mlp"

    def train(self, topology, dataset, config):
        check_offered(self.name, config, OFFERED)
        check_topology(topology, dataset)
        if dataset.n_classes < 3:
            raise UnsupportedSettingError("MLPClassifier gives two classes one output, so it needs at least three")
        started = time.perf_counter()
        network = _Network(topology, dataset, config)
        trained = run_course(network, config, len(dataset.y_train), dataset.y_test)
        return trained.to_result(
            self.name,
            topology,
            dataset,
            config,
            weights=[
                array[tuple(graph.edges().T)] for array, graph in zip(network.model.coefs_, topology, strict=True)
            ],
            biases=network.model.intercepts_,
            seconds=time.perf_counter() - started,
            device="cpu",
            packages=["scikit-learn"],
        )
