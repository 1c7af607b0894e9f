"""The Keras backend, as the paper did it, and `MaskedDense`, its layer, for models of one's own.

Keras is imported with the layer, or when a network is trained, and only then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainers.keras.trainer import KerasTrainer

if TYPE_CHECKING:
    from trainers.keras.layer import MaskedDense

__all__ = ["KerasTrainer", "MaskedDense"]


def __getattr__(name: str) -> Any:
    if name == "MaskedDense":
        from trainers.keras.layer import MaskedDense

        return MaskedDense
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
