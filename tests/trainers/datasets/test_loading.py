from __future__ import annotations

import gzip
import http.server
import os
import threading

import numpy as np
import pytest

from topograph.errors import DatasetNotFoundError, InvalidDatasetError, UnknownNameError
from trainers import load_dataset
from trainers.datasets.idx import IDX_SOURCES, IdxSource

FILES = {
    "train-images-idx3-ubyte": np.arange(3 * 2 * 2).reshape(3, 2, 2),
    "train-labels-idx1-ubyte": np.array([0, 1, 2]),
    "t10k-images-idx3-ubyte": np.full((2, 2, 2), 255),
    "t10k-labels-idx1-ubyte": np.array([2, 0]),
}


def idx(array: np.ndarray) -> bytes:
    sizes = np.array(array.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    monkeypatch.delenv("TOPOGRAPH_DATA", raising=False)
    return tmp_path


def test_digits_are_embedded_and_always_the_same():
    data = load_dataset("digits")
    assert (len(data.x_train), len(data.x_test), data.n_features, data.n_classes) == (1437, 360, 64, 10)
    assert data.x_train.dtype == np.float32
    assert 0 <= data.x_train.min() <= data.x_train.max() == 1
    assert data.content_hash == load_dataset("digits").content_hash
    assert load_dataset(data) is data
    with pytest.raises(ValueError, match="read-only"):
        data.x_train[0] = 1
    assert "digits" in repr(data)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_idx_files_are_found(no_cache, monkeypatch, zipped, nested):
    folder = no_cache / "mnist" if nested else no_cache
    folder.mkdir(exist_ok=True)
    for name, array in FILES.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    monkeypatch.setenv("TOPOGRAPH_DATA", str(no_cache))
    data = load_dataset("mnist")
    assert data.x_train.shape == (3, 4)
    assert data.x_train[2, 3] == np.float32(11 / 255)
    assert data.y_test.tolist() == [2, 0]
    assert data.x_test.max() == 1


def test_missing_files_say_how_to_get_them(no_cache):
    with pytest.raises(DatasetNotFoundError, match=r"TOPOGRAPH_DATA.*download=True") as caught:
        load_dataset("fashion-mnist")
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x1f\x8b broken", gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x09abc", mtime=0)],
    ids=["empty", "not gzip", "truncated"],
)
def test_damaged_files_are_named(no_cache, monkeypatch, damage):
    for name, array in FILES.items():
        (no_cache / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    (no_cache / "train-labels-idx1-ubyte.gz").write_bytes(damage)
    monkeypatch.setenv("TOPOGRAPH_DATA", str(no_cache))
    with pytest.raises(InvalidDatasetError, match="train-labels"):
        load_dataset("mnist")


def test_download_is_checked_by_content(no_cache, monkeypatch):
    portal = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.strip("/").removesuffix(".gz")
            body = b"<html>please log in</html>" if portal else gzip.compress(idx(FILES[name]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        import hashlib

        base = f"http://127.0.0.1:{server.server_port}/"
        hashes = {name: hashlib.sha256(idx(array)).hexdigest() for name, array in FILES.items()}
        monkeypatch.setitem(IDX_SOURCES, "mnist", IdxSource(base, hashes))
        with pytest.raises(InvalidDatasetError, match="cannot be read"):
            load_dataset("mnist", download=True)
        portal = False  # what came instead was not kept
        assert load_dataset("mnist", download=True).y_train.tolist() == [0, 1, 2]
        assert load_dataset("mnist").n_classes == 3  # now from the cache
        wrong = dict.fromkeys(hashes, "0" * 64)
        monkeypatch.setitem(IDX_SOURCES, "fashion-mnist", IdxSource(base, wrong))
        for file in (no_cache / "cache").rglob("*.gz"):
            file.unlink()
        with pytest.raises(InvalidDatasetError, match="SHA-256"):
            load_dataset("fashion-mnist", download=True)
        assert not list((no_cache / "cache" / "fashion-mnist").rglob("*.gz"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_arrays_and_npz(tmp_path):
    x, y = np.random.default_rng(0).random((6, 2, 3)), np.array([0, 1, 0, 1, 0, 1])
    data = load_dataset((x, y, x[:2], y[:2]))
    assert data.x_train.shape == (6, 6)
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert load_dataset(tmp_path / "mine.npz").name == "mine"
    np.savez(tmp_path / "half.npz", x_train=x)
    with pytest.raises(InvalidDatasetError, match="lacks y_train"):
        load_dataset(tmp_path / "half.npz")
    with pytest.raises(DatasetNotFoundError, match="no such file"):
        load_dataset(tmp_path / "none.npz")
    (tmp_path / "junk.npz").write_bytes(b"junk")
    with pytest.raises(InvalidDatasetError, match="junk"):
        load_dataset(tmp_path / "junk.npz")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (([[1.0]], [0, 1], [[1.0]], [0]), "one label per sample"),
        (([[np.nan]], [0], [[1.0]], [0]), "NaN"),
        (([[1.0]], [0.5], [[1.0]], [0]), "whole numbers"),
        (([[1.0]] * 3, [0, 2, 1.5], [[1.0]], [0]), "got 1.5 at position 2"),
        (([[1.0]], [np.nan], [[1.0]], [0]), "whole numbers from 0 to 999999, but got nan"),
        (([[1.0]], [0], [[1.0]], [np.inf]), "y_test must hold whole numbers from 0 to 999999, but got inf"),
        (([[1.0]], [-1], [[1.0]], [0]), "whole numbers"),
        (([[1.0]], [0], [[1.0, 2.0]], [0]), "features"),
        (([["a"]], [0], [[1.0]], [0]), "must hold numbers"),
        (([[1.0]], [0]), "but got 2 arrays"),
        (([], [], [], []), "one label per sample"),
        ((np.ones((2, 0, 3)), [0, 1], np.ones((2, 3)), [0, 1]), "at least one"),
        (([[1.0], [1.0, 2.0]], [0, 1], [[1.0]], [0]), "must be an array of numbers"),
        (([[1e300]], [0], [[1.0]], [0]), "beyond float32"),
        (([[1.0]], [10**12], [[1.0]], [0]), "to 999999, but got 1000000000000"),
        (([[1.0]], [2**64 - 1], [[1.0]], [0]), "whole numbers from 0"),
        (([[10**400]], [0], [[1.0]], [0]), "must hold numbers"),
    ],
)
def test_broken_arrays_are_refused_in_words(arrays, words):
    with pytest.raises(InvalidDatasetError, match=words):
        load_dataset(arrays)


@pytest.mark.parametrize("source", [5, None, {1, 2}, object()])
def test_what_is_not_a_data_set_is_said(source):
    with pytest.raises(InvalidDatasetError, match="a data set is a name, the path"):
        load_dataset(source)


def test_unknown_names_list_what_there_is():
    with pytest.raises(UnknownNameError, match="digits, fashion-mnist, mnist"):
        load_dataset("cifar")


@pytest.mark.skipif("TOPOGRAPH_DATA" not in os.environ, reason="TOPOGRAPH_DATA does not point at MNIST")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_files(name):
    data = load_dataset(name)
    assert data.x_train.shape == (60_000, 784)
    assert data.x_test.shape == (10_000, 784)
    assert np.bincount(data.y_test).min() > 800


@pytest.mark.parametrize("how", ["encrypted", "packed in an unknown way", "huge", "cut off", "a text"])
def test_archives_that_cannot_be_read_are_refused_in_words(tmp_path, how):
    path = tmp_path / "d.npz"
    x, y = np.zeros((4, 3), np.float32), np.arange(4) % 2
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    if how == "encrypted":
        content[central + 8] |= 1
        content[6] |= 1
    elif how == "packed in an unknown way":
        content[central + 10] = content[8] = 77
    elif how == "huge":
        content = content.replace(b"'shape': (4, 3), }                 ", b"'shape': (444444444444444444, 3), }")
    elif how == "cut off":
        content = content[:-100]
    else:
        content = bytearray(b"x_train,y_train")
    path.write_bytes(content)
    with pytest.raises(InvalidDatasetError, match=r"d\.npz is not a readable \.npz file"):
        load_dataset(path)
