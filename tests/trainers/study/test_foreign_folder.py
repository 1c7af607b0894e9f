"""A working folder that has packages called as ours are: the command and all processes it starts take ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trainers.study.conftest import install_toys
from trainers.study import Store

ROOT = Path(__file__).parents[3]
SPEC = """
[grid]
trainers = "toy"
architectures = [64, 12, 10]
constructions = "regular_rotating"
degrees = [2, 3]
[training]
epochs = 1
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with ``trainers``, ``analysis`` and ``json`` of its own, and a spec."""
    for name in ("trainers", "analysis", "topograph"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the package in the working folder')\n")
    (tmp_path / "json.py").write_text("raise ImportError('the module in the working folder')\n")
    (tmp_path / "s.toml").write_text(SPEC)
    return tmp_path


def command(folder, toys, *words, **variables):
    """Run ``topograph`` as its entry point does: without the working folder among the places to import from."""
    code = f"import sys; sys.path[:0] = {[str(toys), str(ROOT)]}; from analysis.cli import main; sys.exit(main())"
    environment = {**os.environ, **variables}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_workers_take_our_packages(folder, tmp_path_factory):
    toys = install_toys(tmp_path_factory.mktemp("toys"))
    ended = command(folder, toys, "study", "run", "s.toml", "--workers", "2", "--store", "s.sqlite")
    assert ended.returncode == 0, ended.stderr
    assert Store(folder / "s.sqlite").counts() == {"pending": 0, "done": 2, "failed": 0}


def test_a_study_of_which_nothing_came_is_an_error(folder, tmp_path_factory):
    toys = install_toys(tmp_path_factory.mktemp("toys"))
    spec = (folder / "s.toml").read_text().replace("[training]", "training_seeds = [105]\n[training]")
    (folder / "s.toml").write_text(spec)  # the seed at which the toy raises
    for words in (["run", "s.toml", "--store"], ["retry"]):
        ended = command(folder, toys, "study", *words, "s.sqlite", "--workers", "1", "--format", "json")
        assert ended.returncode == 1
        assert json.loads(ended.stdout)["failed"] == 2
        assert "all 2 networks failed; the most frequent reason: TrainingDivergedError" in ended.stderr


@pytest.mark.parametrize("start", ["import sys; sys.path.insert(0, '')", "import sys; sys.path.append('')"])
def test_workers_find_the_modules_of_the_working_folder_where_their_owner_does(tmp_path, start):
    (tmp_path / "mine.py").write_text("def where(): return __file__\n")
    code = (
        f"{start}; sys.path.append({str(ROOT)!r}); import mine\n"
        "from trainers.study.engine.sandbox import Sandbox; print(Sandbox().call(mine.where, ()))"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ended.stdout.strip() == str(tmp_path / "mine.py"), ended.stderr
