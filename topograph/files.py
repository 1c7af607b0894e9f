"""Files that appear whole or not at all, and never in the place of what they were made from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from topograph.errors import InvalidParameterError

_DATABASE = b"SQLite format 3\0"
_BESIDE_A_STORE = ("-wal", "-shm", "-journal", ".lock")


@contextmanager
def whole(target: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]] = ()) -> Iterator[IO[bytes]]:
    """A file to write into, which takes its place only once everything is written.

    After an error, a kill or on a full disk, an earlier file of that name is as it was. A link stays a link, and its
    file is replaced. Devices and pipes, such as ``/dev/stdout``, are written to directly.

    Parameters
    ----------
    target
        Path of the file.
    inputs
        Files and folders that the content is made from.

    Raises
    ------
    InvalidParameterError
        When ``target`` is one of the inputs, or a database; see `check_output`.
    OSError
        When the file cannot be written.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with whole(folder / "a.txt") as file:
    ...     _ = file.write(b"all of it")
    >>> (folder / "a.txt").read_text(), len(list(folder.iterdir()))
    ('all of it', 1)
    """
    path = check_output(target, inputs)
    if os.path.exists(path) and not os.path.isfile(path):
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
        with path.open("wb") as file:
            yield file
        return
    real = path.resolve()
    if not real.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {real.parent}")
    descriptor, name = tempfile.mkstemp(prefix=f".{real.name[:100]}.", suffix=".partial", dir=real.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(_mode(real))
        partial.replace(real)
    finally:
        partial.unlink(missing_ok=True)


def check_output(target: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]] = ()) -> Path:
    """Accept a path to write to; one that already holds something else than an input or a database, too.

    Parameters
    ----------
    target
        Path of the file to write.
    inputs
        Files, folders and stores that are read for it.

    Raises
    ------
    InvalidParameterError
        When ``target`` is, under this or another name, an input, a file in an input folder, or a file that belongs to
        an input store; or when it is a database, such as the store of another study.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a.txt").touch()
    >>> (folder / "b.txt").hardlink_to(folder / "a.txt")
    >>> check_output(folder / "b.txt", [folder / "a.txt"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    topograph.errors.InvalidParameterError: ... is read and would be overwritten; choose another file to write to
    """
    path = Path(target)
    if "\0" in str(path):
        raise InvalidParameterError(f"{str(path)!r} cannot be the name of a file")
    refused = InvalidParameterError(f"{path} is read and would be overwritten; choose another file to write to")
    for source in map(Path, inputs):
        if os.path.isdir(source):
            if os.path.exists(path) and path.resolve().is_relative_to(source.resolve()):
                raise refused
            continue
        for suffix in ("", *_BESIDE_A_STORE):
            if _same(path, source.with_name(source.name + suffix)):
                raise refused
    if os.path.isfile(path):
        with path.open("rb") as file:
            if file.read(len(_DATABASE)) == _DATABASE:
                raise InvalidParameterError(f"{path} is a database, perhaps a study's results; choose another file")
    return path


def _same(first: Path, second: Path) -> bool:
    """Whether two paths are one file, through links, or would be if they existed."""
    with suppress(OSError):
        return first.samefile(second)
    return os.path.realpath(first) == os.path.realpath(second)


def _mode(path: Path) -> int:
    """Permissions of a file: as it has them, or as new files get them."""
    with suppress(OSError):
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
