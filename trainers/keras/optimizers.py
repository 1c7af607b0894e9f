"""The contract's optimizers in Keras: its own where its formula is the contract's; under masks, with a clipped norm.

Only the trainer imports this module, when it trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.config import TrainingConfig
from trainers.keras.layer import keras

_DECAY, _EPSILON = 0.999, 1e-8


def make_optimizer(config: TrainingConfig) -> Any:
    """The optimizer that a configuration names."""
    rate, mu = config.learning_rate, config.momentum
    if config.optimizer == "adam":
        return Adam(rate, mu, config.weight_decay)
    if config.weight_decay:
        return DecayedSGD(config.weight_decay, rate, mu, nesterov=config.nesterov)
    return keras.optimizers.SGD(rate, mu, nesterov=config.nesterov)


def _decayed(gradient: Any, variable: Any, decay: float) -> Any:
    return gradient + decay * variable if decay and variable.name == "kernel" else gradient


class DecayedSGD(keras.optimizers.SGD):  # type: ignore[misc, unused-ignore]
    """λ w joins the gradient before the velocity does; Keras's own weight decay bypasses the velocity."""

    def __init__(self, decay: float, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._given_decay = decay

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's step."""
        super().update_step(_decayed(gradient, variable, self._given_decay), variable, learning_rate)


class Adam(keras.optimizers.Optimizer):  # type: ignore[misc, unused-ignore]
    """Adam as published: ε is added to √v̂. In Keras's own, it is added before v is corrected."""

    def __init__(self, rate: float, momentum: float, decay: float) -> None:
        super().__init__(learning_rate=rate)
        self._momentum, self._given_decay = momentum, decay

    def build(self, variables: Any) -> None:
        """Make the memory."""
        if not self.built:
            super().build(variables)
            self._first, self._second = self.add_optimizer_variables(variables, ["first", "second"])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's step."""
        ops = keras.ops
        rate, step = ops.cast(learning_rate, variable.dtype), ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        first, second = self._first[index], self._second[index]
        g = _decayed(ops.cast(gradient, variable.dtype), variable, self._given_decay)
        self.assign(first, self._momentum * first + (1 - self._momentum) * g)
        self.assign(second, _DECAY * second + (1 - _DECAY) * ops.square(g))
        corrected = first / (1 - self._momentum**step)
        self.assign_sub(variable, rate * corrected / (ops.sqrt(second / (1 - _DECAY**step)) + _EPSILON))


class _Masking:
    """Masks gradients, clips them, and adds weight decay, before any optimizer takes its step."""

    def mask(self, config: TrainingConfig, masks: Mapping[str, npt.NDArray[np.bool_]]) -> Any:
        """Keep a model's masks, by the paths of its variables."""
        self._longest, self._decay_of_models = config.clip_norm, config.weight_decay
        self._masks_of_models = {
            path: keras.ops.convert_to_tensor(mask.astype(config.dtype))
            for path, mask in masks.items()
            if not mask.all()
        }
        return self

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """One step of all variables."""
        ops = keras.ops
        own: Any = self
        variables = own._trainable_variables if trainable_variables is None else list(trainable_variables)
        masks = [self._masks_of_models.get(variable.path) for variable in variables]
        grads = [g if g is None or mask is None else g * mask for g, mask in zip(grads, masks, strict=True)]
        if self._longest:
            norm = ops.sqrt(sum(ops.sum(ops.square(g)) for g in grads if g is not None))
            factor = ops.where(norm > self._longest, self._longest / norm, ops.ones_like(norm))
            grads = [None if g is None else g * factor for g in grads]
        if self._decay_of_models:
            grads = [
                g + self._decay_of_models * variable if g is not None and len(variable.shape) > 1 else g
                for g, variable in zip(grads, variables, strict=True)
            ]
        super().apply(grads, trainable_variables)  # type: ignore[misc]


class MaskedSGD(_Masking, keras.optimizers.SGD):  # type: ignore[misc, unused-ignore]
    """Gradient descent under masks."""


class MaskedAdam(_Masking, Adam):
    """Adam under masks."""


def make_masked_optimizer(config: TrainingConfig, masks: Mapping[str, npt.NDArray[np.bool_]]) -> Any:
    """The optimizer that a configuration names, for a model under masks: variable's path → mask of its shape."""
    if config.optimizer == "adam":
        optimizer: Any = MaskedAdam(config.learning_rate, config.momentum, 0.0)
    else:
        optimizer = MaskedSGD(config.learning_rate, config.momentum, nesterov=config.nesterov and config.momentum > 0)
    return optimizer.mask(config, masks)
