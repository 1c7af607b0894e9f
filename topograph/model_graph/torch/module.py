"""`trace_module`: a live `torch.nn.Module` and the tensors of its masked weights."""

from __future__ import annotations

from typing import Any

from topograph.errors import UnsupportedModelError
from topograph.masks.torch.swapping import is_sparse
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.torch.tracing import trace_model
from topograph.model_graph.weights import ModelWeights
from topograph.packages import require

_parametrize: Any = require("torch.nn.utils.parametrize", "torch")
torch: Any = require("torch", "torch")


def trace_module(model: Any, example: Any, weights: ModelWeights) -> NetworkGraph:
    """The graph of a module; see `trace_model`."""
    _check_readable(model)
    with torch.no_grad(), _parametrize.cached():  # so that a computed weight stays where it was found
        tensors = {}
        for name in weights.tensors:
            path, _, weight = name.rpartition(".")
            owner = model.get_submodule(path)
            if not is_sparse(owner):
                original = owner._parameters.get(f"{weight}_orig")  # of a module that is pruned
                tensors[name] = getattr(owner, weight) if original is None else original
        return trace_model(model, example, weights, tensors)


def _check_readable(model: Any) -> None:
    """Refuse a module whose operations or weights cannot be followed, before it is run."""
    if isinstance(model, torch.jit.ScriptModule):
        raise UnsupportedModelError(
            f"a {type(model).__name__} of TorchScript is a finished program, whose operations cannot be followed; give "
            "the model that it was made from"
        )
    for name, module in model.named_modules():
        if "quantized" in type(module).__module__.split("."):
            raise UnsupportedModelError(
                f"the module {name or 'itself'} is quantized, so its product cannot be followed; give the model as it "
                "was before it was quantized"
            )
    for name, parameter in model.named_parameters():
        if torch.nn.parameter.is_lazy(parameter):
            raise UnsupportedModelError(f"{name} has no shape yet: run the lazy model once, then read its graph")
        if parameter.layout != torch.strided:
            raise UnsupportedModelError(
                f"{name} is a tensor of layout {parameter.layout}; make it dense with to_dense()"
            )
