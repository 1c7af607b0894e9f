"""Who may write to a store, under which name, and what is read where nothing can be written."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from tests.trainers.study.conftest import study, toy_study
from topograph.errors import StoreError
from trainers.study import Store, run_study

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def store(tmp_path):
    study(tmp_path, toy_study(seeds=(0,)), workers=1)
    return tmp_path / "s.sqlite"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (":memory:", "would keep nothing"),
        ("./:memory:", "would keep nothing"),
        ("", "its path is ''"),
        ("a\0b", "its path is"),
        ("file.txt/s.sqlite", "cannot be written"),
        ("x" * 300, "cannot be written|cannot be opened"),
        ("loop", "cannot be written"),
        ("folder", "is a folder, not a store"),
        ("pipe", "is not a file"),
        ("\ud800", "cannot be the name of a file"),
    ],
)
def test_a_store_is_a_file(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("")
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    os.mkfifo("pipe")
    with pytest.raises(StoreError, match=words):
        run_study(toy_study(), name, workers=1)


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("first", ["s.sqlite", "other/t.sqlite"])
def test_a_second_writer_is_kept_out_under_any_name(store, tmp_path, link, first):
    (tmp_path / "other").mkdir()
    link(store, tmp_path / "other" / "t.sqlite")
    (second,) = {"s.sqlite", "other/t.sqlite"} - {first}
    with Store(tmp_path / first).writer(), pytest.raises(StoreError, match=r"another process|hard link"):
        run_study(toy_study(), tmp_path / second, workers=1)
    assert run_study(toy_study(), tmp_path / second, workers=1).trained == 12


def test_a_hard_link_without_its_log_is_not_read(store, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    os.link(store, other / "t.sqlite")
    with Store(store).writer() as writer:
        writer.set_meta({"more": 1})
        assert Store(store).meta()["more"] == 1
        with pytest.raises(StoreError, match="hard link"):
            Store(other / "t.sqlite").meta()
    assert Store(other / "t.sqlite").meta()["more"] == 1


def test_a_finished_store_is_one_plain_file(store, tmp_path):
    assert {path.name for path in tmp_path.iterdir()} == {"s.sqlite", "s.sqlite.lock"}
    assert store.read_bytes()[18:20] == b"\1\1"


@pytest.fixture
def unwritable():
    """A folder of root's, seen by a user who may read it only."""
    if os.geteuid() != 0 or not hasattr(os, "seteuid"):
        pytest.skip("needs root, to become another user")
    folder = Path(tempfile.mkdtemp())
    yield folder
    os.seteuid(0)
    shutil.rmtree(folder)


@pytest.mark.parametrize("state", ["finished", "of an earlier version", "killed"])
def test_a_store_is_read_where_nothing_can_be_written(store, unwritable, state):
    if state == "killed":
        with Store(store).writer() as writer:
            writer.set_meta({"late": True})
            for name in ("s.sqlite", "s.sqlite-wal"):
                shutil.copy(store.with_name(name), unwritable / name)
    else:
        shutil.copy(store, unwritable)
    if state == "of an earlier version":  # it left the mark of a log in the file
        with contextlib.closing(sqlite3.connect(unwritable / "s.sqlite")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    expected = Store(store).runs()
    unwritable.chmod(0o555)
    for file in unwritable.iterdir():
        file.chmod(0o444)
    os.seteuid(65534)
    assert Store(unwritable / "s.sqlite").runs().equals(expected)
    assert ("late" in Store(unwritable / "s.sqlite").meta()) == (state == "killed")
    with pytest.raises(StoreError, match="cannot be written"), Store(unwritable / "s.sqlite").writer():
        pass


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("UPDATE recipes SET record = '{'", lambda s: s.topology(s.runs()["run_id"][0])),
        ("UPDATE recipes SET record = '{}'", lambda s: s.topology(s.runs()["run_id"][0])),
        ("UPDATE conditions SET settings = '[1'", lambda s: s.runs()),
        ("UPDATE records SET record = 'x'", lambda s: list(s.records())),
        ("UPDATE runs SET weight_stats = 'text'", lambda s: s.weight_statistics()),
        ("UPDATE runs SET weight_stats = NULL", lambda s: s.weight_statistics()),
        ("UPDATE profiles SET names = '3'", lambda s: s.metrics()),
        ("UPDATE metrics SET vals = x'00'", lambda s: s.metric_table()),
        ("UPDATE metrics SET reasons = '{'", lambda s: s.metrics()),
        ("UPDATE meta SET value = '{'", lambda s: s.meta()),
        ("UPDATE records SET weights = x'00'", lambda s: s.weights(s.runs()["run_id"][0])),
        ("UPDATE meta SET value = '{'", lambda s: run_study(toy_study(), s.path, workers=1)),
        ("UPDATE recipes SET record = '{'", lambda s: run_study(toy_study(), s.path, workers=1)),
    ],
)  # fmt: skip
def test_damage_is_said(store, damage, read):
    with contextlib.closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(damage)
    with pytest.raises(StoreError):
        read(Store(store))


def test_overwritten_pages_are_said_in_our_words(store):
    with store.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (os.path.getsize(store) - 8192))
    with pytest.raises(StoreError) as refused:
        Store(store).overview()
    assert "SELECT" not in str(refused.value)
    assert "malformed; restore the file from a copy" in str(refused.value)


def test_a_store_that_was_cut_off_is_refused(store):
    os.truncate(store, os.path.getsize(store) // 2)
    with pytest.raises(StoreError):
        Store(store).runs()
