"""Mutated files of every format: each must end in success or in `InvalidMaskError`.

    python -m tests.topograph.masks.fuzz --files 100000

Each file follows from the seed and its number alone, so a finding is repeated with ``--only NUMBER``. Files are read in
worker processes with limited memory and time: a crash, a hang or a hunger for memory is a finding, too.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from types import FrameType

import numpy as np

from tests.topograph.masks.seeds import members, place, seeds
from topograph import load
from topograph.errors import InvalidMaskError

LONGEST = 5  # seconds of a processor per file
WALL = 60  # seconds per file, on a machine that is busy with other things
MEMORY = 4 << 30  # bytes beyond what the libraries take for themselves
EXTREMES = [0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 10**12]
TEXTS = [b"-1", b"999999999999", b"1e400", b"[]", b"{}", b"null", b"../../etc/passwd", b"nan", b"\xff\xfe", b"0" * 300]


def mutate(content: bytes, random: np.random.Generator, others: list[bytes]) -> bytes:
    """One to three small changes."""
    data = bytearray(content)
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        if not data:
            break
        at = int(random.integers(len(data)))
        span = int(random.integers(1, 65))
        kind = random.integers(9)
        if kind == 0:
            data[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            data[at] = int(random.integers(256))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + span]
        elif kind == 4:
            data[at:at] = random.bytes(span)
        elif kind == 5:
            data[at:at] = data[at : at + span]
        elif kind == 6:
            size = int(random.choice([1, 2, 4, 8]))
            value = int(EXTREMES[int(random.integers(len(EXTREMES)))]) & ((1 << 8 * size) - 1)
            data[at : at + size] = value.to_bytes(size, "little")
        elif kind == 7:
            data[at : at + int(random.integers(1, 6))] = TEXTS[int(random.integers(len(TEXTS)))]
        else:
            other = others[int(random.integers(len(others)))]
            start = int(random.integers(len(other)))
            data[at : at + span] = other[start : start + span]
    return bytes(data)


def variant(number: int, seed: int, files: dict[str, bytes], endings: tuple[str, ...] = ("",)) -> tuple[str, bytes]:
    """The name and content of the file of a number: mutated as a whole, or in one member of its archive."""
    random = np.random.default_rng([seed, number])
    names = sorted(name for name in files if name.endswith(endings))
    name = names[number % len(names)]
    content, others = files[name], list(files.values())
    if zipfile.is_zipfile(BytesIO(content)) and random.random() < 0.6:
        parts = list(members(content))
        sizes = np.array([len(part) + 50 for _, part, _ in parts], dtype=float)
        chosen = (
            int(random.choice(len(parts), p=sizes / sizes.sum()))
            if random.random() < 0.5
            else int(random.integers(len(parts)))
        )
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for place, (member, part, compression) in enumerate(parts):
                changed = mutate(part, random, others) if place == chosen else part
                archive.writestr(zipfile.ZipInfo(member), changed, compress_type=compression)
        return name, packed.getvalue()
    if name.endswith(".safetensors") and random.random() < 0.6:  # a header of the right length
        length = int.from_bytes(content[:8], "little")
        header = mutate(content[8 : 8 + length], random, others)
        return name, len(header).to_bytes(8, "little") + header + content[8 + length :]
    return name, mutate(content, random, others)


def attempt(path: Path) -> tuple[str, str]:
    """What comes of reading a file: ``ok``, ``refused`` with the fault's kind, or ``finding`` with the error."""
    try:
        load(path)
        if path.suffix in (".onnx", ".keras"):  # which say strides and paddings
            load(path, unfold="unrolled", geometry=(6, 6))
    except InvalidMaskError as error:
        if str(path) not in str(error):
            return "finding", f"the message does not name the file: {error}"
        cause = error.__cause__
        while isinstance(cause, InvalidMaskError):
            cause = cause.__cause__
        return "refused", type(cause).__name__ if cause is not None else "InvalidMaskError"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "finding", f"{type(error).__name__}: {error}"
    return "ok", ""


class TooSlowError(BaseException):
    """A file took longer than `LONGEST` or `WALL` seconds."""


def _alarm(signal_number: int, frame: FrameType | None) -> None:
    raise TooSlowError(f"more than {LONGEST} s of a processor, or {WALL} s")


def worker(start: int, stop: int, step: int, seed: int, folder: Path, endings: tuple[str, ...]) -> None:
    """Read the files of some numbers; one line of JSON for each, written before and after."""
    warnings.simplefilter("ignore")
    files = seeds()
    folder = folder / str(os.getpid())
    folder.mkdir()
    for name, content in files.items():  # imports every library before memory is limited
        result = attempt(place(folder, name, content, files))
        assert result[0] == "ok", (name, result)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    signal.signal(signal.SIGALRM, _alarm)
    signal.signal(signal.SIGPROF, _alarm)
    for number in range(start, stop, step):
        name, content = variant(number, seed, files, endings)
        path = place(folder, name, content, files)
        print(json.dumps([number, name, "begin", ""]), flush=True)
        signal.alarm(WALL)
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        outcome, detail = attempt(path)
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps([number, name, outcome, detail[:500]]), flush=True)
    print(json.dumps([-1, "", "memory", str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)]), flush=True)


def run(total: int, seed: int, workers: int, endings: tuple[str, ...] = ("",)) -> int:
    """Spread the numbers over workers, gather what they say, and print the tally."""
    tally: collections.Counter[tuple[str, str]] = collections.Counter()
    causes: collections.Counter[str] = collections.Counter()
    findings, peak, began = [], 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        following = list(range(workers))
        running: list[tuple[int, subprocess.Popen[str]]] = []

        def begin(lane: int) -> None:
            command = [sys.executable, "-m", "tests.topograph.masks.fuzz", "--worker", str(following[lane]), str(total)]
            command += ["--workers", str(workers), "--seed", str(seed), "--folder", folder, "--endings", *endings]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            running.append((lane, process))

        for lane in range(workers):
            begin(lane)
        while running:
            lane, process = running.pop(0)
            assert process.stdout is not None
            last = None
            for line in process.stdout:
                number, name, outcome, detail = json.loads(line)
                if outcome == "begin":
                    last = (number, name)
                    following[lane] = number + workers
                elif outcome == "memory":
                    peak = max(peak, int(detail))
                else:
                    last = None
                    tally[name, outcome] += 1
                    causes[detail if outcome == "refused" else outcome] += 1
                    if outcome == "finding":
                        findings.append((number, name, detail))
            process.stdout.close()
            code = process.wait()
            if code:
                if last is None:
                    raise SystemExit(f"a worker ended with code {code} before it read a file")
                findings.append((*last, f"the process ended with code {code}"))
                tally[last[1], "finding"] += 1
                begin(lane)
    for name in sorted({name for name, _ in tally}):
        print(f"{name:<32}" + "".join(f"{kind} {tally[name, kind]:>6}  " for kind in ("ok", "refused", "finding")))
    print(f"refused for: {dict(causes.most_common())}")
    print(f"{sum(tally.values())} files in {time.monotonic() - began:.0f} s, peak memory {peak / 1024:.0f} MiB")
    for number, name, detail in findings[:50]:
        print(f"FINDING {number} {name}: {detail}")
    return 1 if findings else 0


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--endings", nargs="+", default=[""], help="endings of the files, such as .pt .h5; by default all"
    )
    parser.add_argument("--only", type=int, help="read one file by its number and show its error")
    parser.add_argument("--worker", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(*options.worker, options.workers, options.seed, options.folder, tuple(options.endings))
        return 0
    if options.only is not None:
        files = seeds()
        name, content = variant(options.only, options.seed, files, tuple(options.endings))
        with tempfile.TemporaryDirectory() as folder:
            print(load(place(Path(folder), name, content, files)))
        return 0
    return run(options.files, options.seed, options.workers, tuple(options.endings))


if __name__ == "__main__":
    sys.exit(main())
