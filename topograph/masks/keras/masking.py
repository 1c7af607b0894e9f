"""A fixed mask on a Keras kernel."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from topograph.errors import InvalidParameterError, TopologyMismatchError
from topograph.masks.keras.variables import variable_path, variable_values
from topograph.masks.live import ImposedMask, Mask, Same
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
        self.mask = np.ascontiguousarray(mask)
        self.also = also

    def __call__(self, value: Any) -> Any:
        """The kernel without its removed edges."""
        ops = require("keras", "keras").ops
        value = ops.convert_to_tensor(value if self.also is None else self.also(value))
        return ops.where(ops.convert_to_tensor(self.mask), value, ops.zeros_like(value))


def fix_masks(model: Any, masks: Mapping[str, Mask]) -> None:
    """Mask kernels by path; a mask of ours that is there already is replaced. A call that fails changes nothing."""
    variables = {variable_path(model, variable): variable for variable in model.variables}
    for path, mask in masks.items():
        if tuple(variables[path].shape) != mask.shape:
            raise TopologyMismatchError(
                f"{path} has shape {tuple(variables[path].shape)}, but its mask has {mask.shape}"
            )
    if getattr(getattr(model, "optimizer", None), "use_ema", False):
        raise InvalidParameterError(
            "an optimizer with use_ema=True averages weights before the masks are applied, so that its averages have "
            "edges that the masks have not; compile the model without use_ema"
        )
    for path, mask in masks.items():
        variable = variables[path]
        own = variable.constraint
        variable.constraint = FixedMask(mask, own.also if isinstance(own, FixedMask) else own)
        variable.assign(variable.constraint(variable.value))
    _forget_compiled(model)


def remove_masks(model: Any, paths: Iterable[str]) -> None:
    """Make the masks of kernels final: 0 where there is no edge, and the layers' own constraints again.

    Raises
    ------
    InvalidParameterError
        When a kernel has no mask of ours; nothing is changed then.
    """
    variables = {variable_path(model, variable): variable for variable in model.variables}
    wanted = [(path, variables[path]) for path in paths]
    for path, variable in wanted:
        if not isinstance(variable.constraint, FixedMask):
            raise InvalidParameterError(f"{path} has no mask that apply_to put there, so there is none to remove")
    for _, variable in wanted:
        variable.assign(variable.constraint(variable.value))
        variable.constraint = variable.constraint.also
    _forget_compiled(model)


def imposed_masks(model: Any) -> dict[str, ImposedMask]:
    """Path → mask for every kernel on which `fix_masks` put one."""
    masked = {
        variable_path(model, variable): variable
        for variable in model.variables
        if isinstance(variable.constraint, FixedMask)
    }
    return {path: _imposed(variable) for path, variable in masked.items()}


def _imposed(variable: Any) -> ImposedMask:
    constraint = variable.constraint
    stem = f"{variable.path.replace('/', '_')}_"

    def slots(optimizer: Any) -> dict[str, Any]:
        """Of the optimizer's variables, those that it made for this one: it names them so."""
        listed = getattr(optimizer, "variables", ())
        return {
            own.name.removeprefix(stem): variable_values(own)
            for own in listed
            if own.name.startswith(stem) and tuple(own.shape) == tuple(variable.shape)
        }

    version = (Same(constraint.mask), zlib.crc32(constraint.mask))
    return ImposedMask(version, lambda: constraint.mask, lambda: variable_values(variable), slots)


def _forget_compiled(model: Any) -> None:
    """Have the training step made anew: one that was compiled before knows nothing of the constraints."""
    if getattr(model, "train_function", None) is not None:
        model.train_function = None
