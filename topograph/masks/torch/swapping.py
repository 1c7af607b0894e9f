"""Sparse layers of PyTorch in the place of dense ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph
from topograph.masks.live import Mask
from topograph.packages import require


def swap_layers(model: Any, masks: Mapping[str, Mask]) -> None:
    """Replace linear layers, by the names of their weights, by `topograph.torch.SparseLinear` with the same weights.

    A layer that stands in several places is replaced in all of them; one that is sparse already is rewired.

    Raises
    ------
    InvalidParameterError
        When a layer is not a ``torch.nn.Linear`` with a weight of its own, or is the model itself; the model is then
        unchanged.
    """
    from topograph.torch import SparseLinear

    modules = dict(model.named_modules(remove_duplicate=False))
    reasons = why_not_linear(model, (name.rpartition(".")[0] for name in masks))
    for name in masks:
        if reason := reasons[name.rpartition(".")[0]]:
            raise InvalidParameterError(
                f"{name} cannot become sparse: {reason}; leave it out, use sparse=False, or make a layer "
                "with topograph.torch.SparseLinear.from_linear"
            )
    replaced: dict[int, Any] = {}
    for name, mask in masks.items():
        layer, graph = modules[name.rpartition(".")[0]], BipartiteGraph.from_mask(mask.T)
        if is_sparse(layer):
            layer.rewire(graph)
        else:
            replaced[id(layer)] = SparseLinear.from_linear(layer, graph)
    replace_layers(model, replaced)


def replace_layers(model: Any, replaced: Mapping[int, Any]) -> None:
    """Put other modules in the place of a model's, by the ids of those that go, wherever they stand."""
    modules = dict(model.named_modules(remove_duplicate=False))
    for path, module in modules.items():
        if id(module) in replaced:
            parent, _, child = path.rpartition(".")
            setattr(modules[parent], child, replaced[id(module)])


def why_not_linear(model: Any, paths: Iterable[str]) -> dict[str, str]:
    """Why the modules at these paths cannot be replaced as linear layers; empty words where they can."""
    modules = dict(model.named_modules(remove_duplicate=False))
    users = _users(modules)
    return {path: _why_not(modules[path], model, users) for path in paths}


def is_sparse(layer: Any) -> bool:
    """Whether a module is a `topograph.torch.SparseLinear`, asked without importing it."""
    return any(
        f"{kind.__module__}.{kind.__name__}" == "topograph.torch.layer.SparseLinear" for kind in type(layer).__mro__
    )


def _users(modules: Mapping[str, Any]) -> dict[int, set[int]]:
    """The modules that hold each parameter."""
    users: dict[int, set[int]] = {}
    for module in modules.values():
        for parameter in module._parameters.values():
            if parameter is not None:
                users.setdefault(id(parameter), set()).add(id(module))
    return users


def _why_not(layer: Any, model: Any, users: Mapping[int, set[int]]) -> str:
    """Why a layer cannot be replaced; empty when it can."""
    nn, parametrize = require("torch.nn", "torch"), require("torch.nn.utils.parametrize", "torch")
    if is_sparse(layer):
        return ""
    steps = list(layer.parametrizations.weight) if parametrize.is_parametrized(layer, "weight") else []
    is_linear = type(layer) is nn.Linear or (
        isinstance(layer, nn.Linear) and steps and all(type(step).__name__ == "FixedMask" for step in steps)
    )
    if not is_linear:
        return f"it is a {type(layer).__name__}, not a torch.nn.Linear"
    if layer is model:
        return "it is the model itself"
    weight = layer.parametrizations.weight.original if steps else layer.weight
    if str(weight.layout) != "torch.strided":
        return f"its weight is a tensor of layout {weight.layout}, make it dense with to_dense() first"
    return "another module uses the same weight" if len(users.get(id(weight), ())) > 1 else ""
