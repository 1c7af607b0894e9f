"""`Sandbox`: a process of its own that does one thing at a time, and can be killed without loss to anybody else."""

from __future__ import annotations

import contextlib
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
from typing import Any, BinaryIO

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


class SandboxDiedError(TopographError, RuntimeError):
    """The process died, for a reason outside the program: a crash in compiled code, a signal, no memory left."""


class SandboxLimitError(TopographError, RuntimeError):
    """The process took too long, or too much memory, and was killed."""


class Sandbox:
    """A Python process that is given functions to call.

    It starts from nothing, so that neither threads nor the caller's main module come along, with one thread for each
    numerical library. It ends when its owner does, however that happens.

    Parameters
    ----------
    memory
        Bytes that the process may hold in memory, None for any; looked at ten times a second (Linux). Address space
        would be easier to limit, but libraries reserve it in plenty.
    first
        A function and its arguments, called once when the process starts; its errors are passed over.

    Examples
    --------
    >>> cell = Sandbox()
    >>> cell.call(pow, (2, 10))
    1024
    >>> cell.kill()
    """

    def __init__(
        self, memory: int | None = None, first: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
    ) -> None:
        self._memory = memory
        self._first = first
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from trainers.study.engine.sandbox import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": paths, "TQDM_DISABLE": "1"},
        )
        self._ready = False
        with contextlib.suppress(OSError):  # a process that died at once is noticed at the first call
            self._send((os.getpid(), first))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], timeout: float | None = None) -> Any:
        """Call a function over there and wait for what it returns.

        Raises
        ------
        SandboxLimitError
            When it takes longer than ``timeout`` seconds, or too much memory; the cell is dead then.
        SandboxDiedError
            When the process dies under it; so is the cell.
        Exception
            Whatever the function raises.
        """
        watch = _Watch(self._process, timeout, self._memory)
        try:
            if not self._ready:  # starting is not part of the call
                self._ready = _receive(self._process.stdout)  # type: ignore[arg-type]
            self._forget_output()
            self._send((function, arguments))
            with watch:
                good, value = _receive(self._process.stdout)  # type: ignore[arg-type]
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:  # ValueError: killed meanwhile
            words = self._last_words()
            self.kill()
            if watch.verdict:
                raise SandboxLimitError(watch.verdict) from None
            raise SandboxDiedError(words) from error
        if good:
            return value
        raise value

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def _send(self, message: Any) -> None:
        _send(self._process.stdin, message)  # type: ignore[arg-type]

    def _forget_output(self) -> None:
        """What was printed in earlier calls; the position in the file is shared with the process."""
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


class _Watch:
    """Kills a process that oversteps its limits, while a block runs; ``verdict`` says which."""

    def __init__(self, process: subprocess.Popen[bytes], timeout: float | None, memory: int | None) -> None:
        self._process, self._timeout, self._memory = process, timeout, memory
        self._over = threading.Event()
        self._limited = timeout is not None or memory is not None
        self.verdict = ""

    def __enter__(self) -> None:
        if self._limited:
            threading.Thread(target=self._look, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._over.set()

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
    """The other side: what the process does."""
    import faulthandler

    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what a trainer prints must not come between the replies
    faulthandler.enable()
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to answer
    owner, first = _receive(requests)
    threading.Thread(target=_follow, args=(owner,), daemon=True).start()
    if first is not None:
        with contextlib.suppress(Exception):
            first[0](*first[1])
    _send(replies, True)
    while True:
        try:
            function, arguments = _receive(requests)
        except EOFError:
            return
        try:
            reply = True, function(*arguments)
        except BaseException as error:
            reply = False, error
        _send(replies, reply)


def _follow(owner: int) -> None:
    """End with the owner, in the middle of whatever is going on: nobody would read what comes of it."""
    while os.getppid() == owner:
        time.sleep(0.2)
    os._exit(1)


def _send(pipe: BinaryIO, message: Any) -> None:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
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
