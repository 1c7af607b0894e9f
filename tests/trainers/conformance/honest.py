"""A trainer made of the reference network, with places where a test can break it."""

from __future__ import annotations

import numpy as np

from topograph.errors import TrainingDivergedError
from trainers import TrainingResult
from trainers.conformance.reference import DenseMasked
from trainers.initialization import batch_order, dropconnect_generator, dropout_generator, validation_split
from trainers.protocol import ANY, EVERYTHING, check_offered, check_stack, check_topology
from trainers.result import balanced_accuracy, sparse_weights
from trainers.schedule import learning_rate_at
from trainers.stopping import EarlyStopping

OFFERED = {**EVERYTHING, "dropconnect": ANY}


class HonestTrainer:
    name = "honest"
    network = DenseMasked
    offered = OFFERED

    def refuse(self, topology, dataset, config):
        check_offered(self.name, config, self.offered)
        check_topology(topology, dataset)

    def drawn(self, config):
        """The config that everything is drawn by and trained with."""
        return config

    def arrays(self, dataset):
        """The samples that are trained on and tested with."""
        return dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test

    def order(self, samples, epoch, config):
        return batch_order(samples, epoch, config)

    def split(self, samples, config):
        return validation_split(samples, config)

    def begin(self, network):
        """Before the first epoch."""

    def begin_epoch(self, network, epoch):
        """Before each epoch."""

    def measure(self, network, x, y):
        """Loss and accuracy."""
        return network.loss(x, y)[0], float(np.mean(network.predict(x).argmax(1) == y))

    def check_finite(self, loss, epoch):
        if not np.isfinite(loss):
            raise TrainingDivergedError(f"epoch {epoch + 1}")

    def record(self, values, network, arrays, learning, watched):
        """The values of an epoch."""
        return values

    def best(self, best):
        """The parameters to return to after early stopping."""
        return best

    def finish(self, result):
        return result

    def train(self, topology, dataset, config):
        self.refuse(topology, dataset, config)
        drawn = self.drawn(config)
        network, stopping = self.network(topology, drawn), EarlyStopping(config)
        x, y, x_test, y_test = arrays = self.arrays(dataset)
        learning, watched = self.split(len(x), drawn)
        history, best = {}, None
        self.begin(network)
        for epoch in range(drawn.epochs):
            self.begin_epoch(network, epoch)
            order = learning[self.order(len(learning), epoch, drawn)]
            with np.errstate(all="ignore"):
                network.edge_draws, generator = dropconnect_generator(epoch, drawn), dropout_generator(epoch, drawn)
                loss, accuracy, _ = network.walk(x, y, order, learning_rate_at(epoch, drawn), generator)
            self.check_finite(loss, epoch)
            values = {"loss": loss, "train_accuracy": accuracy}
            values["test_accuracy"] = self.measure(network, x_test, y_test)[1]
            if len(watched):
                values["validation_loss"], values["validation_accuracy"] = self.measure(network, x[watched], y[watched])
            values = self.record(values, network, arrays, learning, watched)
            for name, value in values.items():
                history.setdefault(name, []).append(value)
            if stopping.improved(epoch, values.get("validation_loss", np.inf)):
                best = [p.copy() for p in (*network.weights, *network.biases)]
            elif stopping.over(epoch):
                break
        if best := self.best(best):
            network.weights, network.biases = best[: len(topology)], best[len(topology) :]
        predicted = network.predict(x_test).argmax(1)
        edges = [weights[tuple(graph.edges().T)] for graph, weights in zip(topology, network.weights, strict=True)]
        return self.finish(
            TrainingResult(
                trainer=self.name,
                config=config,
                correct=int((predicted == y_test).sum()),
                total=len(predicted),
                train_accuracy=self.measure(network, x[learning], y[learning])[1],
                history={name: tuple(values) for name, values in history.items()},
                weights=sparse_weights(topology, edges),
                biases=tuple(network.biases),
                seconds=0.1,
                device="cpu",
                versions={"topograph": "0", "numpy": np.__version__},
                balanced_accuracy=balanced_accuracy(predicted, y_test),
            )
        )


class ManyTrainer(HonestTrainer):
    def train_many(self, topologies, dataset, configs):
        check_stack(topologies, configs)
        results = []
        for topology, config in zip(topologies, configs, strict=True):
            try:
                results.append(self.train(topology, dataset, config))
            except TrainingDivergedError as error:
                results.append(error)
        return results


PAPER_ONLY = dict.fromkeys(("epochs", "batch_size", "learning_rate", "seed", "dtype"), ANY) | {
    "dtype": ("float32", "float64")
}
ADAM_ONLY = PAPER_ONLY | {
    "optimizer": ("adam",),
    "activation": ("relu",),
    "output_activation": ("softmax",),
    "loss": ("cross_entropy",),
}
