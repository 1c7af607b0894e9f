"""`Kernels`: functions kept as portable code (`topograph.portable_code`), finished by LLVM for this processor.

Each function is finished at its first call, in a few tenths of a second, and kept on disk for later processes. Numba is
not needed for this, and is not imported.
"""

from __future__ import annotations

import ctypes
import gzip
import hashlib
import os
import re
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from topograph.files import whole

_ENTRY = "topograph_entry"
_OLDEST = 17  # of LLVM: earlier ones have pointers of another kind
_SUM = 32  # bytes of a SHA-256
_LONGEST = 100  # characters of a function's name that stand in the name of a file
_READ = ("double", "float")  # kinds of arguments that come as float64
_alive: list[Any] = []  # engines own the code that they made
_lock = threading.Lock()
_announced = False


class Kernels:
    """The functions of a file of portable code.

    Parameters
    ----------
    path
        The file: a line with the hash of its sources, then LLVM's text, compressed.
    sources
        The files that it was made from: after a change in one of them the code is out of date.
    rotated
        Whether LLVM brings loops into one form before all else. Sums that may be reordered then come in another order,
        and some loops, such as those over exponentials, do not become vector instructions.
    """

    def __init__(self, path: Path, sources: Sequence[Path], rotated: bool = False) -> None:
        self.path, self.sources, self._rotated = path, tuple(sources), rotated
        self._functions: dict[str, Callable[..., int] | None] = {}

    def write(self, text: str) -> None:
        """Keep the portable code of the sources as they are."""
        content = f"; {self.stamp}\n{text}".encode()
        with whole(self.path) as file:
            file.write(gzip.compress(content, mtime=0))

    @property
    def stamp(self) -> str:
        """Hash of the sources."""
        digest = hashlib.sha256()
        for source in self.sources:
            digest.update(source.read_bytes())
        return digest.hexdigest()

    @cached_property
    def code(self) -> str | None:
        """The portable code; None where there is none that fits the sources, or pointers have not 8 bytes."""
        if ctypes.sizeof(ctypes.c_void_p) != 8:
            return None
        try:
            text = gzip.decompress(self.path.read_bytes()).decode()
            return text if text.startswith(f"; {self.stamp}\n") else None
        except (OSError, ValueError, EOFError):
            return None

    def find(self, name: str, writes: bool = False) -> Callable[..., int] | None:
        """The function, which takes numbers and addresses; None where numba has to compile it.

        It returns a whole number. One that ``writes`` takes the address of its results first, whatever they are.
        """
        if name not in self._functions:
            with _lock:
                if name not in self._functions:
                    self._functions[name] = self._finished(name, writes)
        return self._functions[name]

    def _finished(self, name: str, writes: bool) -> Callable[..., int] | None:
        code = self.code
        declared = None if code is None else re.search(rf"^define i32 @{name}\((.*?)\)", code, re.M)
        if code is None or declared is None:
            return None
        kinds = [parameter.split()[0] for parameter in declared[1].split(", ")[2:]]
        kinds = ["ptr", *kinds] if writes else kinds
        import llvmlite.binding as llvm  # type: ignore[import-untyped]

        if llvm.llvm_version_info[0] < _OLDEST:
            return None
        try:
            _start(llvm)
            processor = _processor(llvm)
            machine = llvm.Target.from_default_triple().create_target_machine(*processor, opt=3)
            made_by = Path(__file__).read_text(), str(self._rotated), *processor, *map(str, llvm.llvm_version_info)
            key = "\n".join((code, name, *made_by))
            kept = f"{self.path.name.split('.')[0]}.{name[:_LONGEST]}.{hashlib.sha256(key.encode()).hexdigest()[:16]}.o"
            content = _read(self._folders(), kept)
            if content is None:
                content = _compiled(llvm, machine, code + _entry(name, kinds, writes), self._rotated)
                _keep(self._folders(), kept, content)
            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
            engine.add_object_file(llvm.ObjectFileRef.from_data(content))
            engine.finalize_object()
            _alive.append(engine)
            address = engine.get_function_address(_ENTRY)
        except RuntimeError:  # an LLVM that cannot read it
            return None
        return _callable(address, kinds) if address else None

    def _folders(self) -> Iterator[Path]:
        """Where numba would keep its machine code, too."""
        if folder := os.environ.get("NUMBA_CACHE_DIR"):
            yield Path(folder)
            return
        yield self.path.parent / "__pycache__"
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "topograph"


def as_arguments(array: Any) -> tuple[int, ...]:
    """An array of one or two dimensions without gaps, as compiled code takes it: five numbers, lengths and strides."""
    return 0, 0, array.size, array.itemsize, address_of(array), *array.shape, *array.strides


def address_of(array: Any) -> int:
    """Where the numbers of an array without gaps lie; NumPy's own way to ask takes four times as long."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only, or empty
        return int(array.ctypes.data)


NONE = (0,)
"""None, as compiled code takes it."""


def _start(llvm: Any) -> None:
    with suppress(RuntimeError):  # newer versions start by themselves, and say so
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _processor(llvm: Any) -> tuple[str, str]:
    """Name and features of the processor that the code is for: this one's, or those that numba would be told."""
    name, features = os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")
    own = llvm.get_host_cpu_features().flatten() if features is None else features
    return llvm.get_host_cpu_name() if name is None else name, own


def _entry(name: str, kinds: Sequence[str], writes: bool) -> str:
    """A function that reads all arguments from one block of memory: to hand over each would take many times as long."""
    lines = [f"define i64 @{_ENTRY}(ptr %numbers) {{", "%answer = alloca i64", "store i64 0, ptr %answer"]
    given = []
    for k, kind in enumerate(kinds):
        read = "double" if kind in _READ else "i64"
        lines += [f"%at{k} = getelementptr i64, ptr %numbers, i64 {k}", f"%n{k} = load {read}, ptr %at{k}"]
        if kind == read:
            given.append(f"{kind} %n{k}")
        else:
            made = "inttoptr" if kind == "ptr" else "fptrunc" if read == "double" else "trunc"
            lines.append(f"%p{k} = {made} {read} %n{k} to {kind}")
            given.append(f"{kind} %p{k}")
    given[writes:writes] = ["ptr null"]
    if not writes:
        given.insert(0, "ptr %answer")
    lines += [
        f"%status = call i32 @{name}({', '.join(given)})",
        "%result = load i64, ptr %answer",
        "ret i64 %result",
        "}",
    ]
    return "\n".join(lines)


def _compiled(llvm: Any, machine: Any, code: str, rotated: bool) -> bytes:
    """The object file of the entry: what it calls becomes part of it, and the rest is left out."""
    global _announced
    if not _announced:
        _announced = True
        print("topograph: compiling, once per machine; this takes a few seconds", file=sys.stderr, flush=True)
    module = llvm.parse_assembly(code)
    module.triple, module.data_layout = llvm.get_default_triple(), str(machine.target_data)
    for function in module.functions:
        if not function.is_declaration and function.name != _ENTRY:
            function.linkage = "internal"
    unused = llvm.create_new_module_pass_manager()
    unused.add_global_dead_code_eliminate_pass()
    unused.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0)))
    for level in (0, 3):  # as numba does: parts are inlined before all else
        tuning = llvm.create_pipeline_tuning_options(speed_level=level)
        tuning.loop_vectorization, tuning.slp_vectorization = level == 3, False
        builder = llvm.create_pass_builder(machine, tuning)
        passes = builder.getModulePassManager()
        if level == 0 and rotated:
            passes.add_loop_rotate_pass()
            passes.add_instruction_combine_pass()
            passes.add_jump_threading_pass()
        passes.run(module, builder)
    content: bytes = machine.emit_object(module)
    return content


def _read(folders: Iterator[Path], name: str) -> bytes | None:
    """What an earlier process kept, if every byte of it is there."""
    for folder in folders:
        with suppress(OSError):
            content = (folder / name).read_bytes()
            if content[:_SUM] == hashlib.sha256(content[_SUM:]).digest():
                return content[_SUM:]
    return None


def _keep(folders: Iterator[Path], name: str, content: bytes) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with whole(folder / name) as file:
                file.write(hashlib.sha256(content).digest() + content)
            return


def _callable(address: int, kinds: Sequence[str]) -> Callable[..., int]:
    """The function at an address. It lets other threads run, and its answer is the number it writes."""
    call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_char_p)(address)
    pack = struct.Struct("".join("d" if kind in _READ else "q" for kind in kinds)).pack

    def function(*numbers: float) -> int:
        return int(call(pack(*numbers)))

    return function
