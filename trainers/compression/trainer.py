"""`CompressedTrainer`: chains of compressed layers, trained by the contract's course."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.packages import require
from topograph.topology import Topology
from trainers.compression.compression import Floats, Form, get_compression, n_parameters
from trainers.config import LEAK, TrainingConfig
from trainers.course import run_course
from trainers.datasets import Dataset
from trainers.protocol import EVERYTHING, check_offered, check_topology
from trainers.result import TrainingResult

_NOT_OFFERED = ("dropout_input", "dropout_hidden", "dropout_draws", "fans")
_OFFERED = {name: values for name, values in EVERYTHING.items() if name not in _NOT_OFFERED}


class CompressedTrainer:
    """Replaces each sparse layer of a topology by a compressed one with as many parameters as the layer has edges.

    Dense layers stay dense. So a sparse topology and a compressed one are compared at equal budgets, on the same data,
    batches and course; the initial variance of every entry of a layer's matrix is that of `TrainingConfig` too. What
    each layer really has is `parameters`; the weights of a result are the matrices written out, on a dense topology.

    Parameters
    ----------
    compression
        Name of a compression.

    Examples
    --------
    >>> from trainers import load_dataset
    >>> topology = Topology.build(["random_regular", "dense"], [64, 30, 10], [6, 10], seed=0)
    >>> CompressedTrainer("low_rank").parameters(topology)
    (376, 300)
    """

    def __init__(self, compression: str) -> None:
        require("torch", "torch")
        self.compression = get_compression(compression)
        self.name = f"compressed_{compression}"

    def parameters(self, topology: Topology) -> tuple[int, ...]:
        """Number of weights that each layer really has."""
        return tuple(
            graph.n_edges if form is None else n_parameters(form)
            for graph, form in zip(topology, self.forms(topology, 0), strict=True)
        )

    def forms(self, topology: Topology, seed: int) -> tuple[Form | None, ...]:
        """The form of each layer; None for a dense one.

        Raises
        ------
        InvalidParameterError
            When a layer has fewer edges than the form's fewest parameters.
        """
        return tuple(
            None
            if graph.density == 1
            else self.compression.build(graph.n_left, graph.n_right, graph.n_edges, seed=seed + number)
            for number, graph in enumerate(topology)
        )

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`.

        Raises
        ------
        UnsupportedSettingError, TopologyMismatchError, InvalidParameterError, TrainingDivergedError
        """
        check_offered(self.name, config, _OFFERED)
        check_topology(topology, dataset)
        started = time.perf_counter()
        learner = _Learner(self.forms(topology, config.seed), topology, dataset, config)
        trained = run_course(learner, config, len(dataset.y_train), dataset.y_test)
        return trained.to_result(
            self.name,
            Topology([np.ones(graph.shape, dtype=bool) for graph in topology]),
            dataset,
            config,
            weights=[matrix.ravel() for matrix in learner.matrices()],
            biases=learner.biases(),
            seconds=time.perf_counter() - started,
            device="cpu",
            packages=("numpy", "torch"),
        )


class _Dense:
    """The form of a dense layer."""

    def __init__(self, n: int, m: int) -> None:
        self.shapes = ((n, m),)

    def initial(self, variance: float, generator: np.random.Generator) -> list[Floats]:
        return [np.sqrt(variance) * generator.standard_normal(self.shapes[0])]

    def dense(self, parameters: Sequence[Any]) -> Any:
        return parameters[0]

    def product(self, x: Any, parameters: Sequence[Any]) -> Any:
        return x @ parameters[0]


class _Learner:
    """A network of forms with its data; gradients by PyTorch, steps by the contract's formulas."""

    def __init__(
        self, forms: Sequence[Form | None], topology: Topology, dataset: Dataset, config: TrainingConfig
    ) -> None:
        self._torch, self._config = require("torch", "torch"), config
        torch = self._torch
        self._forms: list[Form] = [form or _Dense(*graph.shape) for form, graph in zip(forms, topology, strict=True)]
        self._layers: list[list[Any]] = []
        for number, (form, graph) in enumerate(zip(self._forms, topology, strict=True)):
            generator = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(4, number)))
            values = form.initial(entry_variance(graph.n_left, graph.n_right, config), generator)
            self._layers.append([self._tensor(array).requires_grad_() for array in values])
        self._biases = [self._tensor(np.zeros(m)).requires_grad_() for m in topology.sizes[1:]]
        self._memory = [[torch.zeros_like(p), torch.zeros_like(p)] for p in self._all()]
        self._steps = 0
        self._x, self._x_test = self._tensor(dataset.x_train), self._tensor(dataset.x_test)
        self._labels = torch.from_numpy(np.array(dataset.y_train))
        self._targets = torch.nn.functional.one_hot(self._labels, dataset.n_classes).to(self._x.dtype)

    def train_epoch(self, epoch: int, order: npt.NDArray[np.int64], rate: float) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        loss, hits, size = 0.0, 0, self._config.batch_size
        for begin in range(0, len(order), size):
            rows = self._torch.from_numpy(order[begin : begin + size])
            z = self._logits(self._x[rows])
            each = self._losses(z, self._targets[rows])
            trained = self._all() if self._config.bias else self._all()[: -len(self._biases)]
            self._step(self._torch.autograd.grad(each.mean(), trained), rate)
            loss += float(each.detach().double().sum())
            hits += int((z.argmax(1) == self._labels[rows]).sum())
        return loss / len(order), hits / len(order)

    def evaluate(self, samples: npt.NDArray[np.int64]) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        rows = self._torch.from_numpy(samples)
        with self._torch.no_grad():
            z = self._logits(self._x[rows])
            loss = self._losses(z, self._targets[rows]).double().mean()
        return float(loss), float((z.argmax(1) == self._labels[rows]).double().mean())

    def predict(self) -> npt.NDArray[np.int64]:
        """See `trainers.course.Learner`."""
        with self._torch.no_grad():
            return np.asarray(self._logits(self._x_test).argmax(1).numpy())

    def parameters(self) -> list[Floats]:
        """See `trainers.course.Learner`."""
        return [p.detach().numpy().copy() for p in self._all()]

    def set_parameters(self, parameters: Sequence[Floats]) -> None:
        """See `trainers.course.Learner`."""
        with self._torch.no_grad():
            for p, earlier in zip(self._all(), parameters, strict=True):
                p.copy_(self._tensor(earlier))

    def matrices(self) -> list[Floats]:
        """Each layer's matrix written out."""
        with self._torch.no_grad():
            layers = zip(self._forms, self._layers, strict=True)
            return [form.dense(parameters).numpy().copy() for form, parameters in layers]

    def biases(self) -> list[Floats]:
        """The biases of each layer."""
        return [bias.detach().numpy().copy() for bias in self._biases]

    def _all(self) -> list[Any]:
        return [p for layer in self._layers for p in layer] + self._biases

    def _tensor(self, array: npt.NDArray[Any]) -> Any:
        return self._torch.tensor(np.asarray(array), dtype=getattr(self._torch, self._config.dtype))

    def _logits(self, x: Any) -> Any:
        for number, (form, parameters, bias) in enumerate(zip(self._forms, self._layers, self._biases, strict=True)):
            x = form.product(x if number == 0 else self._activate(x, self._config.activation), parameters) + bias
        return x

    def _activate(self, z: Any, name: str) -> Any:
        if name == "softmax":
            return self._torch.softmax(z, 1)
        if name == "leaky_relu":
            return self._torch.nn.functional.leaky_relu(z, LEAK)
        return z if name == "linear" else getattr(self._torch, name)(z)

    def _losses(self, z: Any, targets: Any) -> Any:
        """One value per sample."""
        functional = self._torch.nn.functional
        if self._config.loss == "mse":
            return (self._activate(z, self._config.output_activation) - targets).square().mean(1)
        if self._config.output_activation == "softmax":
            return functional.cross_entropy(z, targets, reduction="none")
        return functional.binary_cross_entropy_with_logits(z, targets, reduction="none").sum(1)

    def _step(self, gradients: Sequence[Any], rate: float) -> None:
        """The formulas of `TrainingConfig`; weight decay acts on parameters, not on biases."""
        config, mu = self._config, self._config.momentum
        self._steps += 1
        weights = sum(len(layer) for layer in self._layers)
        with self._torch.no_grad():
            for number, (p, gradient, memory) in enumerate(zip(self._all(), gradients, self._memory, strict=False)):
                g = gradient + config.weight_decay * p if config.weight_decay and number < weights else gradient
                if config.optimizer == "adam":
                    memory[0].mul_(mu).add_(g, alpha=1 - mu)
                    memory[1].mul_(0.999).add_(g * g, alpha=1 - 0.999)
                    first = memory[0] / (1 - mu**self._steps)
                    p.sub_(rate * first / ((memory[1] / (1 - 0.999**self._steps)).sqrt() + 1e-8))
                else:
                    memory[0].mul_(mu).sub_(g, alpha=rate)
                    p.add_(mu * memory[0] - rate * g if config.nesterov else memory[0])


def entry_variance(n: int, m: int, config: TrainingConfig) -> float:
    """Variance of a dense layer's initial weights by ``config.initialization``.

    Examples
    --------
    >>> entry_variance(6, 4, TrainingConfig())
    0.2
    """
    return 2.0 / (n + m if config.initialization.startswith("glorot") else n)
