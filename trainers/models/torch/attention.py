"""Transformers."""

from __future__ import annotations

from typing import Any

from topograph.packages import require
from trainers.models.shapes import ImageShape
from trainers.models.torch.shaping import ToImages, ToSequences

torch: Any = require("torch", "torch")
nn: Any = torch.nn


class ToPatches(nn.Module):  # type: ignore[misc, unused-ignore]
    """Images as sequences of square patches, row by row: ``(n, patches, channels · patch²)``."""

    def __init__(self, image: ImageShape, patch: int) -> None:
        super().__init__()
        self.image, self._patch = ToImages(image), patch
        self.tokens = (image.height // patch) * (image.width // patch)
        self.features = image.channels * patch**2

    def forward(self, x: Any) -> Any:
        """Samples → patches."""
        patch, images = self._patch, self.image(x)
        n, channels, height, width = images.shape
        cut = images.reshape(n, channels, height // patch, patch, width // patch, patch)
        return cut.permute(0, 2, 4, 1, 3, 5).reshape(n, self.tokens, self.features)


class Steps(ToSequences):
    """Sequences as they are, with their sizes."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.tokens, self.features = self._steps, self._features


class AttentionBlock(nn.Module):  # type: ignore[misc, unused-ignore]
    """Attention and two linear layers, each with normalisation before and a way around."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Any) -> Any:
        """Tokens → tokens."""
        y = self.norm1(x)
        x = x + self.dropout(self.attention(y, y, y, need_weights=False)[0])
        return x + self.dropout(self.fc2(nn.functional.gelu(self.fc1(self.norm2(x)))))


class Transformer(nn.Module):  # type: ignore[misc, unused-ignore]
    """Tokens through a linear layer and learnt positions, blocks of attention, and a linear layer on their mean."""

    def __init__(
        self, tokens: Any, classes: int, width: int, depth: int, heads: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.embedding = nn.Linear(tokens.features, width)
        self.positions = nn.Parameter(0.02 * torch.randn(tokens.tokens, width))
        self.blocks = nn.Sequential(*(AttentionBlock(width, heads, hidden, dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Any) -> Any:
        """Samples → one number per class."""
        return self.fc(self.norm(self.blocks(self.embedding(self.tokens(x)) + self.positions)).mean(1))
