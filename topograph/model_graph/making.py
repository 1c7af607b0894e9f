"""`network_graph`: the graph of a whole live model."""

from __future__ import annotations

from typing import Any, Unpack

from topograph.errors import InvalidParameterError, UnsupportedModelError
from topograph.masks.live import kind_of, root_packages
from topograph.masks.options import Reading, ReadingOptions
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.weights import ModelWeights


def network_graph(model: Any, example: Any, **options: Unpack[ReadingOptions]) -> NetworkGraph:
    """Read a whole live model as one graph, by running it once on an example.

    A unit is one number of one sample. Each operation becomes edges from what it reads: a masked layer the edges
    of its mask at every place where it is used, a layer without a mask all its edges, a pooling its windows, a sum or a
    product an edge from each term. What only a sum reads hands its edges over to it. Activations, dropout,
    normalisations, reshaping, slicing and concatenating make no units.

    Parameters
    ----------
    model
        A live model of PyTorch, or of Keras where it runs on PyTorch; it is left as it was.
    example
        A batch of inputs, of which the first is taken; a tuple of them for several arguments, a mapping for named ones;
        or the shape of one sample, without the batch.
    **options
        Which weights are edges, and which layers are read: the fields of `topograph.masks.Reading`.

    Raises
    ------
    UnsupportedModelError
        When the model does something that cannot be read as edges; the message names it.
    InvalidParameterError
        When the model does not take the example.
    InvalidMaskError
        When no layer of it can hold a mask.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    >>> network_graph(model, example=(1, 4, 4))
    NetworkGraph(16 inputs, 3 outputs, 27 units, 2 operators, 2 masked layers)
    """
    return graph_of_model(model, example, Reading.of(options))


def graph_of_model(model: Any, example: Any, reading: Reading) -> NetworkGraph:
    """As `network_graph`, for options that were checked."""
    kind = kind_of(model)
    if kind is None or kind.name not in ("torch", "keras"):
        raise InvalidParameterError(
            f"the graph of a whole network is read from a live PyTorch or Keras model, but got {type(model).__name__}; "
            "leave out example="
        )
    if kind.name == "torch":
        from topograph.model_graph.torch.module import trace_module

        return trace_module(model, example, ModelWeights.read(kind.source(model), reading))
    if "torch" not in root_packages(model):
        raise UnsupportedModelError(
            "the graph of a whole Keras model is read where Keras runs on PyTorch; save the model, and load it with "
            "KERAS_BACKEND=torch"
        )
    from topograph.model_graph.torch.keras import trace_keras

    return trace_keras(model, example, ModelWeights.read(kind.source(model), reading))
