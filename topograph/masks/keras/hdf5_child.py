"""Runs in a process of its own: reads one HDF5 file and answers what is in it. Imports nothing of ours.

The HDF5 library may crash or loop for ever on a damaged file; then only this process dies. It follows no link to
another file. Requests come as lines of JSON, replies go as a length, JSON and raw bytes: `topograph.masks.hdf5`.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from typing import Any

MOST_OBJECTS = 200_000
DEEPEST = 64


def limit(cpu_seconds: float, memory: int) -> None:
    """Let the system end this process when it takes more time of a processor, or more memory."""
    try:
        import resource
    except ImportError:  # Windows: the parent's own limit remains
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime + cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            memory += int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))


def text_attribute(item: Any, name: str, size: int) -> str | None:
    """A text attribute; None when there is none."""
    if name not in item.attrs:
        return None
    handle = item.attrs.get_id(name)
    if math.prod(handle.shape or ()) > 1 or handle.get_storage_size() > size:
        raise ValueError(f"the attribute {name!r} is not a single text")
    value = item.attrs[name]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def walk(group: Any, path: str, depth: int, seen: set[Any], left: list[int]) -> Iterator[tuple[str, Any, str]]:
    """Each object below a group with its path, and why it was not opened; a hard link to what was seen is a link."""
    import h5py

    if depth > DEEPEST:
        yield path, None, f"is nested more than {DEEPEST} deep"
        return
    for name in group:
        place = f"{path}/{name}" if path else name
        left[0] -= 1
        if left[0] < 0:
            raise ValueError(f"holds more than {MOST_OBJECTS} objects")
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield place, None, f"is a link into another file, {link.filename!r}: not followed"
        elif not isinstance(link, h5py.HardLink):
            yield place, None, "is a link: not followed"
        else:
            item = group[name]
            info = h5py.h5o.get_info(item.id)
            if (info.fileno, info.addr) in seen:
                yield place, None, "is a second name of something that is read under its first: not followed"
                continue
            seen.add((info.fileno, info.addr))
            if isinstance(item, (h5py.Group, h5py.Dataset)):
                yield place, item, ""
            if isinstance(item, h5py.Group):
                yield from walk(item, place, depth + 1, seen, left)


def listing(file: Any, size: int) -> tuple[dict[str, Any], list[Any]]:
    """What the file holds, and its arrays in the order of the list."""
    import h5py

    arrays: list[Any] = []
    rows: list[Any] = []
    names: dict[str, str] = {}
    links: list[Any] = []
    for path, item, problem in walk(file, "", 0, set(), [MOST_OBJECTS]):
        if item is None:
            links.append([path, problem])
        elif isinstance(item, h5py.Group):
            if path.rpartition("/")[2] == "vars":
                name = text_attribute(item, "name", size)
                if name is not None:
                    names[path] = name
        else:
            arrays.append(item)
            rows.append([path, *describe(item, size)])
    config = text_attribute(file, "model_config", size)
    return {"arrays": rows, "names": names, "links": links, "config": config}, arrays


def describe(dataset: Any, size: int) -> list[Any]:
    """Shape, number format, bytes in the file, Keras' name of the format, and why it cannot be read."""
    shape = dataset.shape
    problem, named = "", None
    if shape is None:
        problem = "is empty"
    elif dataset.external:
        problem = "lies in another file, which is not opened"
    elif dataset.is_virtual:
        problem = "is put together from other files, which are not opened"
    elif dataset.dtype.kind == "V":
        named = text_attribute(dataset, "dtype", size)
    elif dataset.dtype.kind not in "biuf":
        problem = f"holds {dataset.dtype}, not numbers"
    stored = 0 if problem else min(dataset.id.get_storage_size(), size)
    return [list(shape or ()), dataset.dtype.str, stored, named, problem[:200]]


def reply(about: Any, content: bytes = b"") -> None:
    """Send one answer."""
    text = json.dumps(about).encode()
    out = sys.stdout.buffer
    out.write(len(text).to_bytes(8, "little") + len(content).to_bytes(8, "little") + text)
    out.write(content)
    out.flush()


def main() -> None:
    """Answer one request after the other, until there are no more."""
    import h5py
    import numpy as np

    file: Any = None
    arrays: list[Any] = []
    size = 0
    for line in sys.stdin:
        request = json.loads(line)
        limit(request["seconds"], request["memory"])
        try:
            if "path" in request:
                size = os.path.getsize(request["path"])
                file = h5py.File(request["path"], "r")
                about, arrays = listing(file, size)
                reply(about)
            else:
                values = np.ascontiguousarray(arrays[request["array"]][()])
                reply({"bytes": values.nbytes}, values.tobytes())
        except Exception as error:
            reply({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})


if __name__ == "__main__":
    main()
