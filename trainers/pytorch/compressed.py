"""`CompressedLayer`: a layer of a stack whose matrix is a function of fewer parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.packages import require
from trainers.compression.compression import Floats, Form
from trainers.rewiring.carried import Carried

torch: Any = require("torch", "torch")


class CompressedLayer:
    """One network's layer; its ``weights`` are all parameters of the form, one after the other, ``(1, parameters)``.

    The product is the form's own, and so is its cost; autograd differentiates it.
    """

    def __init__(self, form: Form, values: Sequence[Floats], dtype: str, device: Any) -> None:
        self._form = form
        flat = np.concatenate([np.ravel(array) for array in values]).astype(dtype)
        self._sizes = [int(np.prod(shape, dtype=np.int64)) for shape in form.shapes]
        self.weights = torch.from_numpy(flat[None]).to(device)
        self.gradient = torch.zeros_like(self.weights)
        self._taped: tuple[Any, Any, Any] | None = None

    def _parameters(self, flat: Any) -> list[Any]:
        parts = torch.split(flat[0], self._sizes)
        return [part.view(shape) for part, shape in zip(parts, self._form.shapes, strict=True)]

    def forward(self, x: Any, bias: Any, drop: Any = None, *, learning: bool = False) -> Any:
        """Z = x w + b."""
        flat, samples = self.weights.detach(), x[0]
        if learning:
            with torch.enable_grad():
                flat, samples = flat.requires_grad_(), samples.detach().requires_grad_()
                product = self._form.product(samples, self._parameters(flat))
            self._taped = flat, samples, product
        else:
            product = self._form.product(samples, self._parameters(flat))
        return product.detach()[None] + bias[:, None]

    def backward(self, x: Any, delta: Any, further: bool, drop: Any = None) -> Any:
        """See `StackedLayer`; the gradient is that of the parameters."""
        assert self._taped is not None
        flat, samples, product = self._taped
        self._taped = None
        gradients = torch.autograd.grad(product, [flat, samples] if further else [flat], delta[0])
        self.gradient.copy_(gradients[0])
        return gradients[1][None] if further else None

    @property
    def n_edges(self) -> list[int]:
        """Not offered: a compressed layer has none of its own."""
        raise NotImplementedError

    def noise(self, generators: Sequence[Any]) -> Any:
        """Not offered: a config with compression drops no edges."""
        raise NotImplementedError

    def spread(self, values: Sequence[npt.NDArray[np.floating[Any]]]) -> Any:
        """Not offered: a config with compression drops no edges."""
        raise NotImplementedError

    def of_each(self, values: Any) -> list[npt.NDArray[np.floating[Any]]]:
        """The matrix that parameters make, row after row: all pairs of neurons in the order of ``graph.edges()``."""
        with torch.no_grad():
            matrix = self._form.dense(self._parameters(values.detach()))
        return [matrix.cpu().numpy().ravel().copy()]

    def keep(self, kept: Any, values: Any, chosen: npt.NDArray[np.bool_]) -> None:
        """Copy the parameters into ``kept`` if the network is chosen."""
        if chosen[0]:
            kept.copy_(values)

    def rewire(self, number: int, carried: Carried, memory: Sequence[Any]) -> None:
        """Not offered: a config with compression refuses rewiring."""
        raise NotImplementedError
