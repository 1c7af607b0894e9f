"""Arrows between the rooms of ``trainers/study`` run in one direction."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "trainers" / "study"
# from the ground up
FLOORS = ["data", "spec", "plan", "records", "store", "engine", "publishing", "runner", "forecast"]


def rooms_read(path):
    """The rooms that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trainers.study."):
            yield node.module.split(".")[2]


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_a_room_reads_only_the_rooms_below_it(floor):
    room = FOLDER / FLOORS[floor]
    files = list(room.rglob("*.py")) if room.is_dir() else [room.with_suffix(".py")]
    assert files
    for path in files:
        assert set(rooms_read(path)) <= set(FLOORS[: floor + room.is_dir()]), path


def test_there_are_no_other_rooms():
    assert {path.stem for path in FOLDER.iterdir() if not path.name.startswith("__")} == set(FLOORS)
