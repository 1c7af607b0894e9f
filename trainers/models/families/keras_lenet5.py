"""`keras_lenet5`: two convolutions and three fully connected layers, in Keras."""

from __future__ import annotations

from typing import Any

from topograph.checks import check_integer
from trainers.models.families.lenet5 import lenet_sizes
from trainers.models.model import Model
from trainers.models.shapes import read_image


def make_keras_lenet5(shape: tuple[int, ...], classes: int, *, width: int = 6) -> Any:
    """The layers of ``lenet5``, with Keras's initial weights; images with their channels last."""
    from trainers.keras.choosing import import_keras

    keras = import_keras()
    layers = keras.layers
    image = read_image(shape, "keras_lenet5", least=4)
    first = check_integer("width", width, low=1)
    second = max(1, round(first * 16 / 6))
    margin = "valid" if lenet_sizes(image.height, image.width)[0] == 0 else "same"
    turned = [layers.Permute((2, 3, 1), name="image")] if image.channels_first else []
    return keras.Sequential(
        [
            keras.Input(shape),
            *(turned or [layers.Reshape((image.height, image.width, image.channels), name="image")]),
            layers.Conv2D(first, 5, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(second, 5, padding=margin, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Flatten(name="flat"),
            layers.Dense(120, activation="relu", name="fc1"),
            layers.Dense(84, activation="relu", name="fc2"),
            layers.Dense(classes, name="fc3"),
        ],
        name="lenet5",
    )


KERAS_LENET5 = Model(
    "keras_lenet5",
    "In Keras: two convolutions of 5 × 5, each with pooling, and three fully connected layers, with ReLU.",
    make_keras_lenet5,
    "keras",
    {"width": 6},
    "LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition",
)
