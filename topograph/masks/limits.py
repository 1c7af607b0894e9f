"""Sizes that a file may claim, checked before anything of that size is allocated."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from topograph.errors import InvalidMaskError

SMALL = 1 << 30
"""Bytes up to which any expansion is harmless."""
_RATIO = 200
_FREE_NODES, _NODES_PER_BYTE = 1 << 20, 1 << 10
_LONGEST_JSON = 100 << 20


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
    """Refuse data that would grow beyond reason when unpacked: to more than 1 GiB, at more than 200 to 1.

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


def member_file(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """A member of a zip archive as a seekable file; the caller closes it."""
    copy = tempfile.SpooledTemporaryFile(max_size=64 << 20)  # noqa: SIM115 - handed to the caller
    with archive.open(name) as member:
        shutil.copyfileobj(member, copy, 1 << 20)
    copy.seek(0)
    return copy


def parse_json(text: bytes, what: str) -> dict[str, Any]:
    """A JSON object; each key once."""
    if len(text) > _LONGEST_JSON:
        raise InvalidMaskError(f"{what} has {len(text)} bytes, more than {_LONGEST_JSON}")
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
    table = dict(pairs)
    if len(table) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidMaskError(f"the key {twice!r} is given twice")
    return table
