"""A fixed mask on a PyTorch weight."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from topograph.errors import TopologyMismatchError
from topograph.masks.live import Mask
from topograph.packages import require


def fix_masks(model: Any, masks: Mapping[str, Mask]) -> None:
    """Mask weights by name; a mask of ours that is there already is replaced.

    Each becomes the parametrization ``weight = original · mask``. The mask is a buffer, saved with the model. A tensor
    that several layers share is masked in all of them.

    Raises
    ------
    TopologyMismatchError
        When two names of one tensor are given different masks.
    """
    torch, parametrize = require("torch", "torch"), require("torch.nn.utils.parametrize", "torch")
    our_class = fixed_mask()
    tied = _tied_weights(model)
    wanted: dict[str, Mask] = {}
    for name, mask in masks.items():
        for twin in tied.get(name, (name,)):
            if twin in wanted and not np.array_equal(wanted[twin], mask):
                raise TopologyMismatchError(
                    f"{name} and {twin} are one tensor, but their masks differ; give them the same mask"
                )
            wanted[twin] = mask
    for name, mask in wanted.items():
        path, _, weight = name.rpartition(".")
        owner = model.get_submodule(path)
        fixed = torch.from_numpy(mask.copy()).to(getattr(owner, weight).device)
        there = owner.parametrizations[weight] if parametrize.is_parametrized(owner, weight) else []
        ours = [one for one in there if isinstance(one, our_class)]
        if ours:
            ours[0].mask = fixed
        else:
            parametrize.register_parametrization(owner, weight, our_class(fixed))
        steps = owner.parametrizations[weight]
        if len(steps) == 1 and steps.is_tensor:  # so that what is saved is clean, too
            with torch.no_grad():
                steps.original.mul_(fixed)


def _tied_weights(model: Any) -> dict[str, tuple[str, ...]]:
    """Name of a weight → the names of all weights that lie in the same memory, its own among them."""
    parametrize = require("torch.nn.utils.parametrize", "torch")
    names: dict[Any, list[str]] = {}
    for path, owner in model.named_modules(remove_duplicate=False):
        if path.endswith("parametrizations") or ".parametrizations." in f".{path}.":
            continue
        prefix = f"{path}." if path else ""
        raw = {name: tensor for name, tensor in owner._parameters.items() if tensor is not None}
        if parametrize.is_parametrized(owner):
            raw |= {name: steps.original for name, steps in owner.parametrizations.items() if steps.is_tensor}
        for name, tensor in raw.items():
            is_real = tensor.device.type != "meta" and tensor.numel() and hasattr(tensor, "data_ptr")
            key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride()) if is_real else id(tensor)
            names.setdefault(key, []).append(prefix + name)
    return {name: tuple(twins) for twins in names.values() if len(twins) > 1 for name in twins}


@cache
def fixed_mask() -> Any:
    """The class of the parametrization: it can be made only where PyTorch is."""
    torch = require("torch", "torch")

    class FixedMask(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        """``weight = original · mask``."""

        def __init__(self, mask: Any) -> None:
            super().__init__()
            self.register_buffer("mask", mask)

        def forward(self, original: Any) -> Any:
            """The weight that the model computes with; removed edges are exactly 0, even where a NaN was."""
            return torch.where(self.mask, original, torch.zeros((), dtype=original.dtype, device=original.device))

        def right_inverse(self, weight: Any) -> Any:
            """The value kept when a weight is assigned: the weight itself, without the removed edges."""
            return self.forward(weight)

    return FixedMask
