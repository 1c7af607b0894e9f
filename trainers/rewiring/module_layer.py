"""`ModuleLayer`: one masked layer of a PyTorch model, whose edges are read and changed in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from topograph.errors import InvalidParameterError, UnsupportedSettingError
from topograph.graph import BipartiteGraph
from topograph.masks.applying import apply_masks, find_named_layers
from topograph.masks.live import kind_of
from topograph.masks.maskable import MaskableLayer
from topograph.masks.torch.masking import masks_on
from topograph.packages import require
from trainers.rewiring.carried import Carried
from trainers.rewiring.layer import Floats, Integers, edge_numbers

torch: Any = require("torch", "torch")


def put_on(model: Any, masks: Mapping[str, BipartiteGraph]) -> dict[str, ModuleLayer]:
    """Put masks on a model; the layers whose edges they are, by the names in ``masks``."""
    kind = kind_of(model)
    assert kind is not None
    found = find_named_layers(masks, kind.source(model))
    for name, layer in found.items():
        if masks[name].shape != (layer.n_left, layer.n_right) and masks[name].n_left == layer.groups * layer.inputs:
            raise UnsupportedSettingError(
                f"{name}: its mask is a graph of {masks[name].n_left} × {layer.n_right} channels, each edge of which "
                f"keeps every tap, but rules move single weights: give the graph of the kernel, {layer.n_left} × "
                f"{layer.n_right}"
            )
    apply_masks(masks, model)
    return {name: ModuleLayer(model, name, layer, masks[name]) for name, layer in found.items()}


class ModuleLayer:
    """One layer: a weight of a model that holds a mask, or its gate or head.

    Parameters
    ----------
    model
        The model, with its masks.
    name
        Name of the layer, for messages.
    layer
        Where its edges lie in the tensor.
    graph
        Its edges, for the names of its neurons.
    """

    def __init__(self, model: Any, name: str, layer: MaskableLayer, graph: BipartiteGraph) -> None:
        self.name, self._layer = name, layer
        self._labels = graph.left_labels, graph.right_labels
        self._twins = masks_on(model, layer.weight)
        self._steps = [step for step, _ in self._twins]
        self._parameters = list({id(parameter): parameter for _, parameter in self._twins}.values())

    @property
    def groups(self) -> int:
        """Number of groups, which no edge joins."""
        return self._layer.groups

    @property
    def fan_in(self) -> int:
        """Number of weights into an output of the dense layer."""
        return self._layer.inputs * self._layer.taps

    @property
    def fan_out(self) -> int:
        """Number of weights out of an input channel of the dense layer."""
        return self._layer.outputs * self._layer.taps

    def graph(self) -> BipartiteGraph:
        """The edges that the model has now."""
        plain = self._layer.graph_of(self._steps[0].mask.cpu().numpy())
        labels = self._labels
        if labels == (None, None):
            return plain
        return BipartiteGraph(plain.n_left, plain.n_right, plain.indptr, plain.indices, *labels)

    def weights(self, graph: BipartiteGraph) -> Floats:
        """Weights of the edges of a graph, in its order."""
        return self._numbers(self._parameters[0], edge_numbers(graph))

    def edge_gradient(self, graph: BipartiteGraph) -> Floats | None:
        """∂L/∂θ of the edges of a graph, in its order; None where the batch did not reach the layer."""
        return self._gradient(edge_numbers(graph))

    def dense_gradient(self) -> Floats | None:
        """∂L/∂θ of all pairs, inputs × outputs, 0 between groups; it needs to have been let through."""
        layer = self._layer
        pairs = np.arange(layer.n_left * layer.n_right).reshape(layer.n_left, layer.n_right)
        if layer.groups == 1:
            values = self._gradient(pairs.ravel())
            return None if values is None else values.reshape(pairs.shape)
        group = np.arange(layer.n_left) // self.fan_in
        inside = group[:, None] == np.arange(layer.n_right) // layer.outputs
        values = self._gradient(pairs[inside])
        if values is None:
            return None
        whole = np.zeros(pairs.shape, dtype=values.dtype)
        whole[inside] = values
        return whole

    def open(self, opens: bool) -> None:
        """Let gradients of pairs without an edge through the mask, or not."""
        for step in self._steps:
            step.passes_gradient = opens

    def carry(self, carried: Carried, optimizers: Sequence[Any]) -> None:
        """Go over to new edges, in place; gradients and what optimizers remember are 0 at those that go or come."""
        before = edge_numbers(self.graph())
        after = edge_numbers(carried.graph)
        new = carried.source < 0
        grown, dropped = after[new], np.setdiff1d(before, after, assume_unique=True)
        gone, come = self._index(dropped), self._index(grown)
        with torch.no_grad():
            for mask in {id(step.mask): step.mask for step in self._steps}.values():
                mask[gone] = False
                mask[come] = True
            fresh = torch.from_numpy(np.array(carried.fresh[new]))
            for parameter in self._parameters:
                parameter[gone] = 0
                parameter[come] = fresh.to(parameter.device, parameter.dtype)
                for memory in (value for optimizer in optimizers for _, value in _memories(optimizer, parameter)):
                    memory[gone] = memory[come] = 0
                if parameter.grad is not None:
                    parameter.grad[come] = 0
            self.mask_gradient()

    def mask_gradient(self) -> None:
        """Set the gradient to 0 where there is no edge."""
        for step, parameter in self._twins:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(~step.mask, 0)

    def check_optimizers(self, optimizers: Sequence[Any]) -> None:
        """Refuse optimizers that do not train the layer, or remember more than one number per weight.

        Raises
        ------
        InvalidParameterError
        """
        trained = {id(one) for optimizer in optimizers for group in optimizer.param_groups for one in group["params"]}
        for parameter in self._parameters:
            if id(parameter) not in trained:
                raise InvalidParameterError(
                    f"no optimizer that step got trains {self.name}; give all that train masked weights, made of this "
                    "model's parameters, or leave the layer out of the masks"
                )
            for optimizer in optimizers:
                for name, value in _memories(optimizer, parameter):
                    if value.shape != parameter.shape:
                        raise InvalidParameterError(
                            f"{type(optimizer).__name__} remembers {name} of shape {tuple(value.shape)} for "
                            f"{self.name}, which has shape {tuple(parameter.shape)}, so it cannot forget single edges; "
                            "use one that remembers numbers per weight, such as SGD, Adam or RMSprop"
                        )

    def _index(self, pairs: Integers) -> tuple[Any, ...]:
        """Pairs, as input · n_right + output, as an index of the tensor."""
        inputs, outputs = np.divmod(pairs, self._layer.n_right)
        places = self._layer.places[inputs, outputs % self._layer.outputs]
        device = self._parameters[0].device
        return tuple(torch.from_numpy(axis).to(device) for axis in np.unravel_index(places, self._layer.shape))

    def _gradient(self, pairs: Integers) -> Floats | None:
        gradients = [one.grad for one in self._parameters if one.grad is not None]
        if not gradients:
            return None
        return np.asarray(sum(self._numbers(gradient, pairs) for gradient in gradients))

    def _numbers(self, tensor: Any, pairs: Integers) -> Floats:
        values = tensor.detach()[self._index(pairs)].cpu()
        return np.asarray((values if values.dtype == torch.float64 else values.float()).numpy())


def _memories(optimizer: Any, parameter: Any) -> list[tuple[str, Any]]:
    """The tensors, of more than one number, that an optimizer remembers of a parameter."""
    state = optimizer.state.get(parameter, {})
    return [(name, value) for name, value in state.items() if torch.is_tensor(value) and value.numel() > 1]
