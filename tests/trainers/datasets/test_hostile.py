"""Data set files that are encrypted, enormous or contradictory: an error, soon, and little memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from topograph.errors import DatasetNotFoundError, InvalidDatasetError
from trainers import load_dataset

NAMES = ("x_train", "y_train", "x_test", "y_test")


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), version=(1, 0))
    return buffer.getvalue()


def archive(path, **members):
    """A data set of four samples, with some members of others' making."""
    arrays = {"x_train": np.eye(4), "y_train": np.arange(4), "x_test": np.eye(4), "y_test": np.arange(4)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in NAMES:
            for content in members.get(name, [npy(arrays[name])]):
                file.writestr(f"{name}.npy", content)
    return path


def claim(shape):
    """The header of an array of doubles with this shape, and few bytes."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + bytes(64)


def encrypted(path):
    archive(path)
    raw = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = raw.find(signature)
        while place >= 0:
            raw[place + at] |= 1
            place = raw.find(signature, place + 4)
    path.write_bytes(bytes(raw))
    return path


def refused(path, words):
    tracemalloc.start()
    try:
        with pytest.raises(InvalidDatasetError, match=words) as caught:
            load_dataset(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.name in str(caught.value)
    assert peak < 40e6


def test_an_encrypted_archive(tmp_path):
    refused(encrypted(tmp_path / "secret.npz"), "encrypted")


def test_an_archive_that_expands_beyond_reason(tmp_path):
    bomb = npy(np.zeros(12_000_000))
    refused(archive(tmp_path / "bomb.npz", x_train=[bomb]), "decompression bomb")


@pytest.mark.parametrize("shape", [(2**40, 2**20), (10**6, 10**6), (2**62,)])
def test_a_header_that_claims_more_than_there_is(tmp_path, shape):
    refused(archive(tmp_path / "claims.npz", x_train=[claim(shape)]), "but only 64 are there")


def test_a_member_given_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "twice.npz", y_train=[npy(np.arange(4)), npy(np.zeros(4))])
    refused(path, "y_train more than once")


def test_python_objects_are_not_unpickled(tmp_path):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([print, len], dtype=object), allow_pickle=True)
    refused(archive(tmp_path / "objects.npz", y_train=[buffer.getvalue()]), "not executed")


@pytest.mark.parametrize("cut", range(0, 1200, 37))
def test_a_cut_or_changed_archive(tmp_path, cut):
    path = archive(tmp_path / "cut.npz")
    raw = path.read_bytes()
    path.write_bytes(raw[: cut % len(raw)])
    with pytest.raises(InvalidDatasetError):
        load_dataset(path)
    changed = bytearray(raw)
    changed[cut % len(raw)] ^= 0x55
    path.write_bytes(bytes(changed))
    with contextlib.suppress(InvalidDatasetError):
        load_dataset(path)


def test_a_path_that_is_not_a_file(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path, tmp_path / "a\0b.npz"):
        name = str(path) if str(path).endswith(".npz") else f"{path}.npz"
        with pytest.raises(DatasetNotFoundError, match="no such file"):
            load_dataset(name)


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """A folder with the four files, small."""
    monkeypatch.setenv("TOPOGRAPH_DATA", str(tmp_path))
    images = b"\0\0\x08\x03" + struct.pack(">3I", 4, 2, 2) + bytes(16)
    labels = b"\0\0\x08\x01" + struct.pack(">I", 4) + bytes(range(4))
    for stem, content in (("train", images), ("t10k", images)):
        (tmp_path / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
        (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    assert load_dataset("mnist").n_classes == 4
    return tmp_path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**31, 2**31) + bytes(16), "decompression bomb"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 100_000, 50, 50) + bytes(250_000_000), "decompression bomb"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 4, 2, 2) + bytes(250_000_000), "do not fill"),
        (b"\0\0\x08\xff" + bytes(400), "truncated or damaged"),
        (b"\0\0\x08\x00", "truncated or damaged"),
    ],
    ids=["claims too much", "zeros", "more than it says", "too many dimensions", "no dimension"],
)
def test_idx_files_that_are_not_what_they_say(mnist, content, words):
    path = mnist / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(content, 1))
    del content
    tracemalloc.start()
    try:
        with pytest.raises(InvalidDatasetError, match=words):
            load_dataset("mnist")
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_an_unzipped_file_that_claims_too_much(mnist):
    (mnist / "train-images-idx3-ubyte.gz").unlink()
    (mnist / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 2**20, 60, 1) + bytes(16))
    with pytest.raises(InvalidDatasetError, match=r"truncated or damaged|decompression bomb"):
        load_dataset("mnist")
