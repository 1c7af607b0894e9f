"""Opening the file of a store: by one writer, known by the identity of the file, or by any number of readers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import filelock

from topograph.errors import StoreError, TopographError
from trainers.study.store.schema import prepare

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_WAL_MARK = slice(18, 20)  # of a database's header: the versions of its format, 2 while a write-ahead log belongs to it


def check_path(path: str | os.PathLike[str]) -> Path:
    """Accept the path of a store.

    Raises
    ------
    StoreError
        When it cannot be the path of a file.
    """
    text = os.fsdecode(os.fspath(path))
    if not text or "\0" in text:
        raise StoreError(f"a store is a file, but its path is {text!r}")
    if Path(text).name == ":memory:":
        raise StoreError("a store in memory would keep nothing; give the path of a file instead of ':memory:'")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise StoreError(f"the path {text!a} cannot be the name of a file") from None
    return Path(text)


def check_is_file(path: Path) -> None:
    """Refuse folders, pipes and devices; a path where there is nothing passes.

    Raises
    ------
    StoreError
    """
    if os.path.isfile(os.path.join(path, "study.json")):
        raise StoreError(f"{path} is published results, which nothing is trained into; name a .sqlite file")
    if os.path.isdir(path):
        raise StoreError(f"{path} is a folder, not a store; name a .sqlite file")
    if os.path.exists(path) and not os.path.isfile(path):
        raise StoreError(f"{path} is not a file; name a .sqlite file")


@contextmanager
def written(path: Path) -> Iterator[sqlite3.Connection]:
    """The one connection that writes to a store; the file is made where there is none.

    Raises
    ------
    StoreError
        When another process is writing, the file cannot be written or is not a store of this version, or the disk is
        full.
    """
    try:
        real = path.resolve()
        real.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise StoreError(f"{path} cannot be written: {error}") from error
    check_is_file(real)
    with _locked(path, real), _opened(path, real) as connection:
        prepare(connection, path, create=True)
        connection.execute("PRAGMA journal_mode = WAL")
        try:
            yield connection
        finally:
            with suppress(sqlite3.Error):  # not while somebody reads; it can wait for the next time
                connection.execute("PRAGMA busy_timeout = 200")
                connection.execute("PRAGMA journal_mode = DELETE")  # one plain file, that can be read anywhere


@contextmanager
def read(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads a store, also in a folder where nothing can be written.

    Raises
    ------
    StoreError
        When there is no such store, or it is damaged.
    """
    with readable(path) as connection:
        prepare(connection, path, create=False)
        with damage_said(path):
            yield connection


@contextmanager
def readable(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads a database, whatever it holds.

    Raises
    ------
    StoreError
    """
    check_is_file(path)
    if not os.path.isfile(path):
        raise StoreError(f"{path}: no such store; run a study first: topograph study run SPEC --store STORE")
    real = path.resolve()
    _check_links(path, real)
    with _opened(path, real, reading=True) as connection:
        if _is_writable(real.parent) or _works(connection):
            yield connection
            return
    with _unwritable(path, real) as connection:
        yield connection


@contextmanager
def damage_said(path: Path) -> Iterator[None]:
    """Errors in what a store holds, as our own.

    Raises
    ------
    StoreError
    """
    try:
        yield
    except (TopographError, sqlite3.Error):
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError, RecursionError) as error:
        raise StoreError(
            f"{path} holds a damaged record ({type(error).__name__}: {error}); restore the file from a copy"
        ) from error


# ---------------------------------------------------------------------- opening


@contextmanager
def _opened(path: Path, real: Path, reading: bool = False) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(real, timeout=30)
    except (sqlite3.Error, ValueError) as error:
        raise StoreError(f"{path} cannot be opened: {error}") from error
    try:
        yield connection
    except sqlite3.Error as error:
        damaged = "malformed" in str(error) or "not a database" in str(error)
        advice = "; restore the file from a copy" if damaged else "" if reading else ". What was written before is safe"
        raise StoreError(f"{path}: {error}{advice}") from error
    finally:
        connection.close()


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, as a write-ahead log needs them."""
    effective = os.access in os.supports_effective_ids
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)


def _works(connection: sqlite3.Connection) -> bool:
    """Whether a database can be read; one with a write-ahead log cannot where no file can be made beside it."""
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR)
    except sqlite3.DatabaseError:
        return True  # it is not a database: the caller says so
    return True


@contextmanager
def _unwritable(path: Path, real: Path) -> Iterator[sqlite3.Connection]:
    """A database whose folder cannot be written: as it lies there, or with its log in a copy."""
    log = real.with_name(real.name + "-wal")
    with tempfile.TemporaryDirectory() as folder:
        if log.is_file() and log.stat().st_size:
            try:
                for source in (real, log):
                    shutil.copyfile(source, Path(folder) / source.name)
            except OSError as error:
                raise StoreError(f"{path} cannot be read: {error}") from error
            address = f"file:{quote(str(Path(folder) / real.name))}"
        else:
            address = f"file:{quote(str(real))}?mode=ro&immutable=1"
        try:
            with closing(sqlite3.connect(address, uri=True)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be read: {error}") from error


# ---------------------------------------------------------------------- locks


@contextmanager
def _locked(path: Path, real: Path) -> Iterator[None]:
    """Keep other writers out, whatever name they know the file by."""
    busy = StoreError(f"{path} is being written by another process; wait for it, or stop it")
    lock = filelock.FileLock(f"{real}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise busy from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
    try:
        try:
            file = real.open("ab")
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        with file:
            if not _claimed(file.fileno()):
                raise busy
            _check_links(path, real)
            yield
    finally:
        lock.release()


def _claimed(descriptor: int) -> bool:
    """Lock the file itself, which hard links share, on a byte that SQLite never uses; False when somebody else has."""
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        return True
    claim = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 1 << 62, 1, 0)
    try:
        fcntl.fcntl(descriptor, command, claim)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without such locks
        return True
    return True


def _check_links(path: Path, real: Path) -> None:
    """Refuse a file whose write-ahead log lies beside another name of it: without the log it is incomplete.

    Raises
    ------
    StoreError
    """
    try:
        if real.stat().st_nlink < 2 or real.with_name(real.name + "-wal").exists():
            return
        with real.open("rb") as file:
            mark = file.read(_WAL_MARK.stop)[_WAL_MARK]
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    if mark == b"\2\2":
        raise StoreError(
            f"{path} has another name (a hard link), under which it is being written or was not closed: use that name, "
            "or a copy of the file"
        )
