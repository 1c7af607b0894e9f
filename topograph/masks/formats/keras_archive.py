"""``.keras``: a Keras 3 model."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.limits import check_zip, extracted, parse_json
from topograph.masks.formats.format import Format
from topograph.masks.keras.hdf5_file import Hdf5File
from topograph.masks.keras.hdf5_weights import hdf5_entries
from topograph.masks.keras.layers import layers_of_config
from topograph.masks.source import Source
from topograph.packages import require

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"


@contextmanager
def open_keras_archive(path: Path) -> Iterator[Source]:
    """The weights by the names that the model gives them, in its order."""
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        check_zip(archive, path)
        names = archive.namelist()
        if _WEIGHTS not in names:
            raise InvalidMaskError(f"has no {_WEIGHTS}, so it is not a Keras archive")
        config = parse_json(archive.read(_CONFIG), f"the member {_CONFIG}") if _CONFIG in names else {}
        member = stack.enter_context(extracted(archive, _WEIGHTS))
        file = stack.enter_context(Hdf5File(member))
        yield Source(str(path), tuple(hdf5_entries(file, layers_of_config(config))))


def _write_samples(folder: Path) -> None:
    layers: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
        ("Conv2D", {"name": "conv2d", "kernel_size": [2, 2], "strides": [1, 1], "padding": "valid"}, (2, 2, 2, 2)),
        ("GRU", {"name": "gru", "units": 3}, (10, 9)),
        ("Dense", {"name": "dense", "units": 2}, (3, 2)),
    ]
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "sequential",
            "layers": [
                {"class_name": kind, "config": options, "build_config": {"input_shape": [None, 6, 6, 2]}}
                for kind, options, _ in layers
            ],
        },
    }
    h5py = require("h5py", "keras")
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for kind, options, shape in layers:
            cell = "/cell" if kind == "GRU" else ""
            group = file.create_group(f"layers/{options['name']}{cell}/vars")
            group.attrs["name"] = f"{options['name']}{'/gru_cell' if cell else ''}"
            group.create_dataset("0", data=np.ones(shape, np.float32))
            group.create_dataset("1", data=np.ones(shape[-1], np.float32))
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr(_CONFIG, json.dumps(config))
        archive.writestr(_WEIGHTS, content.getvalue())


FORMAT = Format(
    "keras_archive", (".keras",), "Keras 3 models; inputs × outputs", open_keras_archive, _write_samples, extra="keras"
)
