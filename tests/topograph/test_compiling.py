"""The cache of compiled code on disk."""

from __future__ import annotations

from tests.fresh_process import run


def test_the_cache_notices_a_change_in_another_file(tmp_path):
    """Numba alone goes on with machine code that contains an earlier version of a neighbour."""
    (tmp_path / "caller.py").write_text(
        "from topograph.compiling import compiled\nimport callee\n\n\n"
        "@compiled\ndef call(x):\n    return callee.answer(x)\n"
    )
    code = "from caller import call; print(call(1), sum(call.stats.cache_hits.values()))"
    printed = []
    for number in (1, 1, 2):
        (tmp_path / "callee.py").write_text(
            f"from topograph.compiling import compiled\n\n\n@compiled\ndef answer(x):\n    return x + {number}\n"
        )
        printed.append(run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1"))
    assert printed == [["2", "0"], ["2", "1"], ["3", "0"]]


def test_what_an_earlier_version_left_is_no_obstacle(tmp_path):
    """The cache names the classes of arguments: one that has moved to another file must not end in an import error."""
    printed = []
    for module in ("earlier", "later"):
        (tmp_path / f"{module}.py").write_text(
            "from typing import NamedTuple\n\n\nclass Pair(NamedTuple):\n    a: int\n    b: int\n"
        )
        (tmp_path / "adder.py").write_text(
            f"from topograph.compiling import compiled\nfrom {module} import Pair\n\n\n"
            "@compiled\ndef add(pair):\n    return pair.a + pair.b\n"
        )
        code = "from adder import Pair, add; print(add(Pair(1, 2)), sum(add.stats.cache_hits.values()))"
        settings = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        printed += [run(code, tmp_path, **settings) for _ in range(2)]
        (tmp_path / f"{module}.py").unlink()
    assert printed == [["3", "0"], ["3", "1"], ["3", "0"], ["3", "1"]]


def test_garbage_is_collected_again_after_a_compilation(tmp_path):
    """Nobody's own choice is changed: on stays on, off stays off, also where compilation fails."""
    (tmp_path / "topograph_like.py").write_text(
        "import gc\nfrom topograph.compiling import compiled\nfrom numba.extending import overload\nseen = []\n\n\n"
        "def look():\n    pass\n\n\n"
        "@overload(look)\ndef _look():\n    seen.append(gc.isenabled())\n    return lambda: 1\n\n\n"
        "def answer(x):\n    return x + look()\n\n\n"
        "def fail(x):\n    return look() + x.nothing\n\n\n"
        "for function in (answer, fail):\n    function.__module__ = 'topograph.like'\n"
        "answer, fail = compiled(answer), compiled(fail)\n"
    )
    code = (
        "import gc\nfrom topograph_like import answer, fail, seen\n"
        "answer(1)\nstates = [gc.isenabled()]\n"
        "try:\n    fail(1)\nexcept Exception:\n    states.append(gc.isenabled())\n"
        "gc.disable()\nanswer(1.0)\nstates.append(gc.isenabled())\n"
        "print(*states, any(seen))"
    )
    printed = run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert printed == ["True", "True", "False", "False"]


def test_functions_of_others_without_a_module_are_compiled(tmp_path):
    """Made by exec, they have none, and every compilation of the process is watched."""
    code = (
        "import numba\nimport topograph.compiling\nspace = {}\n"
        "exec('def add(x): return x + 1', space)\n"
        "assert 'builtins' == space['add'].__module__ or space['add'].__module__ is None\n"
        "space['add'].__module__ = None\nprint(numba.njit(space['add'])(1))"
    )
    assert run(code, tmp_path) == ["2"]
