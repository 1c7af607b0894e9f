"""``.pt``, ``.pth``, ``.bin``, ``.ckpt``: PyTorch files, read without executing their pickle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from topograph.errors import InvalidMaskError
from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.limits import check_zip
from topograph.masks.source import Source
from topograph.masks.torch.checkpoints import state_source
from topograph.packages import require


@contextmanager
def open_pytorch(path: Path) -> Iterator[Source]:
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
    """The error of torch about a file, with the next step."""
    text = " ".join(str(error).split())
    if "weights_only" in text.lower() or "WeightsUnpickler" in text:
        detail = text.split("WeightsUnpickler error:")[-1].split("Please file an issue")[0].strip()[:160]
        return (
            "holds a pickle of more than tensors, which is not executed; save model.state_dict() instead "
            f"({detail or type(error).__name__})"
        )
    return f"is not a PyTorch file: {type(error).__name__}: {text[:200]}"


def _write_samples(folder: Path) -> None:
    torch, prune = require("torch", "torch"), require("torch.nn.utils.prune", "torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 2, 2), torch.nn.Linear(6, 4), torch.nn.LSTM(3, 2))
    prune.random_unstructured(model[1], "weight", 0.5)
    torch.save({"state_dict": model.state_dict(), "epoch": 3}, folder / "model.pt")
    mask = torch.tensor(SAMPLE)
    torch.save({"w": mask.to_sparse(), "h": torch.ones(3, 2).bfloat16()}, folder / "sparse.pt")
    torch.save({"w": mask, "name": "old"}, folder / "old.pth", _use_new_zipfile_serialization=False)


FORMAT = Format(
    "pytorch",
    (".pt", ".pth", ".bin", ".ckpt", ".pth.tar", ".tar"),
    "PyTorch state dicts, also within a checkpoint; outputs × inputs",
    open_pytorch,
    _write_samples,
    extra="torch",
)
