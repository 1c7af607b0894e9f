"""`MaskedModel`: a PyTorch model and the masks that it is trained under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidModelError, TopographError, UnsupportedSettingError
from topograph.graph import BipartiteGraph
from topograph.masks.applying import apply_masks, find_named_layers, remove_masks, tensor_masks
from topograph.masks.loading import live_source
from topograph.masks.maskset import MaskSet
from topograph.packages import require
from trainers.config import TrainingConfig
from trainers.rewiring.module_rewiring import ModuleRewiring

torch: Any = require("torch", "torch")


class MaskedModel:
    """A model of our own with masks that hold exactly.

    Where the masks stay, weights are plain and 0 without an edge, and gradients are multiplied by the masks: weights
    and the optimizer's memory begin at 0 there, and stay 0. That costs one product per step; a mask on the weight would
    cost one on the way forward and one on the way back. Where edges change, the masks lie on the weights.

    Parameters
    ----------
    label
        The model in words.
    module
        The model, with plain weights; it is changed.
    masks
        Name → graph. A graph of a convolution's channels stands for all taps.
    config
        Settings, for the rewiring.
    steps
        Number of steps per epoch.

    Raises
    ------
    InvalidModelError
        When a mask does not fit.
    """

    def __init__(
        self, label: str, module: Any, masks: Mapping[str, BipartiteGraph], config: TrainingConfig, steps: int
    ) -> None:
        self.label, self.module = label, module
        self._given = masks if isinstance(masks, MaskSet) else None
        if not masks:
            raise InvalidModelError(
                f"the model {label} is given no masks: give a graph for one layer or more, such as "
                "topograph.MaskSet.build(model, …) makes"
            )
        try:
            source = live_source(module)
            self._layers = find_named_layers(masks, source)
            on_tensors = tensor_masks(masks, source)
            self._graphs = {
                name: graph
                if graph.shape == (self._layers[name].n_left, self._layers[name].n_right)
                else self._layers[name].graph_of(on_tensors[self._layers[name].weight])
                for name, graph in masks.items()
            }
            apply_masks(masks, module)
            self.rewiring = None
            if config.rewiring == "none":
                remove_masks(masks, module)
            else:
                self.rewiring = ModuleRewiring(module, self._graphs, config, steps_per_epoch=steps)
        except UnsupportedSettingError:
            raise
        except TopographError as error:
            raise InvalidModelError(f"the model {label} does not take these masks: {error}") from error
        self._products = [] if self.rewiring else self._make_products(on_tensors)

    @property
    def masks(self) -> MaskSet:
        """The edges that the model has now."""
        graphs = self._graphs if self.rewiring is None else self.rewiring.masks.graphs
        return MaskSet(graphs) if self._given is None else replace(self._given, graphs=graphs)

    def mask_gradients(self, optimizer: Any) -> bool:
        """Set gradients to 0 where there is no edge, or change the edges; whether the optimizer is to take its step."""
        if self.rewiring is not None:
            return self.rewiring.step(optimizer)
        for parameter, mask in self._products:
            if parameter.grad is not None:
                parameter.grad.mul_(mask)
        return True

    def weights(self) -> list[npt.NDArray[np.floating[Any]]]:
        """The weight of each edge of each layer, in the order of ``graph.edges()``."""
        values = []
        for name, graph in self.masks.items():
            layer = self._layers[name]
            owner, _, weight = layer.weight.rpartition(".")
            tensor = getattr(self.module.get_submodule(owner), weight)
            values.append(tensor.detach().cpu().numpy().reshape(-1)[layer.places_of(graph)])
        return values

    def finished(self) -> Any:
        """The model in evaluation, with its masks on."""
        if self.rewiring is None:
            apply_masks(self._graphs, self.module)
        return self.module.eval()

    def _make_products(self, masks: Mapping[str, npt.NDArray[np.bool_]]) -> list[tuple[Any, Any]]:
        """Parameters and the masks of their gradients, each parameter once; none where all edges are there."""
        products: dict[int, tuple[Any, Any]] = {}
        for name, mask in masks.items():
            owner, _, weight = name.rpartition(".")
            parameter = getattr(self.module.get_submodule(owner), weight)
            if not mask.all():
                fixed = torch.from_numpy(np.array(mask, order="C")).to(parameter.device, parameter.dtype)
                products[id(parameter)] = parameter, fixed
        return list(products.values())
