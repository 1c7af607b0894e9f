"""A fixed mask on a Keras kernel. Imported only when a Keras model is masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from topograph.masks.applying import Mask
from topograph.masks.keras_models import variable_path


class FixedMask(keras.constraints.Constraint):
    """A constraint that sets removed connections to 0 after every step of any optimizer."""

    def __init__(self, mask: Mask, also: Any = None) -> None:
        self.mask = mask
        self.also = also

    def __call__(self, value: Any) -> Any:
        """The kernel without its removed connections; the layer's own constraint comes first."""
        value = keras.ops.convert_to_tensor(value if self.also is None else self.also(value))
        return keras.ops.where(keras.ops.convert_to_tensor(self.mask), value, keras.ops.zeros_like(value))


def fix_masks(model: Any, masks: Mapping[str, Mask]) -> None:
    """Mask kernels by path; a mask that is there already is replaced."""
    variables = {variable_path(model, variable): variable for variable in model.variables}
    for path, mask in masks.items():
        variable = variables[path]
        own = variable.constraint
        variable.constraint = FixedMask(mask, own.also if isinstance(own, FixedMask) else own)
        variable.assign(variable.constraint(variable.value))
    # a training step compiled before knows nothing of the constraints; Keras makes a new one when there is none
    if getattr(model, "train_function", None) is not None:
        model.train_function = None
