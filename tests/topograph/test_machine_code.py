"""Portable code, finished without numba: kept on disk, safe from changed sources and from files cut short."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.fresh_process import run
from topograph.machine_code import Kernels, address_of
from topograph.spectral.lanczos import kernels

MEASURE = (
    "import sys, numpy as np, topograph as tg\n"
    "mask = np.random.default_rng(0).random((300, 250)) < 0.05\n"
    "print(tg.measure(mask, ['algebraic_connectivity']).iat[0, 0].hex(), 'numba' in sys.modules)"
)


def test_a_layer_is_measured_without_numba_and_equal_to_the_bit_cold_and_warm(tmp_path):
    cold, warm = (run(MEASURE, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2))
    assert cold == warm
    assert cold[1] == "False"
    kept = list((tmp_path / "cache").glob("kernels.*.o"))
    assert kept
    for file in kept:  # as a full disk would leave it
        file.write_bytes(file.read_bytes()[:-100])
    assert run(MEASURE, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == cold


def test_without_a_folder_to_write_to_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    assert run(MEASURE, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "file"))[1] == "False"


def _copied(folder: Path) -> Kernels:
    for path in (kernels.KERNELS.path, *kernels.KERNELS.sources):
        shutil.copy(path, folder / path.name)
    return Kernels(folder / kernels.KERNELS.path.name, [folder / path.name for path in kernels.KERNELS.sources])


def test_code_of_changed_sources_is_not_used(tmp_path):
    assert _copied(tmp_path).code is not None
    source = tmp_path / "steps.py"
    source.write_text(source.read_text() + "# changed\n")
    changed = Kernels(tmp_path / kernels.KERNELS.path.name, [tmp_path / path.name for path in kernels.KERNELS.sources])
    assert changed.code is None
    assert changed.find("spread") is None


@pytest.mark.parametrize("content", [b"", b"text", gzip.compress(b"; another stamp\n", mtime=0)[:-3]])
def test_a_broken_file_is_left_to_numba(tmp_path, content):
    copied = _copied(tmp_path)
    copied.path.write_bytes(content)
    assert copied.find("spread") is None


def test_text_that_llvm_cannot_read_is_left_to_numba(tmp_path):
    copied = _copied(tmp_path)
    copied.write("define i32 @spread(ptr %a, ptr %b, i64 %c) { nonsense }\n")
    assert copied.code is not None
    assert copied.find("spread") is None


def test_an_llvm_that_is_too_old_is_left_to_numba(monkeypatch, capfd):
    import llvmlite.binding as llvm

    monkeypatch.setattr(llvm, "llvm_version_info", (15, 0, 7))
    fresh = Kernels(kernels.KERNELS.path, kernels.KERNELS.sources)
    assert fresh.find("spread") is None
    assert capfd.readouterr().err == ""


def test_the_processor_is_the_one_that_numba_is_told(tmp_path):
    """So that the bits of another machine can be had on this one, by both ways of compiling."""
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    told = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    own, general = run(MEASURE, tmp_path, **cache), run(MEASURE, tmp_path, **cache, **told)
    assert float.fromhex(own[0]) == pytest.approx(float.fromhex(general[0]), rel=1e-9)
    names = {".".join(path.name.split(".")[:2]) for path in (tmp_path / "cache").glob("kernels.*.o")}
    assert names
    assert len(list((tmp_path / "cache").glob("kernels.*.o"))) == 2 * len(names)


def test_the_address_is_that_of_numpy():
    array = np.arange(3.0)
    frozen = array.view()
    frozen.flags.writeable = False
    for each in (array, array[1:], frozen, np.empty(0)):
        assert address_of(each) == each.ctypes.data
