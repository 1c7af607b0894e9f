"""`trace_keras`: a live Keras model that runs on PyTorch, and the tensors of its masked weights."""

from __future__ import annotations

from typing import Any

from topograph.masks.keras.variables import variable_path
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.torch.tracing import trace_model
from topograph.model_graph.weights import ModelWeights


def trace_keras(model: Any, example: Any, weights: ModelWeights) -> NetworkGraph:
    """The graph of a model; see `trace_model`."""
    tensors: dict[str, Any] = {}
    for variable in model.variables:
        tensors.setdefault(variable_path(model, variable), variable.value)
    return trace_model(model, example, weights, tensors, training=False)
