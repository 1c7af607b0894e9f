"""`trace_module`: a live `torch.nn.Module` and the tensors of its masked weights."""

from __future__ import annotations

from typing import Any

from topograph.masks.torch.swapping import is_sparse
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.torch.tracing import trace_model
from topograph.model_graph.weights import ModelWeights
from topograph.packages import require

_parametrize: Any = require("torch.nn.utils.parametrize", "torch")
torch: Any = require("torch", "torch")


def trace_module(model: Any, example: Any, weights: ModelWeights) -> NetworkGraph:
    """The graph of a module; see `trace_model`."""
    with torch.no_grad(), _parametrize.cached():  # so that a computed weight stays where it was found
        tensors = {}
        for name in weights.tensors:
            path, _, weight = name.rpartition(".")
            owner = model.get_submodule(path)
            if not is_sparse(owner):
                original = owner._parameters.get(f"{weight}_orig")  # of a module that is pruned
                tensors[name] = getattr(owner, weight) if original is None else original
        return trace_model(model, example, weights, tensors)
