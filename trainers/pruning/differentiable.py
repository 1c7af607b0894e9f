"""`DifferentiableNetwork`: a copy of a PyTorch model whose weights are masked, scored and masked again.

Only what needs gradients imports this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidDatasetError, InvalidParameterError, TopographError
from topograph.packages import require
from trainers.pruning.edges import Keep, Scores
from trainers.pruning.layers import PrunableLayer

torch: Any = require("torch", "torch")


Loss = Callable[[Any, Any], Any]


class DifferentiableNetwork:
    """A PyTorch model of our own, with gradients at the edges of its layers.

    Parameters
    ----------
    module
        The model; it is changed, so it must be a copy.
    layers
        Its layers, with the names of their weights and the places of their edges.
    loss
        ``loss(outputs, labels)``, outputs before any softmax.
    input_shape
        Shape of one sample as the model takes it.
    """

    def __init__(self, module: Any, layers: Sequence[PrunableLayer], loss: Loss, input_shape: Sequence[int]) -> None:
        self.module, self.layers, self.loss, self.input_shape = module, tuple(layers), loss, tuple(input_shape)
        self._tensors = {layer.weight: weight_of(module, layer.weight) for layer in layers}
        self._originals = {name: tensor.detach().clone() for name, tensor in self._tensors.items()}
        self._kept = {name: torch.ones_like(tensor) for name, tensor in self._tensors.items()}
        self._like = next(iter(self._tensors.values()))
        self.keep([layer.candidates for layer in layers])

    def keep(self, keeps: Sequence[Keep]) -> None:
        """Multiply the original weights by the masks."""
        for layer, keep in zip(self.layers, keeps, strict=True):
            flat = self._kept[layer.weight].view(-1)
            flat[_index(layer, flat.device)] = torch.from_numpy(keep).to(flat.device, flat.dtype)
        with torch.no_grad():
            for name, tensor in self._tensors.items():
                tensor.copy_(self._originals[name] * self._kept[name])

    def use_magnitudes(self) -> None:
        """Replace all weights by their magnitudes, from now on."""
        with torch.no_grad():
            for parameter in self.module.parameters():
                parameter.abs_()
        for original in self._originals.values():
            original.abs_()

    def batch(self, x: npt.NDArray[Any], y: npt.NDArray[np.int64]) -> tuple[Any, Any]:
        """Samples and labels as the model takes them."""
        if math.prod(self.input_shape) != math.prod(x.shape[1:]):
            raise InvalidParameterError(
                f"input_shape={self.input_shape} holds {math.prod(self.input_shape)} numbers, but a sample has "
                f"{math.prod(x.shape[1:])}"
            )
        shaped = torch.from_numpy(np.array(x)).reshape(len(x), *self.input_shape)
        return shaped.to(self._like.device, self._like.dtype), torch.from_numpy(np.array(y)).to(self._like.device)

    def set_mode(self, normalisation: str) -> None:
        """No dropout; batch normalisation by the batch's own statistics, or by the running ones."""
        self.module.eval()
        if normalisation == "batch":
            for part in self.module.modules():
                if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
                    part.train()

    def outputs(self, x: Any) -> Any:
        """What the model gives for a batch.

        Raises
        ------
        InvalidDatasetError
            When the model does not take such samples.
        """
        with _errors_of_the_model(self.input_shape, len(x)):
            return self.module(x)

    def loss_of(self, x: Any, y: Any, temperature: float = 1.0) -> Any:
        """The loss over a batch, of outputs divided by a temperature.

        Raises
        ------
        InvalidDatasetError
        """
        outputs = self.outputs(x)
        if not isinstance(outputs, torch.Tensor):
            raise InvalidParameterError(
                f"the model must return one tensor, samples × classes, but returned a {type(outputs).__name__}; wrap "
                "it in a module that gives that tensor"
            )
        with _errors_of_the_model(self.input_shape, len(x), tuple(outputs.shape)):
            return self.loss(outputs / temperature, y)

    def gradients(self, value: Any, *, keep_graph: bool = False) -> list[Any]:
        """Derivatives of a number by each weight tensor; zeros where it does not depend on it."""
        tensors = list(self._tensors.values())
        found = torch.autograd.grad(value, tensors, create_graph=keep_graph, allow_unused=True)
        return [
            torch.zeros_like(tensor) if gradient is None else gradient
            for tensor, gradient in zip(tensors, found, strict=True)
        ]

    @property
    def tensors(self) -> list[Any]:
        """The weight tensors of the layers, each once."""
        return list(self._tensors.values())

    @property
    def kept(self) -> list[Any]:
        """The masks of the weight tensors, 0 or 1."""
        return list(self._kept.values())

    def at_edges(self, tensors: Sequence[Any]) -> list[Scores]:
        """Values laid out as the weight tensors, at the possible edges of each layer, flat, in float64."""
        by_name = dict(zip(self._tensors, tensors, strict=True))
        return [
            by_name[layer.weight].detach().reshape(-1)[_index(layer, by_name[layer.weight].device)]
            .to("cpu", torch.float64).numpy()
            for layer in self.layers
        ]  # fmt: skip

    def weights(self) -> list[Scores]:
        """The original weights at the possible edges of each layer, flat, in float64."""
        return self.at_edges(list(self._originals.values()))


def weight_of(module: Any, name: str) -> Any:
    """The parameter of a module by its dotted name."""
    path, _, weight = name.rpartition(".")
    return getattr(module.get_submodule(path), weight)


def _index(layer: PrunableLayer, device: Any) -> Any:
    return torch.from_numpy(layer.places).to(device)


@contextmanager
def _errors_of_the_model(
    input_shape: Sequence[int], samples: int, outputs: tuple[int, ...] | None = None
) -> Iterator[None]:
    try:
        yield
    except TopographError:
        raise
    except ValueError as error:
        if "more than 1 value per channel" in str(error):
            raise InvalidDatasetError(
                f"batch normalisation by the batch's own statistics needs more than {samples} sample: take more "
                "samples per class, or normalisation='running'"
            ) from error
        raise _refused(input_shape, samples, outputs, error) from error
    except Exception as error:  # of somebody else's model, any may come
        raise _refused(input_shape, samples, outputs, error) from error


def _refused(
    input_shape: Sequence[int], samples: int, outputs: tuple[int, ...] | None, error: Exception
) -> InvalidParameterError:
    words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if outputs is not None:
        return InvalidParameterError(
            f"the loss fails on outputs of shape {outputs}: {words}; the model must give one number for each class, or "
            "loss= must take what it gives"
        )
    return InvalidParameterError(
        f"the model fails on a batch of shape {(samples, *input_shape)}: {words}; say how it takes a sample with "
        "input_shape=, such as (1, 28, 28)"
    )
