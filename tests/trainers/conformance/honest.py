"""A trainer made of the reference network, with places where a test can break it."""

from __future__ import annotations

import numpy as np

from topograph.errors import TrainingDivergedError
from trainers import TrainingResult
from trainers.conformance.reference import DenseMasked
from trainers.initialization import batch_order, dropout_generator, validation_split
from trainers.protocol import ANY, EVERYTHING, check_offered, check_topology
from trainers.result import balanced_accuracy, sparse_weights
from trainers.schedule import learning_rate_at
from trainers.stopping import EarlyStopping


class HonestTrainer:
    name = "honest"
    network = DenseMasked
    offered = EVERYTHING

    def refuse(self, topology, dataset, config):
        check_offered(self.name, config, self.offered)
        check_topology(topology, dataset)

    def order(self, samples, epoch, config):
        return batch_order(samples, epoch, config)

    def drawn(self, config):
        """The config that everything is drawn by."""
        return config

    def check_finite(self, loss, epoch):
        if not np.isfinite(loss):
            raise TrainingDivergedError(f"epoch {epoch + 1}")

    def finish(self, result):
        return result

    def train(self, topology, dataset, config):
        self.refuse(topology, dataset, config)
        drawn = self.drawn(config)
        network, stopping = self.network(topology, drawn), EarlyStopping(config)
        learning, watched = validation_split(len(dataset.x_train), config)
        x, y, history, best = dataset.x_train, dataset.y_train, {}, None

        def hits(x, y):
            return float(np.mean(network.predict(x).argmax(1) == y))

        for epoch in range(config.epochs):
            order = learning[self.order(len(learning), epoch, drawn)]
            with np.errstate(all="ignore"):
                loss = network.walk(x, y, order, learning_rate_at(epoch, config), dropout_generator(epoch, drawn))
            self.check_finite(loss, epoch)
            values = {"loss": loss, "train_accuracy": hits(x, y), "test_accuracy": hits(dataset.x_test, dataset.y_test)}
            if len(watched):
                values["validation_loss"] = network.loss(x[watched], y[watched])[0]
                values["validation_accuracy"] = hits(x[watched], y[watched])
            for name, value in values.items():
                history.setdefault(name, []).append(value)
            if stopping.improved(epoch, values.get("validation_loss", np.inf)):
                best = [p.copy() for p in (*network.weights, *network.biases)]
            elif stopping.over(epoch):
                break
        if best:
            network.weights, network.biases = best[: len(topology)], best[len(topology) :]
        predicted = network.predict(dataset.x_test).argmax(1)
        edges = [weights[tuple(graph.edges().T)] for graph, weights in zip(topology, network.weights, strict=True)]
        return self.finish(
            TrainingResult(
                trainer=self.name,
                config=config,
                correct=int((predicted == dataset.y_test).sum()),
                total=len(predicted),
                train_accuracy=hits(x[learning], y[learning]),
                history={name: tuple(values) for name, values in history.items()},
                weights=sparse_weights(topology, edges),
                biases=tuple(network.biases),
                seconds=0.1,
                device="cpu",
                versions={"topograph": "0", "numpy": np.__version__},
                balanced_accuracy=balanced_accuracy(predicted, dataset.y_test),
            )
        )


class ManyTrainer(HonestTrainer):
    def train_many(self, topologies, dataset, configs):
        from trainers.protocol import check_stack

        check_stack(topologies, configs)
        found = []
        for topology, config in zip(topologies, configs, strict=True):
            try:
                found.append(self.train(topology, dataset, config))
            except TrainingDivergedError as error:
                found.append(error)
        return found


PAPER_ONLY = dict.fromkeys(("epochs", "batch_size", "learning_rate", "seed", "dtype"), ANY) | {
    "dtype": ("float32", "float64")
}
