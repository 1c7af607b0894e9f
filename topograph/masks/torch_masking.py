"""A fixed mask on a PyTorch weight. Imported only when a PyTorch model is masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.utils import parametrize

from topograph.masks.applying import Mask


class FixedMask(torch.nn.Module):
    """The parametrization ``weight = original · mask``: the mask is a buffer, saved with the model."""

    def __init__(self, mask: Any) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.mask: Any

    def forward(self, original: Any) -> Any:
        """The weight that the model computes with; removed connections are exactly 0."""
        return torch.where(self.mask, original, torch.zeros((), dtype=original.dtype, device=original.device))

    def right_inverse(self, weight: Any) -> Any:
        """What is kept when a weight is assigned: itself, without the removed connections."""
        return self.forward(weight)


def fix_masks(model: Any, masks: Mapping[str, Mask]) -> None:
    """Mask weights by name; a mask that is there already is replaced."""
    for name, mask in masks.items():
        path, _, weight = name.rpartition(".")
        owner = model.get_submodule(path)
        device = getattr(owner, weight).device
        fixed = torch.from_numpy(mask.copy()).to(device)
        existing = [one for one in _parametrizations(owner, weight) if isinstance(one, FixedMask)]
        if existing:
            existing[0].mask = fixed
        else:
            parametrize.register_parametrization(owner, weight, FixedMask(fixed))
        with torch.no_grad():  # so that what is saved is clean, too
            if owner.parametrizations[weight].is_tensor and len(owner.parametrizations[weight]) == 1:
                owner.parametrizations[weight].original.mul_(fixed)


def _parametrizations(owner: Any, weight: str) -> Any:
    return owner.parametrizations[weight] if parametrize.is_parametrized(owner, weight) else []
