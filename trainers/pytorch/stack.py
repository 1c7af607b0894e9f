"""`Stack`: networks of one shape, all of whose steps are taken together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.packages import require
from topograph.topology import Topology
from trainers.compression.budget import compressed_layers
from trainers.config import LEAK, TrainingConfig
from trainers.initialization import initial_weights
from trainers.pytorch.compressed import CompressedLayer
from trainers.pytorch.layers import CsrLayer, MaskedLayer, SparseLayer, StackedLayer
from trainers.pytorch.losses import activate
from trainers.pytorch.optimizer import make_optimizer, set_rate
from trainers.rewiring.carried import Carried

torch: Any = require("torch", "torch")


class Stack:
    """Networks of one shape: each step is one product per layer for all of them.

    The derivatives are written out: there are few, and without autograd a step of a small network takes half the time.

    Parameters
    ----------
    topologies, configs
        Topology and settings of each network; the configs differ in nothing but their seeds.
    device
        Device of all arrays.
    sparse
        Whether layers hold their edges only, instead of dense arrays under masks.
    """

    def __init__(
        self, topologies: Sequence[Topology], configs: Sequence[TrainingConfig], device: Any, sparse: bool
    ) -> None:
        self.config, self._networks = configs[0], len(topologies)
        drawn = [initial_weights(topology, config) for topology, config in zip(topologies, configs, strict=True)]
        sparsely = SparseLayer if torch.device(device).type == "cpu" else CsrLayer
        kind: Callable[..., StackedLayer] = sparsely if sparse else MaskedLayer
        compressed = self._compressed(topologies, device)
        self.layers: list[StackedLayer] = [
            compressed.get(number)
            or kind([topology[number] for topology in topologies], [values[number] for values in drawn], device)
            for number in range(len(topologies[0]))
        ]
        dtype = self.layers[0].weights.dtype
        self.biases = [torch.zeros((len(topologies), m), dtype=dtype, device=device) for m in topologies[0].sizes[1:]]
        self._bias_gradients = [torch.empty_like(bias) for bias in self.biases]
        self._tiny, self._below_one = torch.finfo(dtype).tiny, 1 - torch.finfo(dtype).eps / 2
        self._optimizer = self._make_optimizer()

    def _compressed(self, topologies: Sequence[Topology], device: Any) -> dict[int, CompressedLayer]:
        """The layers that a compression replaces, by number."""
        if self.config.compression == "none":
            return {}
        (topology,) = topologies
        return {
            number: CompressedLayer(*layer, self.config.dtype, device)
            for number, layer in enumerate(compressed_layers(topology, self.config))
            if layer is not None
        }

    def _make_optimizer(self) -> Any:
        weights = [layer.weights for layer in self.layers]
        biases = self.biases if self.config.bias else []
        gradients = [layer.gradient for layer in self.layers] + (self._bias_gradients if self.config.bias else [])
        for parameter, gradient in zip(weights + biases, gradients, strict=True):
            parameter.requires_grad_()
            parameter.grad = gradient
        fused = self.biases[0].device.type in ("cpu", "cuda")
        return make_optimizer(self.config, weights, biases, fused)

    def set_rate(self, rate: float) -> None:
        """Set the step size."""
        set_rate(self._optimizer, rate)

    def gradients(self, x: Any, target: Any, factors: Sequence[Any], drops: Sequence[Any]) -> tuple[Any, Any]:
        """Gradients of the mean losses of a batch; returns the sums of the losses and the outputs.

        Parameters
        ----------
        x, target
            Samples and one-hot labels, ``(networks or 1, samples, …)``.
        factors
            What dropout multiplies each layer's inputs with; None where nothing is dropped.
        drops
            What DropConnect multiplies each layer's weights with, laid out as they are; likewise.
        """
        config, depth = self.config, len(self.layers)
        inputs, outputs = [], []
        y = x
        for number, (layer, bias) in enumerate(zip(self.layers, self.biases, strict=True)):
            factor = factors[number]
            y = y.expand(self._networks, -1, -1)
            inputs.append(y if factor is None else y * factor)
            y = activate(self._activation(number), layer.forward(inputs[-1], bias, drops[number], learning=True))
            outputs.append(y)
        difference = y - target
        delta = difference * (2 / (y.shape[1] * y.shape[2]) if config.loss == "mse" else 1 / y.shape[1])
        if config.loss == "mse":  # with cross-entropy the activation's derivative cancels against the loss's
            delta = _differentiate(self._activation(depth - 1), delta, y)
        for number in reversed(range(depth)):
            back = self.layers[number].backward(inputs[number], delta, number > 0, drops[number])
            torch.sum(delta, 1, out=self._bias_gradients[number])
            if number:
                factor = factors[number]
                delta = _differentiate(
                    self._activation(number - 1), back if factor is None else back * factor, outputs[number - 1]
                )
        return self.losses(y, target, difference), y

    def step(self) -> None:
        """Step against the gradients."""
        self._optimizer.step()

    def outputs(self, x: Any) -> Any:
        """Outputs for samples ``(networks or 1, samples, inputs)``."""
        y = x.expand(self._networks, -1, -1)
        for number, (layer, bias) in enumerate(zip(self.layers, self.biases, strict=True)):
            y = activate(self._activation(number), layer.forward(y, bias))
        return y

    def losses(self, y: Any, target: Any, difference: Any = None) -> Any:
        """Each network's sum of the samples' losses."""
        if self.config.loss == "mse":
            difference = y - target if difference is None else difference
            return difference.square().sum((1, 2), dtype=torch.float64) / y.shape[2]
        chosen = (y * target).sum(2).clamp_min(self._tiny).log().sum(1, dtype=torch.float64)
        if self.config.output_activation == "sigmoid":
            others = torch.log1p(-y.clamp_max(self._below_one)) * (1 - target)
            chosen = chosen + others.sum((1, 2), dtype=torch.float64)
        return -chosen

    def finite(self) -> npt.NDArray[np.bool_]:
        """Whether all weights and biases of each network are finite."""
        finite = torch.stack([torch.isfinite(bias).all(1) for bias in self.biases]).all(0).cpu().numpy()
        for layer in self.layers:
            if not torch.isfinite(layer.weights.sum()):  # rare: find the networks
                finite &= [bool(np.isfinite(values).all()) for values in layer.of_each(layer.weights)]
        return np.asarray(finite, dtype=bool)

    def parameters(self) -> list[Any]:
        """A copy of all weights and biases."""
        return [p.detach().clone() for p in (*(layer.weights for layer in self.layers), *self.biases)]

    def keep(self, kept: list[Any], chosen: npt.NDArray[np.bool_]) -> None:
        """Copy the weights and biases of the chosen networks into ``kept``, an earlier copy."""
        with torch.no_grad():
            for layer, copy in zip(self.layers, kept, strict=False):
                layer.keep(copy, layer.weights, chosen)
            for bias, copy in zip(self.biases, kept[len(self.layers) :], strict=True):
                for number in np.flatnonzero(chosen):
                    copy[number].copy_(bias[number])

    def restore(self, kept: list[Any]) -> None:
        """Go back to a copy."""
        with torch.no_grad():
            for p, copy in zip((*(layer.weights for layer in self.layers), *self.biases), kept, strict=True):
                p.copy_(copy)

    def rewire(self, number: int, carried: Sequence[Carried]) -> None:
        """Give network number ``number`` new edges; those that stay keep weight and memory, new ones begin without."""
        for layer, change in zip(self.layers, carried, strict=True):
            memory = [value for value in self._optimizer.state[layer.weights].values() if value.dim()]
            layer.rewire(number, change, memory)

    def weights(self) -> list[list[npt.NDArray[np.floating[Any]]]]:
        """The weights of each network's layers, in the order of ``graph.edges()``."""
        return [list(values) for values in zip(*(layer.of_each(layer.weights) for layer in self.layers), strict=True)]

    def n_parameters(self, number: int) -> tuple[int, ...]:
        """How many weights each layer of a network learns: its edges, or the parameters of its form."""
        return tuple(
            layer.weights.numel() if isinstance(layer, CompressedLayer) else layer.n_edges[number]
            for layer in self.layers
        )

    def each_bias(self) -> list[list[npt.NDArray[np.floating[Any]]]]:
        """The biases of each network's layers."""
        biases = [bias.detach().cpu().numpy() for bias in self.biases]
        return [[bias[number].copy() for bias in biases] for number in range(self._networks)]

    def memory(self) -> list[list[npt.NDArray[np.floating[Any]]]]:
        """The optimizer's memory of each layer's weights, as it is stored."""
        return [
            [value.cpu().numpy() for value in self._optimizer.state[layer.weights].values() if value.dim()]
            for layer in self.layers
        ]

    def _activation(self, number: int) -> str:
        last = number == len(self.layers) - 1
        return self.config.output_activation if last else self.config.activation


def _differentiate(name: str, delta: Any, y: Any) -> Any:
    """From the gradient at the values y to the one at the pre-activations."""
    if name == "softmax":
        return y * (delta - (delta * y).sum(-1, keepdim=True))
    if name == "sigmoid":
        return torch.ops.aten.sigmoid_backward(delta, y)
    if name == "tanh":
        return torch.ops.aten.tanh_backward(delta, y)
    if name == "relu":
        return torch.ops.aten.threshold_backward(delta, y, 0)
    if name == "leaky_relu":
        return torch.ops.aten.leaky_relu_backward(delta, y, LEAK, True)
    return delta
