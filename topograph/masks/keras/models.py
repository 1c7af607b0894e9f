"""Live Keras models."""

from __future__ import annotations

from functools import partial
from typing import Any

from topograph.masks.keras.layers import KerasLayer, layers_of_config
from topograph.masks.keras.masking import fix_masks, imposed_masks, remove_masks
from topograph.masks.keras.variables import keras_entries, variable_path, variable_values
from topograph.masks.live import ModelKind, root_packages
from topograph.masks.source import Source
from topograph.masks.weights import Stored

_DTYPES = {
    "int8": "I8",
    "uint8": "U8",
    "int32": "I32",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "bool": "BOOL",
}


def model_source(model: Any) -> Source:
    """Every variable of a model, by its path."""
    layers = _layers(model)
    variables: dict[str, Stored] = {}
    for variable in model.variables:
        path = variable_path(model, variable)
        number = 1
        while path in variables:  # nothing keeps Keras from giving two variables one path
            number += 1
            path = f"{variable_path(model, variable)}#{number}"
        variables[path] = Stored(
            tuple(variable.shape), partial(variable_values, variable), dtype=_DTYPES.get(str(variable.dtype), "")
        )
    return Source(type(model).__name__, tuple(keras_entries(variables, layers)))


def _layers(model: Any) -> dict[str, KerasLayer]:
    """The layers by path: from the configuration, as in a file, and from the model where that does not tell."""
    layers = layers_of_config({"class_name": type(model).__name__, "config": _config(model)})
    for layer in model._flatten_layers(include_self=False):
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        if own:
            path = variable_path(model, own[0]).rpartition("/")[0]
            layers.setdefault(path, KerasLayer(type(layer).__name__, _config(layer)))
    return layers


def _config(layer: Any) -> Any:
    try:
        return layer.get_config()
    except (NotImplementedError, TypeError, ValueError, AttributeError):  # one of somebody's own need not have one
        return {}


def _is_model(value: Any) -> bool:
    return bool(root_packages(value) & {"keras", "tf_keras"}) and hasattr(value, "layers")


KERAS = ModelKind(
    "keras",
    "keras.Model",
    "a live model; inputs × outputs",
    _is_model,
    model_source,
    fix_masks,
    remove_masks,
    imposed_masks,
    extra="keras",
)
