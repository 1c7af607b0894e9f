"""`ModelMasks`: which weights of a model the graphs of a mask set lie on, for the trainers of any framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidModelError, TopographError, UnsupportedSettingError
from topograph.graph import BipartiteGraph
from topograph.masks.applying import find_named_layers, tensor_masks
from topograph.masks.live import Mask
from topograph.masks.loading import live_source
from topograph.masks.maskset import MaskSet


class ModelMasks:
    """Masks that fit a model.

    Parameters
    ----------
    label
        The model in words.
    model
        A live model; it is only read.
    masks
        Name → graph. A graph of a convolution's channels stands for all taps, and becomes that of the kernel.

    Raises
    ------
    InvalidModelError
        When there is no mask, or one does not fit: the message names the model.
    """

    def __init__(self, label: str, model: Any, masks: Mapping[str, BipartiteGraph]) -> None:
        if masks is None or (isinstance(masks, Mapping) and not masks):
            raise InvalidModelError(
                f"the model {label} is given no masks: give a graph for one layer or more, such as "
                "topograph.MaskSet.build(model, …) makes"
            )
        values = list(masks.values()) if isinstance(masks, Mapping) else [masks]
        odd = next((type(value).__name__ for value in values if not isinstance(value, BipartiteGraph)), "")
        holding = f" that holds a {odd}" if isinstance(masks, Mapping) else ""
        if odd or not isinstance(masks, Mapping):
            raise InvalidModelError(
                f"the model {label} takes masks as a topograph.MaskSet, or as a mapping of layer names to graphs, "
                f"but got a {type(masks).__name__}{holding}"
            )
        self._label, self._given = label, masks
        with self.errors():
            source = live_source(model)
            self._layers = find_named_layers(masks, source)
            self.tensors: dict[str, Mask] = tensor_masks(masks, source)
        self.graphs = {name: self._of_kernel(name, graph) for name, graph in masks.items()}

    def _of_kernel(self, name: str, graph: BipartiteGraph) -> BipartiteGraph:
        layer = self._layers[name]
        if graph.shape == (layer.n_left, layer.n_right):
            return graph
        return layer.graph_of(self.tensors[layer.weight])

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Name the model in errors about its masks."""
        try:
            yield
        except UnsupportedSettingError:
            raise
        except TopographError as error:
            raise InvalidModelError(f"the model {self._label} does not take these masks: {error}") from error

    def to_mask_set(self, graphs: Mapping[str, BipartiteGraph] | None = None) -> MaskSet:
        """The graphs on the model, or those that they became, with what the given mask set says of the rest."""
        graphs = self.graphs if graphs is None else graphs
        return replace(self._given, graphs=graphs) if isinstance(self._given, MaskSet) else MaskSet(graphs)

    def weights(
        self, read: Callable[[str], npt.NDArray[Any]], graphs: Mapping[str, BipartiteGraph]
    ) -> list[npt.NDArray[np.floating[Any]]]:
        """The weight of each edge of each graph, in the order of ``graph.edges()``; ``read`` gives a tensor by name."""
        layers = self._layers
        return [read(layers[name].weight).reshape(-1)[layers[name].places_of(graph)] for name, graph in graphs.items()]
