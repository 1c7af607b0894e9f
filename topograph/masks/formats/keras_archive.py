"""``.keras``: a Keras 3 model."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from topograph.errors import InvalidMaskError
from topograph.masks.keras.hdf5_weights import hdf5_entries
from topograph.masks.keras.layers import layers_of_config
from topograph.masks.limits import check_zip, member_file, parse_json
from topograph.masks.source import Source
from topograph.packages import require

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"


class KerasReader:
    """A ``.keras`` archive: the configuration as JSON, the weights as HDF5."""

    @contextmanager
    def open(self, path: Path) -> Iterator[Source]:
        """The weights by the names that the model gives them, in its order."""
        h5py = require("h5py", "keras")
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(path))
            check_zip(archive, path)
            names = archive.namelist()
            if _WEIGHTS not in names:
                raise InvalidMaskError(f"has no {_WEIGHTS}, so it is no Keras archive")
            config = parse_json(archive.read(_CONFIG), f"the member {_CONFIG}") if _CONFIG in names else {}
            member = stack.enter_context(member_file(archive, _WEIGHTS))
            file = stack.enter_context(h5py.File(member, "r"))
            size = archive.getinfo(_WEIGHTS).file_size
            yield Source(str(path), tuple(hdf5_entries(file, layers_of_config(config), size)))
