"""`Hdf5File`: an HDF5 file from a stranger, read by a process that may die."""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidMaskError
from topograph.limits import check_shape
from topograph.packages import require

CHILD = Path(__file__).with_name("hdf5_child.py")
_MEMORY = 1 << 30
_LONGEST_REPLY = 1 << 30


@dataclass(frozen=True)
class Hdf5Array:
    """One array of the file, seen but not yet read."""

    number: int
    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stored: int
    """Bytes that it takes in the file."""
    named: str | None
    """Name of its number format where HDF5 has none."""
    problem: str
    """Why it cannot be read; empty when it can."""


class Hdf5File:
    """What an HDF5 file holds, by a process of its own with limits of time and memory.

    The HDF5 library may crash or never end on a damaged file, and nothing in Python can interrupt it. So it runs
    elsewhere: the death of that process is an `InvalidMaskError`. Links to other files are not followed.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InvalidMaskError
        When it cannot be read, or takes longer than its size can explain.
    MissingDependencyError
        When h5py is not installed.
    """

    arrays: tuple[Hdf5Array, ...]
    names: Mapping[str, str]
    """Path of a group of variables → the name that Keras gave it."""
    links: tuple[tuple[str, str], ...]
    """Path and reason of what was not followed."""
    config: str | None
    """Keras' description of the model, as JSON."""

    def __init__(self, path: Path) -> None:
        require("h5py", "keras")
        self.size = path.stat().st_size
        self._process: subprocess.Popen[bytes] | None = None
        try:
            about, _ = self._ask({"path": os.fspath(path.resolve())}, seconds=3 + self.size / 1e6, memory=_MEMORY)
            self.arrays = tuple(_array(number, row) for number, row in enumerate(about["arrays"]))
            self.names = {str(key): str(value) for key, value in about["names"].items()}
            self.links = tuple((str(place), str(reason)) for place, reason in about["links"])
            self.config = about["config"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Hdf5File:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def read(self, array: Hdf5Array) -> npt.NDArray[Any]:
        """The values of an array."""
        needed = math.prod(array.shape) * array.dtype.itemsize
        request = {"array": array.number}
        _, content = self._ask(request, seconds=3 + needed / 2e7, memory=_MEMORY + 4 * needed, most=needed)
        if len(content) != needed:
            raise InvalidMaskError(f"the array {array.path!r} has {len(content)} bytes, but its shape needs {needed}")
        return np.frombuffer(content, dtype=array.dtype).reshape(array.shape)

    def _ask(
        self, request: dict[str, Any], *, seconds: float, memory: int, most: int = 0
    ) -> tuple[dict[str, Any], bytearray]:
        process = self._running()
        assert process.stdin is not None
        line = json.dumps({**request, "seconds": seconds, "memory": memory}) + "\n"
        deadline = time.monotonic() + 30 + 10 * seconds  # the processor may be busy: its own clock decides before
        try:
            process.stdin.write(line.encode())
            process.stdin.flush()
            head = self._receive(16, deadline)
            lengths = [int.from_bytes(head[at : at + 8], "little") for at in (0, 8)]
            if lengths[0] > _LONGEST_REPLY or lengths[1] > most:
                raise InvalidMaskError("the HDF5 library gave more than the file can hold")
            about = json.loads(self._receive(lengths[0], deadline))
            content = self._receive(lengths[1], deadline)
        except (OSError, EOFError, ValueError) as error:
            if isinstance(error, InvalidMaskError):
                raise
            self.close()
            raise InvalidMaskError(f"the HDF5 library failed on this file ({error}); the file is damaged") from error
        if "error" in about:
            raise InvalidMaskError(f"the HDF5 library says: {about['error']}")
        return about, content

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-P", os.fspath(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        return self._process

    def _receive(self, count: int, deadline: float) -> bytearray:
        process = self._running()
        assert process.stdout is not None
        received, handle = bytearray(), process.stdout.fileno()
        while len(received) < count:
            if (
                sys.platform != "win32"
                and not select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]
            ):
                raise OSError("it took too long")
            piece = os.read(handle, min(count - len(received), 1 << 20))
            if not piece:
                code = process.wait()
                raise EOFError("it took too long" if code == -24 else f"its process ended with code {code}")
            received += piece
        return received


def _array(number: int, row: Any) -> Hdf5Array:
    path, shape, kind, stored, named, problem = row
    dtype = np.dtype(kind) if not problem else np.dtype("u1")
    return Hdf5Array(number, str(path), check_shape(shape), dtype, int(stored), named, str(problem))
