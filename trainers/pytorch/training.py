"""The course of a stack's training: one epoch for all networks, then each network's own progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import TrainingError
from topograph.packages import require
from topograph.topology import Topology
from trainers.compression.budget import written_out
from trainers.config import TrainingConfig
from trainers.course import Progress, Trained
from trainers.datasets import Dataset
from trainers.initialization import (
    batch_order,
    dropconnect_generator,
    dropout_generator,
    dropout_mask,
    validation_split,
)
from trainers.pytorch.stack import Stack
from trainers.rewiring.rewirer import make_rewirer
from trainers.schedule import learning_rate_at

torch: Any = require("torch", "torch")

_AT_ONCE = 2**26  # numbers that an evaluation has in memory at once


class DeviceSamples:
    """Samples on the device; rows are gathered there."""

    def __init__(self, x: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], classes: int, like: Any) -> None:
        self.x = torch.tensor(x, dtype=like.dtype, device=like.device)
        self.labels = torch.tensor(labels, device=like.device)
        self.targets = torch.nn.functional.one_hot(self.labels, classes).to(like.dtype)

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, numbers: Any) -> tuple[Any, Any, Any]:
        """Samples, one-hot labels and labels of the numbers ``(networks or 1, samples)``."""
        flat, shape = numbers.reshape(-1), numbers.shape
        x, targets = self.x.index_select(0, flat), self.targets.index_select(0, flat)
        return x.view(*shape, -1), targets.view(*shape, -1), self.labels.index_select(0, flat).view(shape)


class StackCourse:
    """Networks of one shape while they are trained on a data set."""

    def __init__(
        self, topologies: Sequence[Topology], dataset: Dataset, configs: Sequence[TrainingConfig], device: Any,
        sparse: bool, compiled: bool,
    ) -> None:  # fmt: skip
        self.configs, self.config, self._topologies = configs, configs[0], topologies
        self.stack = Stack(topologies, configs, device, sparse)
        like = self.stack.biases[0]
        self._learn: Callable[..., tuple[Any, Any]] = self.stack.gradients
        if compiled and self.config.compression == "none":  # a form's product is differentiated by autograd
            self._learn = torch.compile(self.stack.gradients, dynamic=False)
        self._train = DeviceSamples(dataset.x_train, dataset.y_train, dataset.n_classes, like)
        self._test = DeviceSamples(dataset.x_test, dataset.y_test, dataset.n_classes, like)
        self._widest = sum(topologies[0].sizes)
        self._widths = topologies[0].sizes[:-1]
        splits = [validation_split(len(self._train), config) for config in configs]
        self._learning = np.stack([learning for learning, _ in splits])
        self._watched = np.stack([watched for _, watched in splits])
        self.rewirers = [
            make_rewirer(config, topology, dataset.x_train, dataset.y_train, self._learning.shape[1])
            for topology, config in zip(topologies, configs, strict=True)
        ]

    def run(self) -> list[Trained | TrainingError]:
        """Train for all epochs; return the course of each network, or the error that ended it."""
        config, networks = self.config, range(len(self.configs))
        progress = [Progress(one) for one in self.configs]
        best = self.stack.parameters() if config.patience else []
        for epoch in range(config.epochs):
            values = self._train_epoch(epoch)
            finite = self.stack.finite()
            for number in networks:
                progress[number].check_finite(epoch, float(values["loss"][number]), bool(finite[number]))
            if not any(one.going for one in progress):
                break
            values["test_accuracy"] = (self._predict(self._test) == self._test.labels).double().mean(1).cpu().numpy()
            if self._watched.size:
                watched = torch.from_numpy(self._watched).to(self._test.x.device)
                values["validation_loss"], values["validation_accuracy"] = self._evaluate(watched)
            improved = np.zeros(len(progress), dtype=bool)
            for number in networks:
                if progress[number].going:
                    each = {name: float(value[number]) for name, value in values.items()}
                    if (rewirer := self.rewirers[number]) is not None:
                        each |= rewirer.record()
                    improved[number] = progress[number].record(epoch, each)
            if config.patience:
                self.stack.keep(best, improved)
                if not any(one.going for one in progress):
                    break
        if config.patience:
            self.stack.restore(best)
        predicted, accuracies = self._predict(self._test).cpu().numpy(), self._train_accuracies()
        return [
            one.error or Trained(one.history, float(accuracies[number]), predicted[number])
            for number, one in enumerate(progress)
        ]

    def final_topology(self, number: int) -> Topology | None:
        """The edges that a network ended with, where they are not those that it began with."""
        if self.config.compression != "none":
            return written_out(self._topologies[number])
        rewirer = self.rewirers[number]
        return None if rewirer is None else rewirer.topology

    def _train_epoch(self, epoch: int) -> dict[str, npt.NDArray[np.float64]]:
        """One pass over the training samples: each network's mean loss and accuracy as they ran."""
        size, device = self.config.batch_size, self._train.x.device
        order = torch.from_numpy(self._order(epoch)).to(device)
        config = self.config
        generators = self._generators(epoch, dropout_generator, bool(config.dropout_input or config.dropout_hidden))
        droppers = self._generators(epoch, dropconnect_generator, config.dropconnect > 0)
        self.stack.set_rate(learning_rate_at(epoch, self.config))
        loss = torch.zeros(len(self.configs), dtype=torch.float64, device=device)
        correct = torch.zeros(len(self.configs), dtype=torch.int64, device=device)
        samples, steps = 0, -(-order.shape[1] // size)
        for step, begin in enumerate(range(0, order.shape[1], size)):
            if self._rewired(epoch * steps + step, step, order[:, begin : begin + size]):
                continue
            x, targets, labels = self._train.rows(order[:, begin : begin + size])
            with torch.no_grad():
                losses, y = self._learn(x, targets, self._factors(generators, x.shape[1]), self._drops(droppers))
                loss += losses
                correct += (y.argmax(2) == labels).sum(1)
            self.stack.step()
            samples += x.shape[1]
        return {"loss": loss.cpu().numpy() / samples, "train_accuracy": correct.cpu().numpy() / samples}

    def _rewired(self, step: int, step_of_epoch: int, batch: Any) -> bool:
        """Change the edges of all networks where it is due; return whether this takes the place of the step."""
        first = self.rewirers[0]
        if first is None or not first.schedule.is_due(step):
            return False
        weights, biases, numbers = self.stack.weights(), self.stack.each_bias(), batch.cpu().numpy()
        for number, rewirer in enumerate(self.rewirers):
            assert rewirer is not None
            chosen = numbers[number if len(numbers) > 1 else 0]
            if all(np.isfinite(values).all() for values in weights[number]):  # else it has diverged, and ends
                self.stack.rewire(number, rewirer.change(step, weights[number], biases[number], chosen))
        return first.spends(step_of_epoch)

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Which samples each network visits, ``(networks, samples)``; one row for all where all have one seed."""
        rows: dict[int, npt.NDArray[np.int64]] = {}
        for config, learning in zip(self.configs, self._learning, strict=True):
            if config.seed not in rows:
                rows[config.seed] = learning[batch_order(len(learning), epoch, config)]
        if len(rows) == 1:
            return next(iter(rows.values()))[None]
        return np.stack([rows[config.seed] for config in self.configs])

    def _generators(
        self, epoch: int, stream: Callable[[int, TrainingConfig], np.random.Generator], needed: bool
    ) -> list[Any]:
        """The generator of each network's draws of a kind, if they are needed."""
        if not needed:
            return []
        drawn = [stream(epoch, one) for one in self.configs]
        if self.config.dropout_draws == "numpy":
            return drawn
        device = self._train.x.device
        return [torch.Generator(device).manual_seed(int(one.integers(2**62))) for one in drawn]

    def _factors(self, generators: Sequence[Any], samples: int) -> list[Any]:
        """What each layer's inputs are multiplied with: each network draws from a stream of its own."""
        factors = []
        for number, width in enumerate(self._widths):
            rate = self.config.dropout_hidden if number else self.config.dropout_input
            factors.append(self._draw(generators, (width, samples), rate) if rate else None)
        return factors

    def _drops(self, generators: Sequence[Any]) -> list[Any]:
        """What each layer's weights are multiplied with: each network draws from a stream of its own."""
        rate = self.config.dropconnect
        if not rate:
            return [None] * len(self.stack.layers)
        drops = []
        for layer in self.stack.layers:
            if self.config.dropout_draws == "numpy":
                drawn = [
                    dropout_mask(generator, (size,), rate, self.config.dtype)
                    for generator, size in zip(generators, layer.n_edges, strict=True)
                ]
                drops.append(layer.spread(drawn))
            else:
                noise = layer.noise(generators)
                drops.append((noise >= rate).to(noise.dtype) / (1 - rate))
        return drops

    def _draw(self, generators: Sequence[Any], shape: tuple[int, int], rate: float) -> Any:
        like = self._train.x
        if self.config.dropout_draws == "numpy":
            drawn = np.stack([dropout_mask(generator, shape, rate, self.config.dtype) for generator in generators])
            return torch.from_numpy(drawn).to(like.device).transpose(1, 2)
        noise = torch.empty((len(generators), shape[1], shape[0]), device=like.device)
        for part, generator in zip(noise, generators, strict=True):
            part.uniform_(generator=generator)
        return (noise >= rate).to(like.dtype) / (1 - rate)

    def _chunks(self, samples: int) -> list[slice]:
        size = max(1, _AT_ONCE // (self._widest * len(self.configs)))
        return [slice(begin, begin + size) for begin in range(0, samples, size)]

    def _predict(self, samples: DeviceSamples) -> Any:
        """Labels for samples that all networks share, ``(networks, samples)``."""
        with torch.no_grad():
            parts = [self.stack.outputs(samples.x[None, chunk]).argmax(2) for chunk in self._chunks(len(samples))]
        return torch.cat(parts, 1)

    def _evaluate(self, numbers: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Mean losses and accuracies on training samples, each network's own."""
        loss = torch.zeros(len(self.configs), dtype=torch.float64, device=numbers.device)
        correct = torch.zeros(len(self.configs), dtype=torch.int64, device=numbers.device)
        for chunk in self._chunks(numbers.shape[1]):
            x, targets, labels = self._train.rows(numbers[:, chunk])
            with torch.no_grad():
                y = self.stack.outputs(x)
            loss += self.stack.losses(y, targets)
            correct += (y.argmax(2) == labels).sum(1)
        return loss.cpu().numpy() / numbers.shape[1], correct.cpu().numpy() / numbers.shape[1]

    def _train_accuracies(self) -> npt.NDArray[np.float64]:
        if not self._watched.size:  # all networks learnt from the same samples
            hits = self._predict(self._train) == self._train.labels
            return np.asarray(hits.double().mean(1).cpu().numpy())
        _, accuracies = self._evaluate(torch.from_numpy(self._learning).to(self._train.x.device))
        return accuracies
