"""Sizes that a file may claim, checked before anything of that size is allocated."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from topograph.errors import InvalidMaskError

SMALL = 1 << 26
"""Bytes up to which any expansion is harmless: as many edges take some ten times as much."""
_RATIO = 200
_FREE_NODES, _NODES_PER_BYTE = 1 << 20, 16
_LONGEST_JSON = 100 << 20
_MOST_CONTAINERS, _MOST_VALUES = 2_000_000, 8_000_000


def check_shape(shape: Iterable[Any]) -> tuple[int, ...]:
    """Accept a shape of non-negative whole numbers."""
    sides = tuple(shape)
    for side in sides:
        if isinstance(side, bool) or not isinstance(side, int) or side < 0:
            raise InvalidMaskError(f"the shape must hold whole numbers of at least 0, but is {list(sides)[:8]}")
    return sides


def check_bytes(what: str, shape: Sequence[int], itemsize: int, available: int) -> None:
    """Refuse a tensor that needs more bytes than are there."""
    needed = math.prod(shape) * itemsize
    if needed > available:
        raise InvalidMaskError(
            f"{what} claims shape {tuple(shape)}, {needed} bytes, but only {available} are there; "
            "the file is truncated or its header is wrong"
        )


def check_expansion(what: str, stored: int, expanded: int) -> None:
    """Refuse data that would grow beyond reason when unpacked: to more than 64 MiB, at more than 200 to 1.

    Examples
    --------
    >>> check_expansion("x", stored=9, expanded=10**10)
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidMaskError: x would expand from 9 to 10000000000 bytes: refused as a decompression bomb; \
if the mask is genuine, save it as a sparse matrix or without compression
    """
    if expanded > SMALL and expanded > _RATIO * stored:
        raise InvalidMaskError(
            f"{what} would expand from {stored} to {expanded} bytes: refused as a decompression bomb; if the "
            "mask is genuine, save it as a sparse matrix or without compression"
        )


class Budget:
    """What one file may cost in all: each part is checked on its own, and together they may not expand beyond reason.

    Parameters
    ----------
    file_bytes
        Size of the file.

    Examples
    --------
    >>> budget = Budget(1000)
    >>> for _ in range(5):
    ...     budget.claim("an array", 10, 2**24)
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidMaskError: the file's arrays together would expand from 1000 to 83886080 bytes: refused \
as a decompression bomb; if the masks are genuine, save them as sparse matrices or without compression
    """

    def __init__(self, file_bytes: int) -> None:
        self.file_bytes, self.claimed = file_bytes, 0

    def claim(self, what: str, stored: int, expanded: int) -> None:
        """Take the bytes of one more part; refuse it when it, or all parts together, expand beyond reason."""
        check_expansion(what, stored, expanded)
        self.claimed += expanded
        if self.claimed > SMALL and self.claimed > _RATIO * self.file_bytes:
            raise InvalidMaskError(
                f"the file's arrays together would expand from {self.file_bytes} to {self.claimed} bytes: refused as a "
                "decompression bomb; if the masks are genuine, save them as sparse matrices or without compression"
            )


def check_nodes(shape: Sequence[int], file_bytes: int) -> None:
    """Refuse a sparse matrix whose sides are out of proportion to its file: each node costs memory, an edge or not."""
    allowed = _FREE_NODES + _NODES_PER_BYTE * file_bytes
    if max(shape, default=0) > allowed:
        raise InvalidMaskError(
            f"claims shape {tuple(shape)}, but a file of {file_bytes} bytes may have at most {allowed} nodes on a side"
        )


def check_zip(archive: zipfile.ZipFile, path: str | os.PathLike[str]) -> None:
    """Refuse an archive that would expand beyond reason, in one member or in all of them together."""
    size = Path(path).stat().st_size
    total = 0
    for member in archive.infolist():
        if member.flag_bits & 0x1:
            raise InvalidMaskError(f"the member {member.filename!r} is encrypted")
        check_expansion(f"the member {member.filename!r}", min(member.compress_size, size), member.file_size)
        total += member.file_size
    check_expansion("the archive", size, total)


def check_one_directory(path: str | os.PathLike[str]) -> None:
    """Refuse a zip archive that two readers could read differently.

    Its only directory must end where its end record begins, nothing may stand before the first member or after the end
    record, and there may be no comment: PyTorch and Python then see the same members.
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        first = file.read(4)
        file.seek(max(size - 22, 0))
        end = file.read(22)
        if first not in (b"PK\x03\x04", b"PK\x05\x06") or end[:4] != b"PK\x05\x06" or end[20:22] != b"\0\0":
            raise InvalidMaskError("has bytes before the archive, behind it, or a comment: readers could differ on it")
        length, offset = int.from_bytes(end[12:16], "little"), int.from_bytes(end[16:20], "little")
        place = size - 22
        file.seek(max(place - 20, 0))
        locator = file.read(20) if place >= 20 else b""
        if locator[:4] == b"PK\x06\x07":  # the 64-bit records of a large archive
            wide = int.from_bytes(locator[8:16], "little")
            if wide + 56 > size:
                raise InvalidMaskError("the archive's directory lies outside the file; the file is truncated")
            file.seek(wide)
            record = file.read(56)
            wide_length, wide_offset = (int.from_bytes(record[at : at + 8], "little") for at in (40, 48))
            if record[:4] != b"PK\x06\x06" or wide + 12 + int.from_bytes(record[4:12], "little") != place - 20:
                raise InvalidMaskError(
                    "the archive's 64-bit directory does not fit the file: readers could differ on it"
                )
            if length not in (0xFFFFFFFF, wide_length) or offset not in (0xFFFFFFFF, wide_offset):
                raise InvalidMaskError("the archive has two directories: readers could differ on it")
            length, offset, place = wide_length, wide_offset, wide
        if offset + length != place:
            raise InvalidMaskError("the archive's directory does not end where it says: readers could differ on it")


@contextmanager
def extracted(archive: zipfile.ZipFile, name: str) -> Iterator[Path]:
    """A member of a zip archive as a file of its own, which is gone when the context ends."""
    with tempfile.TemporaryDirectory(prefix="topograph-") as folder:
        copy = Path(folder, "member")
        with archive.open(name) as member, copy.open("wb") as file:
            shutil.copyfileobj(member, file, 1 << 20)
        yield copy


def parse_json(text: bytes, what: str) -> dict[str, Any]:
    """A JSON object; each key once."""
    if len(text) > _LONGEST_JSON:
        raise InvalidMaskError(f"{what} has {len(text)} bytes, more than {_LONGEST_JSON}")
    if text.count(b"[") + text.count(b"{") > _MOST_CONTAINERS or text.count(b",") > _MOST_VALUES:
        raise InvalidMaskError(f"{what} holds more than {_MOST_CONTAINERS} lists and objects or {_MOST_VALUES} values")
    try:
        parsed = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidMaskError):
            raise
        raise InvalidMaskError(f"{what} is not JSON: {type(error).__name__}: {error}") from error
    if not isinstance(parsed, dict):
        raise InvalidMaskError(f"{what} must be a JSON object, but is a {type(parsed).__name__}")
    return parsed


def inside(folder: Path, name: Any) -> Path:
    """The file ``name`` of a folder, given by something in that folder; nothing else can be reached.

    Links are followed within the folder, and from a Hugging Face snapshot to the blobs of the same repository.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise InvalidMaskError(f"must name a file in the folder, but names {name!r}")
    root = folder.resolve()
    target = (root / name).resolve()
    roots = [root, root.parents[1] / "blobs"] if root.parent.name == "snapshots" else [root]
    if Path(name).is_absolute() or ".." in Path(name).parts or not any(target.is_relative_to(one) for one in roots):
        raise InvalidMaskError(f"names {name!r}, which is outside the folder {folder}")
    if not target.is_file():
        raise InvalidMaskError(f"names {name!r}, which is not in the folder {folder}")
    return target


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise InvalidMaskError(f"the key {key[:200]!r} is given twice")
        table[key] = value
    return table
