"""`CompressedModel`: a PyTorch model with compressed layers in the place of masked linear ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import BudgetError, InvalidParameterError, UnsupportedSettingError
from topograph.graph import BipartiteGraph
from topograph.masks.maskset import MaskSet
from topograph.masks.torch.swapping import why_not_linear
from trainers.compression.compression import get_compression, n_parameters
from trainers.compression.linear import CompressedLinear, replace_by_compressed
from trainers.config import TrainingConfig
from trainers.initialization import compression_generator
from trainers.models.masking import ModelMasks
from trainers.pytorch.masked_model import MaskedModel


class CompressedModel:
    """A model of our own in which other masks hold exactly, as in `MaskedModel`.

    A layer is compressed where its mask leaves out edges, and where it is a `torch.nn.Linear` whose weight no other
    module uses. Its edges are its budget. Every entry of its matrix begins with the variance of the weights that it
    replaces, times the density of the mask: so neurons begin with values as large as under the mask.

    Parameters
    ----------
    label, module, masks, config, steps
        As for `MaskedModel`; ``config.compression`` names the form.

    Raises
    ------
    InvalidModelError
        When a mask does not fit.
    UnsupportedSettingError
        When the masks lie on no linear layer that they make sparse.
    BudgetError
        When a layer has fewer edges than the form has parameters at least.
    """

    rewiring = None

    def __init__(
        self, label: str, module: Any, masks: Mapping[str, BipartiteGraph], config: TrainingConfig, steps: int
    ) -> None:
        self.label, self.module = label, module
        self._masks = ModelMasks(label, module, masks)
        self._layers = self._compress(config)
        others = {name: graph for name, graph in self._masks.graphs.items() if name not in self._layers}
        self._others = MaskedModel(label, module, others, config, steps) if others else None

    @property
    def masks(self) -> MaskSet:
        """The edges of each layer: all pairs of neurons where it is compressed."""
        graphs = {
            name: BipartiteGraph.from_mask(np.ones(graph.shape, dtype=bool)) if name in self._layers else graph
            for name, graph in self._masks.graphs.items()
        }
        return self._masks.to_mask_set(graphs)

    @property
    def n_parameters(self) -> tuple[int, ...]:
        """How many weights each masked layer learns."""
        return tuple(
            n_parameters(self._layers[name].form) if name in self._layers else graph.n_edges
            for name, graph in self._masks.graphs.items()
        )

    def decayed(self) -> list[Any]:
        """The parameters that weight decay acts on: matrices, and everything that compressed ones are made of."""
        parts = {id(part) for layer in self._layers.values() for part in layer.parts}
        return [one for one in self.module.parameters() if one.dim() > 1 or id(one) in parts]

    def mask_gradients(self, optimizer: Any) -> bool:
        """See `MaskedModel`."""
        return self._others is None or self._others.mask_gradients(optimizer)

    def weights(self) -> list[npt.NDArray[np.floating[Any]]]:
        """The weight of each edge of each layer, in the order of ``graph.edges()``; compressed ones written out."""
        masked = {} if self._others is None else dict(zip(self._others.masks, self._others.weights(), strict=True))
        return [
            self._layers[name].matrix().detach().cpu().numpy().reshape(-1) if name in self._layers else masked[name]
            for name in self._masks.graphs
        ]

    def finished(self) -> Any:
        """The model in evaluation, with its masks on."""
        return self.module.eval() if self._others is None else self._others.finished()

    def _compress(self, config: TrainingConfig) -> dict[str, CompressedLinear]:
        compression = get_compression(config.compression)
        reasons = self._reasons()
        layers = {}
        for number, (name, graph) in enumerate(self._masks.graphs.items()):
            if reasons[name]:
                continue
            path = name.rpartition(".")[0]
            generator = compression_generator(config, number)
            try:
                form = compression.build(graph.n_left, graph.n_right, max(1, graph.n_edges), seed=generator)
            except InvalidParameterError as error:
                raise BudgetError(f"layer {name!r}, whose edges are its budget: {error}") from error
            layers[name] = CompressedLinear.in_place_of(self.module.get_submodule(path), form, generator, graph.density)
        if not layers:
            told = "; ".join(f"{name}: {reason}" for name, reason in list(reasons.items())[:3])
            raise UnsupportedSettingError(
                f"compression={config.compression!r} replaces linear layers with masks that leave out edges, but the "
                f"model {self.label} has none among its masks ({told})"
            )
        replace_by_compressed(self.module, {name.rpartition(".")[0]: layer for name, layer in layers.items()})
        return layers

    def _reasons(self) -> dict[str, str]:
        """Why the layer of each mask is not compressed; empty words where it is."""
        paths = {name: name.split(":")[0].rpartition(".")[0] for name in self._masks.graphs}
        reasons = why_not_linear(self.module, paths.values())
        return {
            name: reasons[path]
            or ("its mask is of a part of a weight" if ":" in name else "")
            or ("its mask has all edges" if self._masks.graphs[name].density == 1 else "")
            for name, path in paths.items()
        }
