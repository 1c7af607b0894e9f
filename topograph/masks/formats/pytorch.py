"""``.pt``, ``.pth``, ``.bin``, ``.ckpt``: PyTorch files, read without executing their pickle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from topograph.errors import InvalidMaskError
from topograph.masks.limits import check_zip
from topograph.masks.source import Source
from topograph.masks.torch.checkpoints import state_source
from topograph.packages import require


class TorchReader:
    """What ``torch.save`` wrote, outputs × inputs; memory-mapped where the file's format allows it."""

    @contextmanager
    def open(self, path: Path) -> Iterator[Source]:
        """The tensors, named by their path through the dictionaries."""
        torch = require("torch", "torch")
        size = path.stat().st_size
        zipped = zipfile.is_zipfile(path)
        if zipped:
            with zipfile.ZipFile(path) as archive:
                check_zip(archive, path)
                packed = [member.filename for member in archive.infolist() if member.compress_type]
            if packed:
                raise InvalidMaskError(f"the member {packed[0]!r} is compressed, which torch.save never does")
        # Read whole, an old file cannot make the unpickler reserve more than is there; a new one is mapped instead.
        content: Any = str(path) if zipped else io.BytesIO(path.read_bytes())
        try:
            loaded = torch.load(content, map_location="cpu", weights_only=True, mmap=zipped)
        except Exception as error:
            raise InvalidMaskError(_refusal(error)) from error
        yield state_source(str(path), loaded, path.stem, size)


def _refusal(error: Exception) -> str:
    """What torch says of the file, in a sentence that leads on."""
    text = " ".join(str(error).split())
    if "weights_only" in text.lower() or "WeightsUnpickler" in text:
        detail = text.split("WeightsUnpickler error:")[-1].split("Please file an issue")[0].strip()[:160]
        return (
            "holds a pickle of more than tensors, which is not executed; save model.state_dict() instead "
            f"({detail or type(error).__name__})"
        )
    return f"is no PyTorch file: {type(error).__name__}: {text[:200]}"
