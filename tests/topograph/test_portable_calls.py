"""Functions by portable code or by numba: which version is chosen, what is handed over, and what comes back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from topograph.compiling import compiled
from topograph.machine_code import Kernels
from topograph.portable_calls import PortableFunction, flattened
from topograph.portable_code import portable_code


class Pair(NamedTuple):
    """Numbers of two kinds."""

    flag: bool
    factor: float


@compiled.in_place
def weigh(values, pair, single, times):
    """Three results, of which each argument decides a part."""
    summed = 0.0
    for k in range(values.shape[0]):
        values[k] = values[k] * single
        summed += values[k] * pair.factor
    return summed, times + (1 if pair.flag else 0), values.shape[0]


@compiled.in_place
def add_to(values, number):
    """No result."""
    for k in range(values.shape[0]):
        values[k] += number


@compiled.in_place
def clear_some(values, step):
    """A range whose step may be 0, which is an error."""
    for k in range(0, values.shape[0], step):
        values[k] = 0


ARGUMENTS = np.arange(3, dtype=np.float32), Pair(True, 0.5), np.float32(2), 7


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    import numba

    folder = tmp_path_factory.mktemp("portable")
    made = Kernels(folder / "kernels.ll.gz", [Path(__file__)])
    entries = {}
    for function, arguments in ((weigh, ARGUMENTS), (add_to, (ARGUMENTS[0], 1.5))):
        name = f"{function.py_func.__name__}_{flattened(arguments)[0]}"
        entries[name] = function, tuple(map(numba.typeof, arguments))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(folder))
        made.write(portable_code(entries))
    return made


def test_numbers_and_arrays_arrive_and_all_results_come_back(kernels, monkeypatch):
    function = PortableFunction(kernels, __name__, "weigh", "dqq")
    values = np.arange(3, dtype=np.float32)
    assert kernels.find(f"weigh_{flattened(ARGUMENTS)[0]}", writes=True) is not None
    monkeypatch.setattr(sys.modules[__name__], "weigh", None)  # numba's is not called
    assert function(values, Pair(True, 0.5), np.float32(2), 7) == (3.0, 8, 3)
    assert values.tolist() == [0, 2, 4]
    assert function(values, Pair(False, -1.0), np.float32(0.5), -2) == (-3.0, -2, 3)


def test_a_function_without_results_returns_none(kernels, monkeypatch):
    function = PortableFunction(kernels, __name__, "add_to")
    monkeypatch.setattr(sys.modules[__name__], "add_to", None)
    values = np.zeros(2, np.float32)
    assert function(values, 1.5) is None
    assert values.tolist() == [1.5, 1.5]


@pytest.mark.parametrize(
    "values",
    [np.arange(3.0), np.arange(3, dtype=np.float32)[::2], np.arange(3, dtype=np.float32).reshape(1, 3)],
    ids=["another type", "with gaps", "of two dimensions"],
)
def test_arguments_of_other_kinds_are_left_to_numba(kernels, values, monkeypatch):
    given = []
    monkeypatch.setattr(sys.modules[__name__], "add_to", lambda *arguments: given.append(arguments))
    PortableFunction(kernels, __name__, "add_to")(values, 1.5)
    assert len(given) == 1


def test_kinds_tell_whole_numbers_truths_and_both_sizes_of_numbers_apart():
    kinds, numbers = flattened((True, 1, np.int64(1), 1.0, np.float32(1), np.float64(1)))
    assert kinds == "b1_i8_i8_f8_f4_f8"
    assert numbers == [1] * 6


def test_code_that_can_raise_an_error_is_not_made(tmp_path, monkeypatch):
    import numba

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="cannot raise errors"):
        portable_code({"clear_some": (clear_some, (numba.float64[::1], numba.int64))})
