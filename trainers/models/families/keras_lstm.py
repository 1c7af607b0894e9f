"""`keras_lstm`: a recurrent network over the rows of an image, or the steps of a sequence, in Keras."""

from __future__ import annotations

from typing import Any

from topograph.checks import check_integer
from trainers.models.model import Model
from trainers.models.shapes import read_image, read_sequence


def make_keras_lstm(shape: tuple[int, ...], classes: int, *, hidden: int = 128, layers: int = 1) -> Any:
    """``layers`` layers of ``hidden`` units, and a linear layer on the state after the last step."""
    from trainers.keras.choosing import import_keras

    keras = import_keras()
    hidden, layers = check_integer("hidden", hidden, low=1), check_integer("layers", layers, low=1)
    parts = [keras.Input(shape)]
    if len(shape) == 3 and read_image(shape, "keras_lstm").channels_first:
        parts.append(keras.layers.Permute((2, 3, 1), name="turned"))
    parts.append(keras.layers.Reshape(read_sequence(shape), name="sequence"))
    parts += [
        keras.layers.LSTM(hidden, return_sequences=number < layers, name=f"lstm{number}")
        for number in range(1, layers + 1)
    ]
    return keras.Sequential([*parts, keras.layers.Dense(classes, name="fc")], name="lstm")


KERAS_LSTM = Model(
    "keras_lstm",
    "In Keras: long short-term memory over the rows of an image or the steps of a sequence, then a linear layer.",
    make_keras_lstm,
    "keras",
    {"hidden": 128, "layers": 1},
    "Hochreiter & Schmidhuber (1997), Long short-term memory",
)
