"""`CompressedLinear`: `torch.nn.Linear` whose matrix is a function of fewer parameters. Imports PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

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
        self.bias = None if bias is None else torch.nn.Parameter(bias.detach().clone())

    def forward(self, x: Any) -> Any:
        """Inputs in the last dimension."""
        product = self.form.product(x.reshape(-1, x.shape[-1]), list(self.parts))
        product = product.reshape(*x.shape[:-1], product.shape[-1])
        return product if self.bias is None else product + self.bias

    def matrix(self) -> Any:
        """W written out, inputs × outputs."""
        return self.form.dense(list(self.parts))
