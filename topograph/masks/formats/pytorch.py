"""``.pt``, ``.pth``, ``.bin``, ``.ckpt``: PyTorch files, read without executing their pickle, and without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topograph.masks.formats.format import Format
from topograph.masks.formats.samples import SAMPLE
from topograph.masks.source import Source
from topograph.masks.torch.archive import TorchArchive
from topograph.masks.torch.checkpoints import state_source
from topograph.packages import require


@contextmanager
def open_pytorch(path: Path) -> Iterator[Source]:
    """The tensors that ``torch.save`` or ``torch.jit.save`` wrote, by their path through dictionaries and modules."""
    archive = TorchArchive(path)
    yield state_source(str(path), archive.content, path.stem, archive)


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
    "PyTorch state dicts, also within a checkpoint or a pickled model; outputs × inputs",
    open_pytorch,
    _write_samples,
    extra="torch",
)
