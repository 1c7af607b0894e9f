"""`portable_code`: compiled functions as text for any processor; LLVM alone can finish it (`topograph.machine_code`).

What numba does before LLVM, from bytecode to types to instructions, takes most of the time of a compilation and its
result is the same on every machine. So it is done once, when a kernel changes, and kept beside it. This module imports
numba; the other half does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba
from numba.core import codegen

_njit: Any = numba.njit
_library: Any = codegen.CPUCodeLibrary
_OPTIONS = ("nogil", "error_model", "no_cfunc_wrapper", "fastmath", "_nrt")
# what older versions of LLVM cannot read, and none needs
_NEWER = re.compile(
    r" captures\([^)]*\)(?=[ ,)])| (?:nuw|nusw|inbounds)(?= .*\bgetelementptr)|(?<=trunc) (?:nuw|nsw)(?: nsw)?"
    r"|(?<=zext) nneg|(?<=uitofp) nneg|(?<=or) disjoint|(?<=icmp) samesign| range\([^)]*\)| #\d+"
)


def portable_code(entries: Mapping[str, tuple[Any, tuple[Any, ...]]]) -> str:
    """Text of functions and of all that they call.

    Parameters
    ----------
    entries
        Name of each function in the text, the function as `topograph.compiling` made it, and its argument types.
    """
    modules: dict[str, str] = {}
    names: dict[str, str] = {}
    add = _library.add_ir_module

    def note(library: Any, module: Any) -> None:
        modules[library.name + str(len(modules))] = str(module)
        add(library, module)

    _library.add_ir_module = note
    try:
        for name, (dispatcher, signature) in entries.items():
            options = {key: value for key, value in dispatcher.targetoptions.items() if key in _OPTIONS}
            made = _njit(no_cpython_wrapper=True, **options)(dispatcher.py_func)
            made.compile(signature)
            names[made.overloads[made.signatures[0]].fndesc.llvm_func_name] = name
    finally:
        _library.add_ir_module = add
    return _printed(modules.values(), names)


def _printed(texts: Iterable[str], names: Mapping[str, str]) -> str:
    """One module of all functions: tidied, those that nobody calls left out, with short names."""
    module = llvm.parse_assembly("")
    defined: set[str] = set()
    for text in texts:
        part = llvm.parse_assembly(text)
        again = {function.name for function in part.functions if not function.is_declaration} & defined
        if again:
            continue
        defined |= {function.name for function in part.functions if not function.is_declaration}
        module.link_in(part)
    missing = [function.name for function in module.functions if function.is_declaration and "_Z" in function.name]
    if missing:  # numba read them from the disk, where the text is not kept
        raise RuntimeError(f"set NUMBA_CACHE_DIR to an empty folder: without text of {', '.join(missing)}")
    machine = llvm.Target.from_default_triple().create_target_machine(opt=0)
    _simplify(module, machine)
    for function in module.functions:
        if not function.is_declaration and function.name not in names:
            function.linkage = "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0)))
    text = str(module)
    if "@.const.pickle" in text:
        raise ValueError("portable code cannot raise errors, but numba lets some operation in these functions do so")
    inlined = set()
    for number, function in enumerate(sorted(module.functions, key=lambda function: len(function.name), reverse=True)):
        name = function.name
        if name.startswith("_Z"):
            name = names.get(function.name, f"part_{number}")
            text = re.sub(rf'@"?{re.escape(function.name)}"?(?=\()', f"@{name}", text)
        if b"alwaysinline" in set(function.attributes):
            inlined.add(name)
    return "\n".join(_lines(text, inlined)) + "\n"


def _lines(text: str, inlined: set[str]) -> Iterable[str]:
    """The text without what belongs to one processor, one version of LLVM or numba alone."""
    for line in text.replace("@sqrt(", "@llvm.sqrt.f64(").replace("@sqrtf(", "@llvm.sqrt.f32(").splitlines():
        if not line or line.startswith(("target", ";", "source_filename", "attributes", "@_ZN08NumbaEnv")):
            continue
        line = _NEWER.sub("", line).split(" ;")[0].rstrip()
        if line.startswith("define") and line.split("@")[1].split("(")[0] in inlined:
            line = line.removesuffix("{") + "alwaysinline {"
        yield line


def _simplify(module: Any, machine: Any) -> None:
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0))
    passes = llvm.create_new_function_pass_manager()
    for _ in range(2):
        passes.add_sroa_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
