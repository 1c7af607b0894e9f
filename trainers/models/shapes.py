"""How a sample's shape is read: as an image, or as a sequence."""

from __future__ import annotations

from typing import NamedTuple

from topograph.errors import InvalidParameterError

_MOST_CHANNELS = 4


class ImageShape(NamedTuple):
    """A sample as an image.

    Parameters
    ----------
    height, width, channels
        Sizes.
    channels_first
        Whether the channels are the sample's first axis, and not its last.
    """

    height: int
    width: int
    channels: int
    channels_first: bool = False


def read_image(shape: tuple[int, ...], model: str, least: int = 1) -> ImageShape:
    """Read height × width, height × width × channels, or channels × height × width.

    Channels are the last axis, unless the first has at most 4 entries and the last more.

    Raises
    ------
    InvalidParameterError
        For a shape that is not an image's, or one that is less than ``least`` wide or high.

    Examples
    --------
    >>> read_image((28, 28), "lenet5"), read_image((3, 32, 32), "lenet5")
    (ImageShape(height=28, width=28, channels=1, channels_first=False), \
ImageShape(height=32, width=32, channels=3, channels_first=True))
    """
    if len(shape) == 2:
        image = ImageShape(*shape, 1)
    elif len(shape) == 3 and shape[0] <= _MOST_CHANNELS < shape[2]:
        image = ImageShape(shape[1], shape[2], shape[0], channels_first=True)
    elif len(shape) == 3:
        image = ImageShape(*shape)
    else:
        raise InvalidParameterError(
            f"{model} takes images, height × width or height × width × channels, but a sample has the shape {shape}: "
            "give the data set its shape, as trainers.Dataset(…, shape=(28, 28)) or by arrays of more dimensions"
        )
    if min(image.height, image.width) < least:
        raise InvalidParameterError(
            f"{model} needs images of at least {least} × {least}, but a sample has the shape {shape}"
        )
    return image


def read_sequence(shape: tuple[int, ...]) -> tuple[int, int]:
    """Steps and features of each: the rows of an image, the steps of a sequence, or one number after another.

    Examples
    --------
    >>> read_sequence((28, 28)), read_sequence((32, 32, 3)), read_sequence((3, 32, 32)), read_sequence((100,))
    ((28, 28), (32, 96), (32, 96), (100, 1))
    """
    if len(shape) == 1:
        return shape[0], 1
    if len(shape) == 2:
        return shape[0], shape[1]
    image = read_image(shape, "a recurrent model")
    return image.height, image.width * image.channels
