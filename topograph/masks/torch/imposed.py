"""The masks that lie on a PyTorch model: ours, and those of ``torch.nn.utils.prune``."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from topograph.masks.live import ImposedMask, Same
from topograph.masks.torch.masking import mask_of
from topograph.matrices import tensor_values


def imposed_masks(model: Any) -> dict[str, ImposedMask]:
    """Name of a weight → the mask on it."""
    imposed: dict[str, ImposedMask] = {}
    for path, owner in model.named_modules():
        prefix = f"{path}." if path else ""
        for weight in getattr(owner, "parametrizations", ()):
            step = mask_of(owner, weight)
            if step is not None:
                steps = owner.parametrizations[weight]
                parameters = [steps.original] if steps.is_tensor else list(steps.parameters(recurse=False))
                imposed[prefix + weight] = _imposed(owner, weight, step.mask, parameters)
        for name, mask in owner._buffers.items():
            weight = name.removesuffix("_mask")
            if mask is not None and weight != name and f"{weight}_orig" in owner._parameters:
                imposed[prefix + weight] = _imposed(owner, weight, mask, [owner._parameters[f"{weight}_orig"]])
    return imposed


def _imposed(owner: Any, weight: str, mask: Any, parameters: list[Any]) -> ImposedMask:
    return ImposedMask(
        (Same(mask), mask._version),
        lambda: np.asarray(tensor_values(mask), dtype=bool),
        lambda: np.asarray(tensor_values(getattr(owner, weight))),
        partial(_slots, parameters),
    )


def _slots(parameters: list[Any], optimizer: Any) -> dict[str, Any]:
    state = getattr(optimizer, "state", {})
    return {
        name: np.asarray(tensor_values(value))
        for parameter in parameters
        for name, value in state.get(parameter, {}).items()
        if hasattr(value, "untyped_storage") and value.shape == parameter.shape
    }
