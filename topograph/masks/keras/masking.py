"""A fixed mask on a Keras kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topograph.masks.keras.variables import variable_path
from topograph.masks.live import Mask
from topograph.packages import require


class FixedMask:
    """A constraint: every optimizer calls it after its step, and so sets removed edges to 0.

    Parameters
    ----------
    mask
        The edges that stay, in the shape of the kernel.
    also
        The layer's own constraint, which comes first.
    """

    def __init__(self, mask: Mask, also: Any = None) -> None:
        self.mask = mask
        self.also = also

    def __call__(self, value: Any) -> Any:
        """The kernel without its removed edges."""
        ops = require("keras", "keras").ops
        value = ops.convert_to_tensor(value if self.also is None else self.also(value))
        return ops.where(ops.convert_to_tensor(self.mask), value, ops.zeros_like(value))


def fix_masks(model: Any, masks: Mapping[str, Mask]) -> None:
    """Mask kernels by path; a mask of ours that is there already is replaced."""
    variables = {variable_path(model, variable): variable for variable in model.variables}
    for path, mask in masks.items():
        variable = variables[path]
        own = variable.constraint
        variable.constraint = FixedMask(mask, own.also if isinstance(own, FixedMask) else own)
        variable.assign(variable.constraint(variable.value))
    # a training step compiled before knows nothing of the constraints; Keras makes a new one when there is none
    if getattr(model, "train_function", None) is not None:
        model.train_function = None
