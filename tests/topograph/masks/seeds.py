"""Small valid files of every registered format: what the fuzzer mutates."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from topograph.errors import MissingDependencyError
from topograph.masks import available_formats


def seeds() -> dict[str, bytes]:
    """Path of each file below one folder → content, for every format whose packages are installed.

    A path of two parts lies in a folder that is read as a whole.
    """
    files = {}
    for name, one in available_formats().items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                one.write_samples(Path(folder))
            except MissingDependencyError:
                continue
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file():
                    relative = path.relative_to(folder)
                    prefix = f"{name}-" if len(relative.parts) > 1 else ""
                    files[f"{prefix}{relative}"] = path.read_bytes()
    return dict(sorted(files.items()))


def place(folder: Path, name: str, content: bytes, files: dict[str, bytes]) -> Path:
    """Write one file, beside the others of its folder where it has any; returns the path to read."""
    path = folder / name
    if path.parent == folder:
        path.write_bytes(content)
        return path
    path.parent.mkdir(exist_ok=True)
    for other, there in files.items():
        if Path(other).parent == Path(name).parent:
            (folder / other).write_bytes(there)
    path.write_bytes(content)
    return path.parent


def members(content: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and compression of each member of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            yield info.filename, archive.read(info), info.compress_type
