"""`Sandbox`: a process of its own that does one thing at a time, and can be killed without loss to anybody else."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import topograph
import trainers
from topograph.errors import TopographError

_LENGTH = struct.Struct("<Q")
_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
_START = """
import importlib.machinery, importlib.util, json, sys
start = json.loads(sys.argv.pop())
sys.path[:] = start["path"]
for name, folder in start["packages"]:
    found = importlib.machinery.PathFinder.find_spec(name, [folder])
    sys.modules[name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(sys.modules[name])
from trainers.study.engine.sandbox import serve
serve()
"""
"""Runs in the new process: it searches for modules where its owner does, and has the owner's topograph and trainers,
also in a folder that holds packages of these names."""


class SandboxDiedError(TopographError, RuntimeError):
    """The process died for a reason outside the program: a crash in compiled code, a signal, no memory left."""


class SandboxLimitError(TopographError, RuntimeError):
    """The process took too long, or too much memory, and was killed."""


class Sandbox:
    """A Python process that is given functions to call.

    It starts from nothing, so that it shares neither threads nor the main module with its owner, and has one thread for
    each numerical library. It ends when its owner does, however that happens.

    Parameters
    ----------
    memory
        Bytes that the process may hold in memory, None for any number; checked ten times per second (Linux). The
        address space would be easier to limit, but libraries reserve plenty of it.
    first
        A function and its arguments, called once when the process starts; its errors are ignored.

    Examples
    --------
    >>> sandbox = Sandbox()
    >>> sandbox.call(pow, (2, 10))
    1024
    >>> sandbox.kill()
    """

    def __init__(
        self, memory: int | None = None, first: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
    ) -> None:
        self._memory = memory
        self._number = 0
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, _surroundings()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, **_ONE_THREAD, "TQDM_DISABLE": "1"},
            )
        except OSError as error:
            self._errors.close()
            raise SandboxDiedError(f"a worker process could not be started: {error}") from error
        self._ready = False
        with contextlib.suppress(OSError):  # a process that died at once is noticed at the first call
            self._send((os.getpid(), first))

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], timeout: float | None = None) -> Any:
        """Call a function in the process and wait for what it returns.

        Raises
        ------
        SandboxLimitError
            When it takes longer than ``timeout`` seconds, or too much memory; the process is dead then.
        SandboxDiedError
            When the process dies under it.
        Exception
            Whatever the function raises.
        """
        watch = _Watch(self._process, timeout, self._memory)
        try:
            if not self._ready:  # starting is not part of the call
                self._ready = _receive(self._process.stdout)  # type: ignore[arg-type]
            self._forget_output()
            self._number += 1
            self._send((self._number, function, arguments))
            with watch:
                number, good, value = _receive(self._process.stdout)  # type: ignore[arg-type]
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:  # ValueError: killed meanwhile
            words = self._last_words()
            self.kill()
            if watch.verdict:
                raise SandboxLimitError(watch.verdict) from None
            raise SandboxDiedError(words) from error
        if watch.verdict:  # the reply came while the process was being killed
            self.kill()
            raise SandboxLimitError(watch.verdict)
        if number != self._number:
            self.kill()
            raise SandboxDiedError(f"the worker process answered call {number} when it was asked for {self._number}")
        if good:
            return value
        raise value

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError, ValueError):  # ValueError: another thread is closing it, too
                pipe.close()  # type: ignore[union-attr]

    def _send(self, message: Any) -> None:
        _write(self._process.stdin, pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))  # type: ignore[arg-type]

    def _forget_output(self) -> None:
        """Drop what earlier calls printed; the process shares the position in the file."""
        if os.fstat(self._errors.fileno()).st_size > 1 << 16:
            self._errors.seek(0)
            self._errors.truncate()

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if code is None:
            how = "closed its pipe"
        elif code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            how = f"died by {name}" + (": no memory left, or killed by hand" if name == "SIGKILL" else "")
        else:
            how = f"ended with exit status {code}"
        said = ""
        with contextlib.suppress(ValueError):  # closed: it was killed on purpose
            self._errors.seek(0)
            said = self._errors.read()[-4000:].decode(errors="replace").strip()
        return f"the worker process {how}" + (f"\n{said}" if said else "")


def _surroundings() -> str:
    """Where this process finds modules, and in which folders it has found topograph and trainers."""
    try:
        folder = os.getcwd()
    except OSError:  # it was deleted
        folder = ""
    path = [entry or folder for entry in sys.path if entry or folder]
    packages = [(package.__name__, str(Path(package.__path__[0]).parent)) for package in (topograph, trainers)]
    return json.dumps({"path": path, "packages": packages})


class _Watch:
    """Kills a process that oversteps its limits, while a block runs; ``verdict`` says which."""

    def __init__(self, process: subprocess.Popen[bytes], timeout: float | None, memory: int | None) -> None:
        self._process, self._timeout, self._memory = process, timeout, memory
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.verdict = ""

    def __enter__(self) -> None:
        if self._timeout is not None or self._memory is not None:
            self._thread = threading.Thread(target=self._look, daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()  # its verdict is final then

    def _look(self) -> None:
        end = math.inf if self._timeout is None else time.monotonic() + self._timeout
        while not self._over.wait(max(0.0, min(0.1, end - time.monotonic()))):
            if time.monotonic() >= end:
                self.verdict = f"took longer than the timeout of {self._timeout:g} s, and was stopped"
            elif self._memory is not None and (held := _resident(self._process.pid)) > self._memory:
                self.verdict = (
                    f"its process held {held / 2**20:.0f} MiB of memory, more than the {self._memory / 2**20:.0f} MiB "
                    "allowed, and was stopped"
                )
            if self.verdict:
                self._process.kill()
                return


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def serve() -> None:
    """The loop of the process itself: receive a call, make it, reply."""
    import faulthandler

    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # output of a trainer must not come between the replies
    faulthandler.enable()
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner to answer
    me, folder = os.getpid(), os.path.abspath(os.curdir) if os.path.isdir(os.curdir) else os.sep
    owner, first = _receive(requests)
    threading.Thread(target=_follow, args=(owner,), daemon=True).start()
    if first is not None:
        with contextlib.suppress(Exception):
            first[0](*first[1])
    _write(replies, pickle.dumps(True))
    while True:
        try:
            number, function, arguments = _receive(requests)
        except EOFError:
            return
        good, value = True, None
        try:
            value = function(*arguments)
        except BaseException as error:
            good, value = False, error
        if os.getpid() != me:  # a copy that the function made of this process: only the original replies
            os._exit(0)
        with contextlib.suppress(OSError):
            os.chdir(folder)
        _write(replies, _packed(number, good, value))


def _packed(number: int, good: bool, value: Any) -> bytes:
    """A reply as bytes; an error in its place when the owner could not read it."""
    try:
        data = pickle.dumps((number, good, value), protocol=pickle.HIGHEST_PROTOCOL)
        if not good:
            pickle.loads(data)
        return data
    except BaseException as error:
        words = f"{type(value).__name__}: {value}" if not good else f"the value cannot be sent back: {error}"
        return pickle.dumps((number, False, RuntimeError(words)), protocol=pickle.HIGHEST_PROTOCOL)


def _follow(owner: int) -> None:
    """End with the owner, in the middle of whatever is going on: nobody would read the result."""
    while os.getppid() == owner:
        time.sleep(0.2)
    os._exit(1)


def _write(pipe: BinaryIO, data: bytes) -> None:
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _receive(pipe: BinaryIO) -> Any:
    header = pipe.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(header)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)
