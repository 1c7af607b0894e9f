"""Recurrent networks."""

from __future__ import annotations

from typing import Any

from topograph.packages import require
from trainers.models.shapes import read_sequence
from trainers.models.torch.shaping import ToSequences

torch: Any = require("torch", "torch")
nn: Any = torch.nn


class Recurrent(nn.Module):  # type: ignore[misc, unused-ignore]
    """Recurrent layers over a sequence, and a linear layer on the last step's state."""

    def __init__(self, cell: str, shape: tuple[int, ...], classes: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.sequence = ToSequences(shape)
        self.cells = getattr(nn, cell)(read_sequence(shape)[1], hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x: Any) -> Any:
        """Samples → one number per class."""
        return self.fc(self.cells(self.sequence(x))[0][:, -1])
