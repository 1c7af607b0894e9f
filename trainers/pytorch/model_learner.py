"""`ModelLearner`: a PyTorch model with its data while it trains on the edges of masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidModelError, TopographError
from topograph.packages import require
from trainers.config import TrainingConfig
from trainers.course import Floats
from trainers.datasets import Dataset
from trainers.pytorch.compressed_model import CompressedModel
from trainers.pytorch.losses import make_loss
from trainers.pytorch.masked_model import MaskedModel
from trainers.pytorch.optimizer import make_optimizer, set_rate

torch: Any = require("torch", "torch")

_AT_ONCE = 1024  # samples per evaluated batch


class ModelLearner:
    """A model on some of its edges, as `trainers.course` asks for it.

    Parameters
    ----------
    model
        The model with its masks; it is trained in place.
    dataset, config
        Data and settings.
    device
        Where it trains.
    """

    def __init__(
        self, model: MaskedModel | CompressedModel, dataset: Dataset, config: TrainingConfig, device: Any
    ) -> None:
        self._model, self._module, self._config, self._device = model, model.module, config, device
        dtype = getattr(torch, config.dtype)
        self._x, self._x_test = (
            torch.tensor(x, dtype=dtype, device=device).reshape(-1, *dataset.shape)
            for x in (dataset.x_train, dataset.x_test)
        )
        self._labels = torch.tensor(dataset.y_train, device=device)
        self._loss = make_loss(config, dataset.n_classes)
        self._parameters = [one for one in self._module.parameters() if one.requires_grad]
        decayed = {id(one) for one in model.decayed()}
        matrices, vectors = ([p for p in self._parameters if (id(p) in decayed) is yes] for yes in (True, False))
        self.optimizer = make_optimizer(config, matrices, vectors, fused=device.type in ("cpu", "cuda"))

    def train_epoch(self, epoch: int, order: npt.NDArray[np.int64], rate: float) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        set_rate(self.optimizer, rate)
        self._module.train()
        size = self._config.batch_size
        numbers = torch.from_numpy(order).to(self._device)
        summed = torch.zeros((), dtype=torch.float64, device=self._device)
        correct = torch.zeros((), dtype=torch.int64, device=self._device)
        seed = int(np.random.SeedSequence([self._config.seed, epoch]).generate_state(1)[0])
        with self._errors(), seeded(self._device, seed), torch.enable_grad():
            for begin in range(0, len(order), size):
                batch = numbers[begin : begin + size]
                labels = self._labels[batch]
                loss, scores = self._loss(self._module(self._x[batch]), labels)
                self.optimizer.zero_grad()
                loss.backward()
                if self._model.mask_gradients(self.optimizer):
                    if self._config.clip_norm:
                        clip_gradients(self._parameters, self._config.clip_norm)
                    self.optimizer.step()
                summed += loss.detach() * len(batch)
                correct += (scores.argmax(1) == labels).sum()
        return float(summed) / len(order), int(correct) / len(order)

    def evaluate(self, samples: npt.NDArray[np.int64]) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        numbers = torch.from_numpy(samples).to(self._device)
        summed = torch.zeros((), dtype=torch.float64, device=self._device)
        correct = torch.zeros((), dtype=torch.int64, device=self._device)
        for batch in numbers.split(_AT_ONCE):
            labels = self._labels[batch]
            loss, scores = self._loss(self._outputs(self._x[batch]), labels)
            summed += loss * len(batch)
            correct += (scores.argmax(1) == labels).sum()
        return float(summed) / len(samples), int(correct) / len(samples)

    def predict(self) -> npt.NDArray[np.int64]:
        """See `trainers.course.Learner`."""
        none = self._labels[:1]
        labels = [
            self._loss(z, none.expand(len(z)))[1].argmax(1)
            for z in (self._outputs(x) for x in self._x_test.split(_AT_ONCE))
        ]
        return np.asarray(torch.cat(labels).cpu().numpy())

    def parameters(self) -> list[Any]:
        """Copies of everything in the model's state: weights, biases and statistics."""
        return [value.detach().cpu().numpy().copy() for value in self._module.state_dict().values()]

    def set_parameters(self, parameters: Sequence[Floats]) -> None:
        """See `trainers.course.Learner`."""
        with torch.no_grad():
            for value, array in zip(self._module.state_dict().values(), parameters, strict=True):
                value.copy_(torch.from_numpy(np.array(array)))

    def _outputs(self, x: Any) -> Any:
        self._module.eval()
        with self._errors(), seeded(self._device, self._config.seed), torch.no_grad():  # some draw here, too
            return self._module(x)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (TopographError, MemoryError):
            raise
        except Exception as error:  # of anybody's model, any may come
            raise InvalidModelError(
                f"the model {self._model.label} failed while it trained on samples of "
                f"shape {tuple(self._x.shape[1:])}: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            ) from error


def clip_gradients(parameters: Sequence[Any], longest: float) -> None:
    """Shorten the gradient of all parameters together to a Euclidean norm.

    PyTorch's own adds 10⁻⁶ to the norm.
    """
    gradients = [one.grad for one in parameters if one.grad is not None]
    factor = (longest / torch.nn.utils.get_total_norm(gradients)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)


@contextmanager
def seeded(device: Any, seed: int) -> Iterator[None]:
    """Draw from a seed, and choose algorithms that give the same bits; afterwards all is as it was."""
    cuda = device.type == "cuda"
    with (
        torch.random.fork_rng(devices=[device] if cuda else []),
        torch.backends.cudnn.flags(
            enabled=torch.backends.cudnn.enabled,
            benchmark=False,
            deterministic=True,
            allow_tf32=torch.backends.cudnn.allow_tf32,
        ),
    ):
        torch.random.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
