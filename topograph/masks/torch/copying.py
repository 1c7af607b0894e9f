"""`plain_copy`: a copy of a PyTorch model whose weights are plain parameters."""

from __future__ import annotations

import copy
from typing import Any

from topograph.errors import InvalidParameterError
from topograph.packages import require


def plain_copy(model: Any, purpose: str) -> Any:
    """A copy whose masked and parametrized weights are plain parameters; the model stays as it is.

    Parameters
    ----------
    model
        A ``torch.nn.Module``.
    purpose
        What is done on the copy, for the message, such as ``"scores are taken"``.

    Raises
    ------
    InvalidParameterError
        For a model that cannot be copied.
    """
    torch, parametrize = require("torch", "torch"), require("torch.nn.utils.parametrize", "torch")
    prune = require("torch.nn.utils.prune", "torch")
    try:
        module = copy.deepcopy(model, _computed_tensors(model, torch))
        for part in list(module.modules()):
            if parametrize.is_parametrized(part):
                _make_plain(part, torch)
            for hook in list(part._forward_pre_hooks.values()):
                if isinstance(hook, prune.BasePruningMethod):
                    prune.remove(part, hook._tensor_name)
    except Exception as error:  # of somebody else's model, any may come
        raise InvalidParameterError(
            f"{type(model).__name__} cannot be copied ({type(error).__name__}: {str(error)[:200]}); {purpose} on a "
            "copy, so that the model stays as it is: give it before a forward pass, or a fresh one"
        ) from error
    return module


def _computed_tensors(model: Any, torch: Any) -> dict[int, Any]:
    """By id: plain copies of tensors that modules computed and keep, such as pruned weights."""
    kept = [value for part in model.modules() for value in vars(part).values()]
    kept += [item for value in kept if isinstance(value, list) for item in value]
    tensors = (value for value in kept if isinstance(value, torch.Tensor) and not value.is_leaf)
    return {id(tensor): tensor.detach().clone() for tensor in tensors}


def _make_plain(part: Any, torch: Any) -> None:
    """Replace all parametrizations of a copied module by their values.

    PyTorch's own function removes properties from the class, which the copy shares with the caller's module.
    """
    values = {name: getattr(part, name).detach().clone() for name in part.parametrizations}
    part.__class__ = type(part).__bases__[0]
    del part._modules["parametrizations"]
    for name, value in values.items():
        part.register_parameter(name, torch.nn.Parameter(value))
    if isinstance(part, torch.nn.RNNBase):
        part._flat_weights = [getattr(part, name) for name in part._flat_weights_names]
