"""The recipes of docs/extending.md, carried out in a copy of the source as they are written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (A [^\n]+)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
PLACE = re.compile(r"# (?P<path>\S+), (?P<where>a new file|at the end|into [^\n]+)\n")


@pytest.fixture
def copy(tmp_path):
    """The packages and their tests, and what numba compiled from them."""
    for name in ("topograph", "trainers", "analysis", "tests", "docs", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc", "_build"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def put(copy, block):
    """Put a block where its first line says."""
    place = PLACE.match(block)
    assert place, f"the block names no place: {block[:80]}"
    path, where, text = copy / place["path"], place["where"], block[place.end() :]
    if where == "a new file":
        assert not path.exists(), path
        path.write_text(text, encoding="utf-8")
        return
    before = path.read_text(encoding="utf-8")
    if where == "at the end":
        path.write_text(f"{before}\n\n{text}", encoding="utf-8")
        return
    if path.suffix == ".toml":
        head = where.removeprefix("into ")
        assert before.count(f"{head}\n") == 1
        path.write_text(before.replace(f"{head}\n", f"{head}\n{text}"), encoding="utf-8")
        return
    found = re.search(rf"^{where.removeprefix('into ')} = [(\[].*?(?=,?\n?[)\]]$)", before, re.DOTALL | re.MULTILINE)
    assert found, f"{path} has no {where.removeprefix('into ')}"
    path.write_text(f"{before[: found.end()]},\n{text}{before[found.end() :].removeprefix(',')}", encoding="utf-8")


def register(copy):
    """What ``pip install -e .`` does, with nothing installed: the entry points where Python looks for them first."""
    project = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    record = copy / f"{project['name']}-{project['version']}.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())])
        for group, entries in project["entry-points"].items()
    ]
    (record / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe(recipe, copy):
    blocks = re.findall(r"^```(python|sh|text)\n(.*?)^```", RECIPES[recipe], flags=re.DOTALL | re.MULTILINE)
    for language, block in blocks:
        if language != "sh":
            put(copy, block)
    commands = [line for language, block in blocks if language == "sh" for line in block.splitlines()]
    assert commands
    for line in commands:
        python, *arguments = shlex.split(line)
        assert python == "python"
        if arguments == ["-m", "pip", "install", "-e", "."]:
            register(copy)
            continue
        if arguments[:2] == ["-m", "pytest"]:
            arguments += ["-p", "no:cacheprovider"]
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        if arguments[:2] == ["-m", "pytest"]:
            assert re.search(r"\d+ passed", done.stdout), done.stdout


def test_every_recipe_is_found():
    assert list(RECIPES) == ["A metric", "A construction", "A mask format", "A figure", "A trainer"]
