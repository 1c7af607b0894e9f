"""`ModuleLearner`: a masked PyTorch model in training, with the settings of a `TrainingConfig`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.packages import require
from trainers.config import TrainingConfig
from trainers.course import Floats
from trainers.datasets import Dataset
from trainers.pruning.differentiable import DifferentiableNetwork
from trainers.pruning.edges import Keep, Scores
from trainers.pytorch.optimizer import make_optimizer, set_rate

torch: Any = require("torch", "torch")

_AT_ONCE = 1024  # samples per evaluated batch


class ModuleLearner:
    """A model of our own on some of its edges: gradients off the mask are 0, so weights and velocities stay 0 there.

    Parameters
    ----------
    network
        The model; it is trained in place.
    keep
        Its edges.
    state
        What an earlier learner's `state` gave; by default the weights that it has.
    dataset, config
        Data and settings. Dropout is the model's own, weight decay acts on tensors of two dimensions and more.
    """

    def __init__(
        self,
        network: DifferentiableNetwork,
        keep: Sequence[Keep],
        state: Sequence[Floats] | None,
        dataset: Dataset,
        config: TrainingConfig,
    ) -> None:
        self._network, self._dataset, self._config = network, dataset, config
        self._module = network.module
        network.keep(keep)
        if state is not None:
            self.set_parameters(state)
        self._masks = list(zip(network.tensors, network.kept, strict=True))
        parameters = list(self._module.parameters())
        matrices, vectors = ([p for p in parameters if (p.dim() > 1) is wide] for wide in (True, False))
        self._optimizer = make_optimizer(config, matrices, vectors, fused=None)

    def train_epoch(self, epoch: int, order: npt.NDArray[np.int64], rate: float) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        set_rate(self._optimizer, rate)
        self._module.train()
        summed, correct, size = 0.0, 0, self._config.batch_size
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(int(np.random.SeedSequence([self._config.seed, epoch]).generate_state(1)[0]))
            for begin in range(0, len(order), size):
                x, y = self._batch(order[begin : begin + size])
                outputs = self._network.outputs(x)
                loss = self._network.loss(outputs, y)
                self._optimizer.zero_grad()
                loss.backward()
                for tensor, mask in self._masks:
                    if tensor.grad is not None:
                        tensor.grad.mul_(mask)
                self._optimizer.step()
                summed += float(loss.detach()) * len(y)
                correct += int((outputs.argmax(1) == y).sum())
        return summed / len(order), correct / len(order)

    def evaluate(self, samples: npt.NDArray[np.int64]) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        summed, correct = 0.0, 0
        self._module.eval()
        with torch.no_grad():
            for begin in range(0, len(samples), _AT_ONCE):
                x, y = self._batch(samples[begin : begin + _AT_ONCE])
                outputs = self._network.outputs(x)
                summed += float(self._network.loss(outputs, y)) * len(y)
                correct += int((outputs.argmax(1) == y).sum())
        return summed / len(samples), correct / len(samples)

    def predict(self) -> npt.NDArray[np.int64]:
        """See `trainers.course.Learner`."""
        self._module.eval()
        labels, x_test = [], self._dataset.x_test
        with torch.no_grad():
            for begin in range(0, len(x_test), _AT_ONCE):
                part = x_test[begin : begin + _AT_ONCE]
                x, _ = self._network.batch(part, np.zeros(len(part), np.int64))
                labels.append(self._network.outputs(x).argmax(1).cpu().numpy())
        return np.concatenate(labels)

    def parameters(self) -> list[Any]:
        """Copies of everything in the model's state: weights, biases and statistics."""
        return [value.detach().cpu().numpy().copy() for value in self._module.state_dict().values()]

    def set_parameters(self, parameters: Sequence[Floats]) -> None:
        """Return to an earlier copy; the mask stays what it is now."""
        with torch.no_grad():
            for value, array in zip(self._module.state_dict().values(), parameters, strict=True):
                value.copy_(torch.from_numpy(np.array(array)))
            for tensor, mask in zip(self._network.tensors, self._network.kept, strict=True):
                tensor.mul_(mask)

    def edge_weights(self) -> list[Scores]:
        """See `trainers.pruning.learners.RewindableLearner`."""
        return self._network.at_edges(self._network.tensors)

    def state(self) -> list[Any]:
        """See `trainers.pruning.learners.RewindableLearner`."""
        return self.parameters()

    def _batch(self, numbers: npt.NDArray[np.int64]) -> tuple[Any, Any]:
        return self._network.batch(self._dataset.x_train[numbers], self._dataset.y_train[numbers])
