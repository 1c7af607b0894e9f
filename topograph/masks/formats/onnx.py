"""``.onnx``: an ONNX model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topograph.masks.onnx.graphs import model_entries
from topograph.masks.source import Source
from topograph.packages import require


class OnnxReader:
    """An ONNX model. Weights kept beside it are read only from its own folder."""

    @contextmanager
    def open(self, path: Path) -> Iterator[Source]:
        """Every initializer, in the order in which the nodes use them."""
        onnx = require("onnx", "onnx")
        model = onnx.load_model(str(path), load_external_data=False)
        yield Source(str(path), tuple(model_entries(model, path.parent)))
