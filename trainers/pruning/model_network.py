"""`ModelNetwork`: a live PyTorch model as a `PrunableNetwork`. The caller's model is only read."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError, InvalidParameterError
from topograph.masks.live import kind_of
from topograph.masks.options import Reading
from topograph.masks.source import Entry
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
        self._input_shape, self._loss = tuple(input_shape), loss or torch.nn.functional.cross_entropy
        reading = Reading(include=include, exclude=exclude)
        entries = [
            entry for entry in kind.source(model).entries
            if entry.read is not None and not reading.verdict(entry.name, entry.reason or entry.doubt)
        ]  # fmt: skip
        self.left_out = {
            entry.name: reading.verdict(entry.name, entry.reason or entry.doubt)
            for entry in kind.source(model).entries
            if entry not in entries
        }
        if not entries:
            shown = "; ".join(f"{name} ({reason})" for name, reason in [*self.left_out.items()][:8])
            raise InvalidMaskError(f"{type(model).__name__} has no layer to prune: {shown or 'it has no weights'}")
        self._module = _plain_copy(model)
        self.layers = tuple(_layer(entry, model) for entry in entries)

    @property
    def is_sequence(self) -> bool:
        """Whether PyTorch can trace the model to a sequence of operations, each of one input that nothing else reads."""
        try:
            nodes = torch.fx.symbolic_trace(self._module).graph.nodes
        except Exception:  # a model that cannot be traced is not known to be a sequence
            return False
        values = [node for node in nodes if node.op not in ("output", "get_attr")]
        return all(len(node.users) == 1 and len(node.all_input_nodes) <= 1 for node in values)

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


def _plain_copy(model: Any) -> Any:
    """A copy whose masked and parametrized weights are plain parameters."""
    parametrize, prune = require("torch.nn.utils.parametrize", "torch"), require("torch.nn.utils.prune", "torch")
    try:
        module = copy.deepcopy(model)
        for part in list(module.modules()):
            if parametrize.is_parametrized(part):
                for name in list(part.parametrizations):
                    parametrize.remove_parametrizations(part, name)
            for hook in list(part._forward_pre_hooks.values()):
                if isinstance(hook, prune.BasePruningMethod):
                    prune.remove(part, hook._tensor_name)
    except Exception as error:  # of somebody else's model, any may come
        raise InvalidParameterError(
            f"{type(model).__name__} cannot be copied ({type(error).__name__}: {str(error)[:200]}); scores are taken on "
            "a copy, so that the model stays as it is: give it before a forward pass, or a fresh one"
        ) from error
    return module


def _layer(entry: Entry, model: Any) -> PrunableLayer:
    assert entry.read is not None
    if entry.layout is None:
        raise InvalidMaskError(f"{entry.name} has only edges, but pruning needs weights; exclude it")
    values = np.asarray(entry.read())
    if values.dtype.kind != "f":
        raise InvalidMaskError(f"{entry.name} holds {values.dtype}, but pruning needs real weights; exclude it")
    blocks = entry.layout.blocks(values)
    places = entry.layout.blocks(np.arange(values.size).reshape(values.shape))
    groups, inputs, taps, outputs = blocks.shape
    size = entry.layout.kernel_size(values.shape)
    kernel = None if not size else (size[0], math.prod(size[1:]))
    weight = entry.name.split(":")[0]
    return PrunableLayer(
        entry.name,
        (groups, inputs, taps, outputs),
        _candidates(blocks, weight, model),
        kernel,
        weight,
        np.ascontiguousarray(places),
        entry.layout.words,
    )


def _candidates(blocks: npt.NDArray[Any], weight: str, model: Any) -> Keep:
    """All possible edges of a plain weight; of one that has a mask, those that are not 0."""
    path, _, name = weight.rpartition(".")
    owner = model.get_submodule(path)
    if name in owner._parameters:
        return np.ones(blocks.size, dtype=bool)
    return np.asarray(blocks != 0).ravel()
