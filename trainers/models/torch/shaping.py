"""Modules that give samples the shape that a network takes."""

from __future__ import annotations

from typing import Any

from topograph.packages import require
from trainers.models.shapes import ImageShape, read_image, read_sequence

torch: Any = require("torch", "torch")


class ToImages(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Samples as images of PyTorch, channels × height × width."""

    def __init__(self, image: ImageShape) -> None:
        super().__init__()
        self._image = image

    def forward(self, x: Any) -> Any:
        """Samples ``(n, …)`` → ``(n, channels, height, width)``."""
        image = self._image
        if image.channels == 1 or image.channels_first:
            return x.reshape(-1, image.channels, image.height, image.width)
        return x.permute(0, 3, 1, 2)


class ToSequences(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Samples as sequences, steps × features; images as their rows."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._steps, self._features = read_sequence(shape)
        self._turned = len(shape) == 3 and read_image(shape, "a sequence of rows").channels_first

    def forward(self, x: Any) -> Any:
        """Samples ``(n, …)`` → ``(n, steps, features)``."""
        turned = x.permute(0, 2, 3, 1) if self._turned else x
        return turned.reshape(-1, self._steps, self._features)
