"""Runs in a process of its own: reads one HDF5 file and answers what is in it. Imports nothing of ours.

The HDF5 library may crash or loop for ever on a damaged file; then only this process dies. It follows no link to
another file. Requests come as lines of JSON, replies go as a length, JSON and raw bytes: `topograph.masks.hdf5`.
"""

from __future__ import annotations

import json
import math
import os
import sys
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
    import h5py

    if not h5py.h5a.exists(item.id, name.encode()):
        return None
    handle = item.attrs.get_id(name)
    if math.prod(handle.shape or ()) > 1 or handle.get_storage_size() > size:
        raise ValueError(f"the attribute {name!r} is not a single text")
    value = item.attrs[name]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


class Listing:
    """What a file holds: arrays, names of groups, and links, none of which is followed."""

    def __init__(self, file: Any, size: int) -> None:
        self.size, self.left = size, MOST_OBJECTS
        self.arrays: list[Any] = []
        self.rows: list[list[Any]] = []
        self.names: dict[str, str] = {}
        self.links: list[list[str]] = []
        self._seen: set[Any] = set()
        self._group(file.id, "", 0)
        self.about = {
            "arrays": self.rows,
            "names": self.names,
            "links": self.links,
            "config": text_attribute(file, "model_config", size),
        }

    def _group(self, group: Any, path: str, depth: int) -> None:
        """Go through a group, by the library's plain functions: files of 10,000 layers are real."""
        import h5py

        if depth > DEEPEST:
            self.links.append([path, f"is nested more than {DEEPEST} deep"])
            return
        for name in list(group):
            text = name.decode("utf-8", "replace")
            place = f"{path}/{text}" if path else text
            self.left -= 1
            if self.left < 0:
                raise ValueError(f"holds more than {MOST_OBJECTS} objects")
            kind = group.links.get_info(name).type
            if kind == h5py.h5l.TYPE_EXTERNAL:
                target = group.links.get_val(name)[0].decode("utf-8", "replace")
                self.links.append([place, f"is a link into another file, {target!r}: not followed"])
                continue
            if kind != h5py.h5l.TYPE_HARD:
                self.links.append([place, "is a link: not followed"])
                continue
            info = h5py.h5o.get_info(group, name)
            if (info.fileno, info.addr) in self._seen:
                self.links.append([place, "is a second name of something that is read under its first: not followed"])
                continue
            self._seen.add((info.fileno, info.addr))
            if info.type == h5py.h5o.TYPE_GROUP:
                inner = h5py.h5g.open(group, name)
                if text == "vars":
                    given = text_attribute(h5py.Group(inner), "name", self.size)
                    if given is not None:
                        self.names[place] = given
                self._group(inner, place, depth + 1)
            elif info.type == h5py.h5o.TYPE_DATASET:
                array = h5py.h5d.open(group, name)
                self.arrays.append(array)
                self.rows.append([place, *self._describe(array)])

    def _describe(self, array: Any) -> list[Any]:
        """Shape, number format, bytes in the file, Keras' name of the format, and why it cannot be read."""
        import h5py

        shape, dtype = array.shape, array.dtype
        problem, named = "", None
        plan = array.get_create_plist()
        if array.get_space().get_simple_extent_type() == h5py.h5s.NULL:
            shape, problem = (), "is empty"
        elif plan.get_layout() == h5py.h5d.VIRTUAL:
            problem = "is put together from other files, which are not opened"
        elif plan.get_external_count():
            problem = "lies in another file, which is not opened"
        elif dtype.kind == "V":
            named = text_attribute(h5py.Dataset(array), "dtype", self.size)
        elif dtype.kind not in "biuf":
            problem = f"holds {dtype}, not numbers"
        stored = 0 if problem else min(array.get_storage_size(), self.size)
        return [list(shape), dtype.str, stored, named, problem[:200]]


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
    listing: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        limit(request["seconds"], request["memory"])
        try:
            if "path" in request:
                size = os.path.getsize(request["path"])
                file = h5py.File(request["path"], "r")
                listing = Listing(file, size)
                reply(listing.about)
            else:
                values = np.ascontiguousarray(h5py.Dataset(listing.arrays[request["array"]])[()])
                reply({"bytes": values.nbytes}, values.tobytes())
        except Exception as error:
            reply({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})


if __name__ == "__main__":
    main()
