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
