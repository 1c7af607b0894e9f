"""`ModelNetwork`: a live PyTorch model as a `PrunableNetwork`. The caller's model is only read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError, InvalidParameterError
from topograph.masks.building import maskable_layers
from topograph.masks.live import kind_of
from topograph.masks.maskable import MaskableLayer
from topograph.masks.torch.copying import plain_copy
from topograph.packages import require
from trainers.pruning.differentiable import DifferentiableNetwork, Loss
from trainers.pruning.edges import Keep, Scores
from trainers.pruning.layers import PrunableLayer

torch: Any = require("torch", "torch")


class ModelNetwork:
    """The layers of a PyTorch model that can hold masks, as `topograph.load` names and reads them.

    Parameters
    ----------
    model
        The model; it is copied, and never changed.
    input_shape
        Shape of one sample as the model takes it.
    loss
        ``loss(outputs, labels)``; cross-entropy of the outputs by default.
    include, exclude
        Globs over layer names, as for `topograph.load`.

    Raises
    ------
    InvalidParameterError
        For what is not a PyTorch model, or cannot be copied.
    InvalidMaskError
        When it has no layer to prune.
    """

    def __init__(
        self,
        model: Any,
        input_shape: Sequence[int] = (),
        loss: Loss | None = None,
        include: Any = None,
        exclude: Any = None,
    ) -> None:
        kind = kind_of(model)
        if kind is None or kind.name != "torch":
            raise InvalidParameterError(
                f"a topology or a torch.nn.Module can be pruned, but got {type(model).__name__}"
            )
        if isinstance(model, torch.jit.ScriptModule):
            raise InvalidParameterError(
                f"a {type(model).__name__} of TorchScript is a finished program; prune the model that it was made from"
            )
        lazy = next((name for name, one in model.named_parameters() if torch.nn.parameter.is_lazy(one)), None)
        if lazy is not None:
            raise InvalidParameterError(f"{lazy} has no shape yet: run the lazy model once, then prune it")
        self._input_shape, self._loss = tuple(input_shape), loss or torch.nn.functional.cross_entropy
        layers, self.left_out = maskable_layers(model, include, exclude)
        self._module = plain_copy(model, "scores are taken")
        self.layers = tuple(PrunableLayer(layer.name, layer, _candidates(layer, model)) for layer in layers)

    @property
    def is_sequence(self) -> bool:
        """Whether PyTorch can trace the model to a sequence of operations of one input that nothing else reads."""
        try:
            nodes = torch.fx.symbolic_trace(self._module).graph.nodes
        except Exception:  # a model that cannot be traced is not known to be a sequence
            return False
        values = [node for node in nodes if node.op not in ("output", "get_attr")]
        inputs = [sum(isinstance(value, torch.fx.Node) for value in _leaves(node)) for node in values]
        owners = [layer.weight.rpartition(".")[0] for layer in self.layers]
        single = all(owners.count(node.target) <= 1 for node in values if node.op == "call_module")
        return single and max(inputs) <= 1 and all(len(node.users) == 1 for node in values)

    def weights(self) -> list[Scores]:
        """See `PrunableNetwork`."""
        return self.differentiable().weights()

    def differentiable(self, dtype: str | None = None) -> DifferentiableNetwork:
        """See `PrunableNetwork`."""
        module = copy.deepcopy(self._module)
        if dtype is not None:
            module = module.to(getattr(torch, dtype))
        module.requires_grad_(True)
        return DifferentiableNetwork(module, self.layers, self._loss, self._input_shape)


def _leaves(node: Any) -> list[Any]:
    """The arguments of an operation, out of their lists and tables."""
    found: list[Any] = []
    torch.fx.node.map_arg((node.args, node.kwargs), found.append)
    return found


def _candidates(layer: MaskableLayer, model: Any) -> Keep:
    """All possible edges of a plain weight; of one that has a mask, those that are not 0."""
    path, _, name = layer.weight.rpartition(".")
    owner = model.get_submodule(path)
    tensor: Any = getattr(owner, name, None)
    if not torch.is_tensor(tensor) or not tensor.is_floating_point():
        raise InvalidMaskError(f"{layer.name} does not hold real weights, which pruning needs; exclude it")
    if name in owner._parameters:
        return np.ones(layer.room, dtype=bool)
    there = (tensor.detach() != 0).cpu().numpy()
    return np.ascontiguousarray(layer.blocks(there)).ravel()
