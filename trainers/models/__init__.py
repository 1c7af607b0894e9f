"""Networks beyond chains: convolutions, recurrent cells and attention, by name or by anybody's function.

>>> from trainers.models import ModelSpec, available_models
>>> "lenet5" in available_models()
True
>>> ModelSpec.of("lstm", hidden=64)
ModelSpec(lstm(hidden=64))
"""

from trainers.models.model import Model
from trainers.models.registry import available_models, describe_models, get_model
from trainers.models.spec import ModelSpec

__all__ = ["Model", "ModelSpec", "available_models", "describe_models", "get_model"]
