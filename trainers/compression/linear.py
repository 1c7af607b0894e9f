"""`CompressedLinear`: `torch.nn.Linear` whose matrix is a function of fewer parameters. Imports PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from topograph.masks.torch.swapping import replace_layers
from topograph.packages import require
from trainers.compression.compression import Form

torch: Any = require("torch", "torch")


class CompressedLinear(torch.nn.Module):  # type: ignore[misc]
    """y = x W + b, W of a form.

    Parameters
    ----------
    form
        Form of W, inputs × outputs.
    variance
        Variance of every entry of W at the beginning.
    bias
        Values of b, or None for a layer without.
    generator
        Draws the initial parameters.
    like
        Tensor whose type and device the parameters get.

    Attributes
    ----------
    parts
        The parameters of the form.
    bias
        b, or None.
    """

    def __init__(self, form: Form, variance: float, bias: Any, generator: np.random.Generator, like: Any) -> None:
        super().__init__()
        self.form = form
        self.parts = torch.nn.ParameterList(
            torch.nn.Parameter(torch.as_tensor(array).to(like)) for array in form.initial(variance, generator)
        )
        self.bias = None if bias is None else torch.nn.Parameter(bias.detach().clone(), bias.requires_grad)

    @classmethod
    def in_place_of(
        cls, layer: Any, form: Form, generator: np.random.Generator, share: float = 1.0
    ) -> CompressedLinear:
        """A layer with the bias of a linear one, whose entries begin with the variance of its weights, or a share."""
        weight = layer.weight.detach()
        return cls(form, share * float(weight.double().square().mean()), layer.bias, generator, weight)

    def forward(self, x: Any) -> Any:
        """Inputs in the last dimension."""
        product = self.form.product(x.reshape(-1, x.shape[-1]), list(self.parts))
        product = product.reshape(*x.shape[:-1], product.shape[-1])
        return product if self.bias is None else product + self.bias

    def matrix(self) -> Any:
        """W written out, inputs × outputs."""
        return self.form.dense(list(self.parts))


def replace_by_compressed(model: Any, layers: Mapping[str, CompressedLinear]) -> None:
    """Put compressed layers in the place of linear ones, by the paths of those, wherever these stand in the model."""
    replace_layers(model, {id(model.get_submodule(path)): layer for path, layer in layers.items()})
