"""``.h5``: a Keras model or its weights in HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topograph.masks.keras.hdf5_weights import hdf5_entries, text_attribute
from topograph.masks.keras.layers import layers_of_config
from topograph.masks.limits import parse_json
from topograph.masks.source import Source
from topograph.packages import require


class HdfReader:
    """A ``.h5`` file: a whole model of the older format, or weights of either."""

    @contextmanager
    def open(self, path: Path) -> Iterator[Source]:
        """The weights by the names that the model gives them, in its order where the file tells it."""
        h5py = require("h5py", "keras")
        size = path.stat().st_size
        with h5py.File(path, "r") as file:
            config = text_attribute(file, "model_config", size)
            model = (
                parse_json(config if isinstance(config, bytes) else str(config).encode(), "model_config")
                if config
                else {}
            )
            yield Source(str(path), tuple(hdf5_entries(file, layers_of_config(model), size)))
