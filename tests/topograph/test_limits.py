"""What a file may claim, at every door."""

import io
import json
import zipfile

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.limits import Budget, check_one_directory, parse_json


def members(**arrays):
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def test_a_doubled_key_is_found_in_one_pass():
    text = ("{" + ",".join(f'"{n}": 0' for n in range(200_000)) + ', "199999": 0}').encode()
    with pytest.raises(InvalidMaskError, match="'199999' is given twice"):
        parse_json(text, "the header")


@pytest.mark.parametrize("text", [b"[" + b"[]," * 2_100_000 + b"0]", b'{"a": [' + b"0," * 8_100_000 + b"0]}"])
def test_json_of_countless_parts_is_refused_before_it_is_parsed(text):
    with pytest.raises(InvalidMaskError, match="holds more than"):
        parse_json(text, "the header")


@pytest.mark.parametrize("ending", ["csv", "mtx"])
def test_nodes_are_in_proportion_to_the_file(tmp_path, ending):
    path = tmp_path / f"m.{ending}"
    if ending == "csv":
        path.write_text("# 1000000000 x 2\n0,1\n" + "#\n" * 500_000)
    else:
        path.write_text(
            "%%MatrixMarket matrix coordinate pattern general\n" + "%\n" * 500_000 + "1000000000 1000000000 1\n1 1\n"
        )
    with pytest.raises(InvalidMaskError, match="nodes on a side"):
        tg.load(path)


def test_a_topology_file_is_held_to_the_same_limits_by_its_own_door(tmp_path):
    path = tmp_path / "t.npz"
    tg.Topology.build("regular_rotating", sizes=[6, 4], degrees=[2]).save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["sizes"] = np.array([10**9, 4])
    path.write_bytes(members(**arrays))
    with pytest.raises(InvalidMaskError, match="nodes on a side"):
        tg.Topology.load(path)
    arrays["sizes"], arrays["padding"] = np.array([6, 4]), np.zeros(1 << 27, dtype=np.uint8)
    path.write_bytes(members(**arrays))
    with pytest.raises(InvalidMaskError, match="decompression bomb"):
        tg.Topology.load(path)


def test_a_small_file_of_ones_is_refused_and_told_the_way_out(tmp_path):
    np.savez_compressed(tmp_path / "m.npz", m=np.ones((1 << 14, 1 << 13), dtype=np.int8))
    with pytest.raises(InvalidMaskError, match=r"save .* as a sparse matrix or without compression"):
        tg.load(tmp_path / "m.npz")


def test_a_budget_adds_up():
    budget = Budget(1 << 20)
    for _ in range(12):
        budget.claim("an array", 1 << 20, 16 << 20)
    with pytest.raises(InvalidMaskError, match="together"):
        budget.claim("an array", 1 << 20, 16 << 20)


@pytest.mark.parametrize("large", [False, True])
def test_an_archive_as_python_writes_it_has_one_directory(tmp_path, large):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a", "w", force_zip64=large) as member:
        member.write(json.dumps({}).encode())
    check_one_directory(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"and more"
    with pytest.raises(InvalidMaskError, match="readers could differ"):
        check_one_directory(path)
