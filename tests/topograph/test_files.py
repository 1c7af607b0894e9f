"""Outputs appear whole, and never in the place of what they are made from."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest

from topograph.errors import InvalidParameterError
from topograph.files import check_output, whole


def test_a_file_that_fails_half_way_leaves_the_earlier_one(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("earlier")
    with pytest.raises(ZeroDivisionError), whole(target) as file:
        file.writelines(b"half" if part else bytes(1 // part) for part in (2, 1, 0))
    assert target.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_full_disk_leaves_the_earlier_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("earlier")
    code = (
        "import resource, sys; from topograph.files import whole\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with whole(sys.argv[1]) as file: file.write(b'x' * 100_000)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(target)], capture_output=True, text=True)
    assert "OSError" in ended.stderr
    assert target.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_links_and_permissions_stay(tmp_path):
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "a.txt", tmp_path / "link.txt"
    real.write_text("earlier")
    real.chmod(0o640)
    link.symlink_to(real)
    with whole(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        with whole(tmp_path / "b.txt") as file:
            file.write(b"new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "b.txt").stat().st_mode) == 0o640


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no devices")
def test_devices_are_written_to():
    code = "from topograph.files import whole\nwith whole('/dev/stdout') as file: file.write(b'said')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).stdout == b"said"


@pytest.mark.parametrize("how", ["same", "dotted", "symlink", "hard link", "link to the folder", "log", "lock"])
def test_no_output_takes_the_place_of_an_input(tmp_path, how):
    source = tmp_path / "in.csv"
    source.write_text("input")
    out = tmp_path / "out.csv"
    if how == "same":
        out = source
    elif how == "dotted":
        out = tmp_path / "x" / ".." / "in.csv"
        (tmp_path / "x").mkdir()
    elif how == "symlink":
        out.symlink_to(source)
    elif how == "hard link":
        out.hardlink_to(source)
    elif how == "link to the folder":
        (tmp_path / "link").symlink_to(tmp_path)
        out = tmp_path / "link" / "in.csv"
    else:
        out = tmp_path / ("in.csv-wal" if how == "log" else "in.csv.lock")
    with pytest.raises(InvalidParameterError, match="is read and would be overwritten"), whole(out, [source]) as file:
        file.write(b"output")
    assert source.read_text() == "input"


def test_files_in_an_input_folder_are_inputs(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "shard.txt").touch()
    with pytest.raises(InvalidParameterError):
        check_output(tmp_path / "model" / "shard.txt", [tmp_path / "model"])
    check_output(tmp_path / "model" / "new.txt", [tmp_path / "model"])


def test_a_database_is_not_replaced(tmp_path):
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(InvalidParameterError, match="is a database"), whole(tmp_path / "s.sqlite"):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere$"),
        whole(tmp_path / "nowhere" / "a.txt"),
    ):
        pass
