"""`MaskedModel`: a PyTorch model and the masks that it is trained under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.masks.applying import apply_masks, remove_masks
from topograph.masks.maskset import MaskSet
from topograph.packages import require
from trainers.config import TrainingConfig
from trainers.models.masking import ModelMasks
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
        Name → graph.
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
        self._masks = ModelMasks(label, module, masks)
        self.rewiring = None
        with self._masks.errors():
            if config.rewiring == "none":
                apply_masks(self._masks.graphs, module)
                remove_masks(self._masks.graphs, module)
            else:
                self.rewiring = ModuleRewiring(module, self._masks.graphs, config, steps_per_epoch=steps)
        self._products = [] if self.rewiring else self._make_products()

    @property
    def masks(self) -> MaskSet:
        """The edges that the model has now."""
        return self._masks.to_mask_set(None if self.rewiring is None else self.rewiring.masks.graphs)

    @property
    def n_parameters(self) -> tuple[int, ...]:
        """How many weights each masked layer learns: its edges."""
        return tuple(graph.n_edges for graph in self.masks.values())

    def decayed(self) -> list[Any]:
        """The parameters that weight decay acts on: those of two dimensions and more."""
        return [one for one in self.module.parameters() if one.dim() > 1]

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
        return self._masks.weights(lambda name: self._weight(name).detach().cpu().numpy(), self.masks)

    def finished(self) -> Any:
        """The model in evaluation, with its masks on."""
        if self.rewiring is None:
            apply_masks(self._masks.graphs, self.module)
        return self.module.eval()

    def _weight(self, name: str) -> Any:
        owner, _, weight = name.rpartition(".")
        return getattr(self.module.get_submodule(owner), weight)

    def _make_products(self) -> list[tuple[Any, Any]]:
        """Parameters and the masks of their gradients, each parameter once; none where all edges are there."""
        products: dict[int, tuple[Any, Any]] = {}
        for name, mask in self._masks.tensors.items():
            parameter = self._weight(name)
            if not mask.all():
                fixed = torch.from_numpy(np.array(mask, order="C")).to(parameter.device, parameter.dtype)
                products[id(parameter)] = parameter, fixed
        return list(products.values())
