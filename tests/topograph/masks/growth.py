"""Files that grow: ten times the file may take at most twelve times the time.

    python -m tests.topograph.masks.growth

One line for every kind of claim that could cost more than in proportion. Processor time is taken, the least of three.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import resource
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import topograph as tg
from topograph.errors import InvalidMaskError

ALLOWED = 12.0


def _safetensors(header: Mapping[str, Any] | bytes, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _named(names: list[str]) -> bytes:
    header = {name: {"dtype": "U8", "shape": [1, 1], "data_offsets": [n, n + 1]} for n, name in enumerate(names)}
    return _safetensors(header, b"\1" * len(names))


def many_tensors(size: int) -> tuple[str, bytes]:
    """Tensors of one number each."""
    return ".safetensors", _named([f"layers.{n}.experts.{n}.weight" for n in range(size)])


def doubled_key(size: int) -> tuple[str, bytes]:
    """A header whose last key stands there twice."""
    keys = ",".join(f'"{n}":0' for n in range(20 * size))
    return ".safetensors", _safetensors(f'{{{keys},"{20 * size - 1}":0}}'.encode(), b"")


def long_names(size: int) -> tuple[str, bytes]:
    """Names of many letters, of the kinds that regular expressions take n² for."""
    return ".safetensors", _named(["w" * 20 * size, "parametrizations." * size, "a." * 10 * size + "weight"])


def shared_lists(size: int) -> tuple[str, bytes]:
    """Each list holds the one before twice."""
    lists = b"\x80\x02]q\0" + b"(h\0h\0lq\0" * size + b"."
    head = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return ".pth", head + lists + pickle.dumps([], 2)


def white_space(size: int) -> tuple[str, bytes]:
    """An edge list whose first comment is blanks."""
    return ".csv", ("# 4" + " " * 20 * size + "x\n0,1\n").encode()


def edges(size: int) -> tuple[str, bytes]:
    """An edge list."""
    rows = np.unique(np.random.default_rng(0).integers(0, size, (10 * size, 2)), axis=0)
    return ".csv", ("source,target\n" + "\n".join(f"{a},{b}" for a, b in rows)).encode()


def one_line(size: int) -> tuple[str, bytes]:
    """A matrix of one line with many columns."""
    return ".mtx", ("%%MatrixMarket matrix array real general\n1 1\n" + "1 " * 100 * size + "\n").encode()


def remarks(size: int) -> tuple[str, bytes]:
    """An edge list with a long run of blanks in a field."""
    return ".csv", ("source,target\n0,1" + " " * 20 * size + "x\n1,1\n").encode()


def empty_lines(size: int) -> tuple[str, bytes]:
    """A Pajek file of empty lines."""
    return ".net", ("\n" * 20 * size + "*Vertices 2\n1\n2\n*Arcs\n1 2\n").encode()


KINDS: tuple[Callable[[int], tuple[str, bytes]], ...] = (
    many_tensors,
    doubled_key,
    long_names,
    shared_lists,
    white_space,
    edges,
    one_line,
    remarks,
    empty_lines,
)


def seconds(write: Callable[[int], tuple[str, bytes]], size: int) -> float:
    """Processor time to read a file of a size; the least of three."""
    ending, content = write(size)
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"m{ending}")
        path.write_bytes(content)
        for _ in range(3):
            begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime
            with contextlib.suppress(InvalidMaskError):
                tg.load(path)
            taken.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - begin)
    return min(taken)


def main() -> int:
    """Print one line per kind; the exit status is the number of those that grow too fast."""
    failures = 0
    for write in KINDS:
        seconds(write, 10)
        small, large = seconds(write, 1000), seconds(write, 10_000)
        grown = large / max(small, 0.05)
        failures += grown > ALLOWED
        verdict = "" if grown <= ALLOWED else "too much"
        print(f"{write.__name__:16} {small:8.3f} s {large:8.3f} s {grown:6.1f} × {verdict}", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
