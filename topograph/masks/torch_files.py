"""PyTorch files: state dicts, also deep in a checkpoint, read without executing their pickle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from topograph.errors import InvalidMaskError
from topograph.masks.limits import check_zip
from topograph.masks.packages import require
from topograph.masks.source import Source
from topograph.masks.state_dicts import Stored, state_entries
from topograph.masks.torch_tensors import stored_tensor

_DEEPEST = 32


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


def state_source(label: str, loaded: Any, name: str = "tensor", file_bytes: int | None = None) -> Source:
    """A state dict, a checkpoint that holds one, or a lone tensor, as a source."""
    tensors = _flatten(loaded, "" if isinstance(loaded, Mapping) else name, file_bytes)
    return Source(label, tuple(state_entries(dict(tensors))))


def _flatten(value: Any, name: str, file_bytes: int | None, depth: int = 0) -> Iterator[tuple[str, Stored]]:
    if depth > _DEEPEST:
        raise InvalidMaskError(f"is nested more than {_DEEPEST} deep")
    pairs = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, (list, tuple)) else None
    )
    if pairs is not None:
        for key, item in pairs:
            yield from _flatten(item, f"{name}.{key}" if name else str(key), file_bytes, depth + 1)
    elif hasattr(value, "is_meta"):
        yield name, stored_tensor(value, file_bytes)
    else:
        yield name, Stored((), lambda: None, f"is no tensor but {type(value).__name__}")


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
