"""``.h5``: a Keras model or its weights in HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from topograph.limits import parse_json
from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.keras.hdf5_file import Hdf5File
from topograph.masks.keras.hdf5_weights import hdf5_entries
from topograph.masks.keras.layers import layers_of_config
from topograph.masks.source import Source
from topograph.packages import require


@contextmanager
def open_hdf5(path: Path) -> Iterator[Source]:
    """The weights by the names that the model gives them, in its order where the file tells it."""
    with Hdf5File(path) as file:
        model = parse_json(file.config.encode(), "model_config") if file.config else {}
        yield Source(str(path), tuple(hdf5_entries(file, layers_of_config(model))))


def _write_samples(folder: Path) -> None:
    h5py = require("h5py", "keras")
    with h5py.File(folder / "weights.h5", "w") as file:
        file.create_dataset("model_weights/fc1/fc1/kernel", data=SAMPLE)
        file.create_dataset("model_weights/fc1/fc1/bias", data=np.ones(4))
        file.create_dataset("packed", data=SAMPLE, compression="gzip", chunks=(3, 2))
        file["link"] = h5py.SoftLink("/packed")


FORMAT = Format(
    "hdf5",
    (".h5", ".hdf5"),
    "Keras models and weights in HDF5; inputs × outputs",
    open_hdf5,
    _write_samples,
    extra="keras",
)
