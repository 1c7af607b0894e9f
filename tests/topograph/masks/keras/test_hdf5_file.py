"""HDF5 by a process of its own: what it may not do to ours."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.masks.keras import hdf5_child, hdf5_file
from topograph.masks.keras.hdf5_file import Hdf5File

h5py = pytest.importorskip("h5py", reason="h5py is not installed")


def test_arrays_have_the_values_that_h5py_gives(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "a/w": rng.normal(size=(5, 4)),
        "b": rng.integers(0, 2, (3, 6)).astype(bool),
        "big endian": rng.normal(size=(2, 3)).astype(">f4"),
        "packed": rng.integers(0, 2, (50, 50)).astype("i1"),
    }
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, compression="gzip" if name == "packed" else None)
    with Hdf5File(tmp_path / "m.h5") as file:
        assert {array.path for array in file.arrays} == set(arrays)
        for array in file.arrays:
            np.testing.assert_array_equal(file.read(array).astype(float), arrays[array.path].astype(float))


def test_links_at_the_places_that_keras_names_are_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    pipe = tmp_path / "elsewhere" / "pipe.h5"
    os.mkfifo(pipe)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["layers/dense/vars/0"] = np.eye(4, dtype="f4")
        file["layers/vars"] = h5py.ExternalLink(str(pipe), "/g")
    masks = tg.load(tmp_path / "m.h5")  # opening the pipe would wait for ever
    assert "another file" in masks.left_out["layers/vars"]
    assert len(masks) == 1


def test_a_group_that_holds_itself_ends(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["g/w"] = np.eye(3)
        file["g/h"] = file["g"]
    assert len(tg.load(tmp_path / "m.h5")) == 1


def test_many_arrays_that_are_each_small_are_refused_together(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for number in range(40):
            file.create_dataset(f"w{number}", (4096, 8192), "i1", chunks=(1024, 1024))
    with pytest.raises(InvalidMaskError, match="together would expand"):
        tg.load(tmp_path / "m.h5")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of processor time")
def test_a_library_that_never_ends_is_ended(tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    source = Path(hdf5_child.__file__).read_text()
    child.write_text(source.replace("listing = Listing(file, size)", "while True: pass"))
    monkeypatch.setattr(hdf5_file, "CHILD", child)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["w"] = np.eye(3)
    with pytest.raises(InvalidMaskError, match=r"m\.h5: the HDF5 library failed on this file \(it took too long\)"):
        tg.load(tmp_path / "m.h5")


def test_a_library_that_dies_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    source = Path(hdf5_child.__file__).read_text()
    child.write_text(source.replace("listing = Listing(file, size)", "os.abort()"))
    monkeypatch.setattr(hdf5_file, "CHILD", child)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["w"] = np.eye(3)
    with pytest.raises(InvalidMaskError, match=r"m\.h5: the HDF5 library failed .*ended with code"):
        tg.load(tmp_path / "m.h5")


def test_its_process_imports_nothing_from_the_working_folder(tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported')")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["w"] = np.eye(3)
    script = "import sys; sys.path.remove(''); import topograph as tg; print(len(tg.load('m.h5')))"
    root = str(Path(tg.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script.replace("sys.path.remove('')", f"sys.path[0] = {root!r}")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"
